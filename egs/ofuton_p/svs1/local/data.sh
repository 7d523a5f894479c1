#!/usr/bin/env bash
# Stage 0: OFUTON_P_UTAGOE_DB (Ofuton P) as data dirs. Options: nnsvs-lite prepare --help
set -euo pipefail

exec nnsvs-lite prepare ofuton_p "$@"
