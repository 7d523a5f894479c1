#!/usr/bin/env bash
# GTSinger.
#   ./run.sh --db-root FOLDER      with a copy of the corpus (README.md says how to get it)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

exec ./svs.sh --corpus gtsinger --db-root downloads/gtsinger --title "GTSinger, split espnet" \
    --features-config world_48k -- "$@"
