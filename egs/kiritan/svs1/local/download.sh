#!/usr/bin/env bash
# Stage -1: checks the copy of Tohoku Kiritan singing database in the folder $1,
# or says where to get it.
set -euo pipefail

exec nnsvs-lite corpus kiritan --db-root "$1"
