#!/usr/bin/env bash
# Opencpop.
#   ./run.sh --db-root FOLDER      with a copy of the corpus (README.md says how to get it)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

exec ./svs.sh --corpus opencpop --db-root downloads/opencpop --title "Opencpop, split official" \
    --features-config world_48k -- "$@"
