#!/usr/bin/env bash
# Stage 0: M4Singer as data dirs. Options: nnsvs-lite prepare --help
set -euo pipefail

exec nnsvs-lite prepare m4singer "$@"
