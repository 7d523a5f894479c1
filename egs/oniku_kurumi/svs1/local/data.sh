#!/usr/bin/env bash
# Stage 0: ONIKU_KURUMI_UTAGOE_DB (Oniku Kurumi) as data dirs. Options: nnsvs-lite prepare --help
set -euo pipefail

exec nnsvs-lite prepare oniku_kurumi "$@"
