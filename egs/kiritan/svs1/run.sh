#!/usr/bin/env bash
# Tohoku Kiritan singing database.
#   ./run.sh --db-root FOLDER      with a copy of the corpus (README.md says how to get it)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

exec ./svs.sh --corpus kiritan --db-root downloads/kiritan --title "Tohoku Kiritan singing database, split espnet" \
    --features-config world_48k -- "$@"
