#!/usr/bin/env bash
# Stage -1: checks the copy of ONIKU_KURUMI_UTAGOE_DB (Oniku Kurumi) in the folder $1,
# or says where to get it.
set -euo pipefail

exec nnsvs-lite corpus oniku_kurumi --db-root "$1"
