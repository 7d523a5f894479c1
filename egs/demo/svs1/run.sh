#!/usr/bin/env bash
# Sings with a voice learnt from the embedded virtual singer: no download, minutes on a laptop.
#   ./run.sh --stage 0 --stop-stage 6        all of it
#   ./run.sh --help                          the options
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

exec ./svs.sh --db-root downloads/demo --truth truth --title "The demo corpus" \
    --features-config conf/features/world_24k.yaml "$@"
