#!/usr/bin/env bash
# ACE-KiSing (KiSing v2).
#   ./run.sh --db-root FOLDER      with a copy of the corpus (README.md says how to get it)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

exec ./svs.sh --corpus kising --db-root downloads/kising --title "ACE-KiSing (KiSing v2), split espnet" \
    --features-config world_24k -- "$@"
