#!/usr/bin/env bash
# Children's Song Dataset (CSD).
#   ./run.sh --db-root FOLDER      with a copy of the corpus (README.md says how to get it)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

exec ./svs.sh --corpus csd --db-root downloads/csd --title "Children's Song Dataset (CSD), split espnet" \
    --features-config world_48k -- "$@"
