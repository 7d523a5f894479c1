#!/usr/bin/env bash
# Stage -1: checks the copy of Namine Ritsu singing database (ver. 2) in the folder $1,
# or says where to get it.
set -euo pipefail

exec nnsvs-lite corpus namine_ritsu --db-root "$1"
