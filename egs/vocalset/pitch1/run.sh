#!/usr/bin/env bash
# VocalSet: 20 singers, 17 techniques, vowels; to score trackers of pitch.
#   ./run.sh --db-root FOLDER      with a copy of the corpus (README.md says how to get it)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

exec ./pitch.sh --db-root downloads/vocalset --title "F0 trackers on VocalSet" \
    -- "$@"
