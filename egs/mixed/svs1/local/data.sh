#!/usr/bin/env bash
# Stage 0: the corpora of a mixture as one. Options: nnsvs-lite mix --help
set -euo pipefail

# Options
db_root=mixture.yaml  # YAML that names the corpora
out=data  # folder of the data dirs
nj=1  # parallel jobs
description="Makes one set of data dirs of several corpora."
. utils/parse_options.sh

[ -f "${db_root}" ] || {
    echo "local/data.sh: error: there is no ${db_root}: write one (README.md shows how), or name another with --mixture" >&2
    exit 1
}
exec nnsvs-lite mix "${db_root}" --out "${out}" --nj "${nj}"
