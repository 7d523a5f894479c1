#!/usr/bin/env bash
# M4Singer.
#   ./run.sh --db-root FOLDER      with a copy of the corpus (README.md says how to get it)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

exec ./svs.sh --corpus m4singer --db-root downloads/m4singer --title "M4Singer, split authors" \
    --features-config world_24k -- "$@"
