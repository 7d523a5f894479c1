#!/usr/bin/env bash
# Stage -1: checks the copy of No.7 singing database in the folder $1,
# or says where to get it.
set -euo pipefail

exec nnsvs-lite corpus no7 --db-root "$1"
