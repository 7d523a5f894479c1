#!/usr/bin/env bash
# Stage 0: MIR-1K as tables of recordings, F0 and notes. Options: nnsvs-lite pitch prepare --help
set -euo pipefail

exec nnsvs-lite pitch prepare mir1k "$@"
