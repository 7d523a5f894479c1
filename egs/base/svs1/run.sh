#!/usr/bin/env bash
# Makes a base voice of many virtual singers, from whose weights other voices start: no download.
#   ./run.sh --stage 0 --stop-stage 6                        all of it
#   ./run.sh --local-data-opts "--voices mei" --tag mei      without the voice of F001
#   ./run.sh --help                                          the options
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

exec ./svs.sh --db-root downloads/base --truth truth --title "A base voice" --features-config world_48k "$@"
