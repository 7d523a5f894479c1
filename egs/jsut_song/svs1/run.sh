#!/usr/bin/env bash
# JSUT-song.
#   ./run.sh --db-root FOLDER      with a copy of the corpus (README.md says how to get it)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

exec ./svs.sh --corpus jsut_song --db-root downloads/jsut_song --title "JSUT-song, split espnet" \
    --features-config world_48k -- "$@"
