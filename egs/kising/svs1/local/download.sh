#!/usr/bin/env bash
# Stage -1: checks the copy of ACE-KiSing (KiSing v2) in the folder $1,
# or says where to get it.
set -euo pipefail

exec nnsvs-lite corpus kising --db-root "$1"
