#!/usr/bin/env bash
# Sings with a voice learnt from the embedded virtual singer: no download, minutes on a laptop.
#   ./run.sh --stage 0 --stop-stage 6        all of it
#   ./run.sh --train-set train_multi         one voice of two virtual singers, or three with a real one
#   ./run.sh --help                          the options
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

exec ./svs.sh --db-root downloads/demo --truth truth --title "The demo corpus" --features-config world_24k \
    --when train_set=train_multi --db-root downloads/demo_multi --dev-set dev_multi --eval-set eval_multi \
    --local-data-opts "--singers 2" --acoustic-args "--training.balance 1" \
    --title "The demo corpus, several singers" \
    -- "$@"
