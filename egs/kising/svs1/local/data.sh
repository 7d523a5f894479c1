#!/usr/bin/env bash
# Stage 0: ACE-KiSing (KiSing v2) as data dirs. Options: nnsvs-lite prepare --help
set -euo pipefail

exec nnsvs-lite prepare kising "$@"
