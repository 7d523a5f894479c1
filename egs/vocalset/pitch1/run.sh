#!/usr/bin/env bash
# VocalSet.
#   ./run.sh --db-root FOLDER      with a copy of the corpus (README.md says how to get it)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

exec ./pitch.sh --corpus vocalset --db-root downloads/vocalset --title "F0 trackers on VocalSet" \
    -- "$@"
