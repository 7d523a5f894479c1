#!/usr/bin/env bash
# Stage 0: JSUT-song as data dirs. Options: nnsvs-lite prepare --help
set -euo pipefail

exec nnsvs-lite prepare jsut_song "$@"
