#!/usr/bin/env bash
# Stage 0: Natsume Yuuri singing database as data dirs. Options: nnsvs-lite prepare --help
set -euo pipefail

exec nnsvs-lite prepare natsume "$@"
