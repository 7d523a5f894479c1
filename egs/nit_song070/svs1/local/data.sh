#!/usr/bin/env bash
# Stage 0: the corpus as data dirs of phrases. Options: nnsvs-lite prepare --help
set -euo pipefail

exec nnsvs-lite prepare nit_song070 "$@"
