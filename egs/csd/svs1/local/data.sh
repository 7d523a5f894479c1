#!/usr/bin/env bash
# Stage 0: Children's Song Dataset (CSD) as data dirs. Options: nnsvs-lite prepare --help
set -euo pipefail

exec nnsvs-lite prepare csd "$@"
