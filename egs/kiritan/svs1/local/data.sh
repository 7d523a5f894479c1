#!/usr/bin/env bash
# Stage 0: Tohoku Kiritan singing database as data dirs. Options: nnsvs-lite prepare --help
set -euo pipefail

exec nnsvs-lite prepare kiritan "$@"
