#!/usr/bin/env bash
# Namine Ritsu singing database (ver. 2).
#   ./run.sh --db-root FOLDER      with a copy of the corpus (README.md says how to get it)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

exec ./svs.sh --corpus namine_ritsu --db-root downloads/namine_ritsu --title "Namine Ritsu singing database (ver. 2), split espnet" \
    --features-config world_48k -- "$@"
