#!/usr/bin/env bash
# Stage -1: checks the copy of TONAS in the folder $1,
# or says where to get it.
set -euo pipefail

exec nnsvs-lite corpus tonas --db-root "$1"
