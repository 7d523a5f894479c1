#!/usr/bin/env bash
# Stage 0: PopCS as data dirs. Options: nnsvs-lite prepare --help
set -euo pipefail

exec nnsvs-lite prepare popcs "$@"
