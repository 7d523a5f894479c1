#!/usr/bin/env bash
# Stage 1, after alignment: training, dev and eval sets, and a report. Options: nnsvs-lite split --help
set -euo pipefail

exec nnsvs-lite split "$@"
