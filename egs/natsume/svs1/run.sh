#!/usr/bin/env bash
# Natsume Yuuri singing database.
#   ./run.sh --db-root FOLDER      with a copy of the corpus (README.md says how to get it)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

exec ./svs.sh --corpus natsume --db-root downloads/natsume --title "Natsume Yuuri singing database, split espnet" \
    --features-config world_48k -- "$@"
