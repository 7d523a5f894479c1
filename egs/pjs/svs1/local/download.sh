#!/usr/bin/env bash
# Stage -1: checks the copy of PJS, phoneme-balanced Japanese singing voice in the folder $1,
# or says where to get it.
set -euo pipefail

exec nnsvs-lite corpus pjs --db-root "$1"
