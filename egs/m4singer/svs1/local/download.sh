#!/usr/bin/env bash
# Stage -1: checks the copy of M4Singer in the folder $1,
# or says where to get it.
set -euo pipefail

exec nnsvs-lite corpus m4singer --db-root "$1"
