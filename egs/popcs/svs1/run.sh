#!/usr/bin/env bash
# PopCS.
#   ./run.sh --db-root FOLDER      with a copy of the corpus (README.md says how to get it)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

exec ./svs.sh --corpus popcs --db-root downloads/popcs --title "PopCS, split diffsinger" \
    --features-config world_24k -- "$@"
