#!/usr/bin/env bash
# Stage -1: checks the copy of Ameboshi Cipher singing database in the folder $1,
# or says where to get it.
set -euo pipefail

exec nnsvs-lite corpus ameboshi --db-root "$1"
