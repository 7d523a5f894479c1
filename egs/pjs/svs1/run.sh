#!/usr/bin/env bash
# PJS, phoneme-balanced Japanese singing voice.
#   ./run.sh --db-root FOLDER      with a copy of the corpus (README.md says how to get it)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

exec ./svs.sh --corpus pjs --db-root downloads/pjs --title "PJS, phoneme-balanced Japanese singing voice, split espnet" \
    --features-config world_48k -- "$@"
