#!/usr/bin/env bash
# Stage -1: checks the copy of Tohoku Itako singing database in the folder $1,
# or says where to get it.
set -euo pipefail

exec nnsvs-lite corpus itako --db-root "$1"
