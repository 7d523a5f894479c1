#!/usr/bin/env bash
# ACE-Opencpop.
#   ./run.sh --db-root FOLDER      with a copy of the corpus (README.md says how to get it)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

exec ./svs.sh --corpus acesinger --db-root downloads/acesinger --title "ACE-Opencpop, split official" \
    --features-config world_48k -- "$@"
