#!/usr/bin/env bash
# Stage 0: PJS, phoneme-balanced Japanese singing voice as data dirs. Options: nnsvs-lite prepare --help
set -euo pipefail

exec nnsvs-lite prepare pjs "$@"
