#!/usr/bin/env bash
# No.7 singing database.
#   ./run.sh --db-root FOLDER      with a copy of the corpus (README.md says how to get it)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

exec ./svs.sh --corpus no7 --db-root downloads/no7 --title "No.7 singing database, split muskits" \
    --features-config world_48k -- "$@"
