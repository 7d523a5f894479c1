#!/usr/bin/env bash
# Stage -1: checks the copy of Children's Song Dataset (CSD) in the folder $1,
# or says where to get it.
set -euo pipefail

exec nnsvs-lite corpus csd --db-root "$1"
