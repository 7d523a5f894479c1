#!/usr/bin/env bash
# OpenSinger.
#   ./run.sh --db-root FOLDER      with a copy of the corpus (README.md says how to get it)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

exec ./svs.sh --corpus opensinger --db-root downloads/opensinger --title "OpenSinger, split singers" \
    --features-config world_24k -- "$@"
