#!/usr/bin/env bash
# Children's songs by one female singer: the HTS demo corpus of Nagoya Institute of Technology.
#   ./run.sh                                 download, then all stages
#   ./run.sh --db-root FOLDER --stage 0      with a copy of the corpus that you have
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

exec ./svs.sh --corpus nit_song070 --db-root downloads/nit_song070 --title "NIT-SONG070-F001" --features-config world_48k -- "$@"
