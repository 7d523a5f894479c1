#!/usr/bin/env bash
# Stage 0: VocalSet as tables of recordings, F0 and notes. Options: nnsvs-lite pitch prepare --help
set -euo pipefail

exec nnsvs-lite pitch prepare vocalset "$@"
