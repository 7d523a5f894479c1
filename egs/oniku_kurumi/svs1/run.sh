#!/usr/bin/env bash
# ONIKU_KURUMI_UTAGOE_DB (Oniku Kurumi).
#   ./run.sh --db-root FOLDER      with a copy of the corpus (README.md says how to get it)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

exec ./svs.sh --corpus oniku_kurumi --db-root downloads/oniku_kurumi --title "ONIKU_KURUMI_UTAGOE_DB (Oniku Kurumi), split muskits" \
    --features-config world_48k -- "$@"
