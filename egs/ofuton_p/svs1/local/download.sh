#!/usr/bin/env bash
# Stage -1: checks the copy of OFUTON_P_UTAGOE_DB (Ofuton P) in the folder $1,
# or says where to get it.
set -euo pipefail

exec nnsvs-lite corpus ofuton_p --db-root "$1"
