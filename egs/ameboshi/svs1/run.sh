#!/usr/bin/env bash
# Ameboshi Cipher singing database.
#   ./run.sh --db-root FOLDER      with a copy of the corpus (README.md says how to get it)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

exec ./svs.sh --corpus ameboshi --db-root downloads/ameboshi --title "Ameboshi Cipher singing database, split espnet" \
    --features-config world_48k -- "$@"
