#!/usr/bin/env bash
# Stage 0: the folder's recordings as data dirs of whole songs. Options: nnsvs-lite gather --help
set -euo pipefail

exec nnsvs-lite gather "$@"
