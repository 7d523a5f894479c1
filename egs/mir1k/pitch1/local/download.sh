#!/usr/bin/env bash
# Stage -1: checks the copy of MIR-1K in the folder $1,
# or says where to get it.
set -euo pipefail

exec nnsvs-lite corpus mir1k --db-root "$1"
