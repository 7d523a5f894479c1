#!/usr/bin/env bash
# OFUTON_P_UTAGOE_DB (Ofuton P).
#   ./run.sh --db-root FOLDER      with a copy of the corpus (README.md says how to get it)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

exec ./svs.sh --corpus ofuton_p --db-root downloads/ofuton_p --title "OFUTON_P_UTAGOE_DB (Ofuton P), split espnet" \
    --features-config world_48k -- "$@"
