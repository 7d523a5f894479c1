#!/usr/bin/env bash
# Stage -1: checks the copy of PopCS in the folder $1,
# or says where to get it.
set -euo pipefail

exec nnsvs-lite corpus popcs --db-root "$1"
