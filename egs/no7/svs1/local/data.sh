#!/usr/bin/env bash
# Stage 0: No.7 singing database as data dirs. Options: nnsvs-lite prepare --help
set -euo pipefail

exec nnsvs-lite prepare no7 "$@"
