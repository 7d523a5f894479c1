#!/usr/bin/env bash
# Stage 0: GTSinger as data dirs. Options: nnsvs-lite prepare --help
set -euo pipefail

exec nnsvs-lite prepare gtsinger "$@"
