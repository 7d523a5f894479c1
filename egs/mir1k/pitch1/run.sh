#!/usr/bin/env bash
# MIR-1K.
#   ./run.sh --db-root FOLDER      with a copy of the corpus (README.md says how to get it)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

exec ./pitch.sh --corpus mir1k --db-root downloads/mir1k --title "F0 trackers on MIR-1K" \
    -- "$@"
