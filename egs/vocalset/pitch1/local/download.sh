#!/usr/bin/env bash
# Stage -1: checks the copy of VocalSet in the folder $1,
# or says where to get it.
set -euo pipefail

exec nnsvs-lite corpus vocalset --db-root "$1"
