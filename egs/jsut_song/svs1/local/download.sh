#!/usr/bin/env bash
# Stage -1: checks the copy of JSUT-song in the folder $1,
# or says where to get it.
set -euo pipefail

exec nnsvs-lite corpus jsut_song --db-root "$1"
