#!/usr/bin/env bash
# Stage 0: Namine Ritsu singing database (ver. 2) as data dirs. Options: nnsvs-lite prepare --help
set -euo pipefail

exec nnsvs-lite prepare namine_ritsu "$@"
