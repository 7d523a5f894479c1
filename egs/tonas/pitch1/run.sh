#!/usr/bin/env bash
# TONAS.
#   ./run.sh --db-root FOLDER      with a copy of the corpus (README.md says how to get it)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

exec ./pitch.sh --corpus tonas --db-root downloads/tonas --title "F0 trackers on TONAS" \
    -- "$@"
