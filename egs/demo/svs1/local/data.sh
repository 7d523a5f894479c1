#!/usr/bin/env bash
# Stage 0: makes the corpus with the embedded singer, then its data dirs.
set -euo pipefail

# Options
db_root=downloads/demo  # where to make the corpus
out=data  # folder of the data dirs
nj=2  # parallel jobs
seed=0  # seed of the etudes and of the performance
etudes=60  # how many etudes to make for training
description="Makes the demo corpus and its data dirs."
. utils/parse_options.sh

nnsvs-lite demo-corpus --out "${db_root}" --etudes "${etudes}" --seed "${seed}" --nj "${nj}"
nnsvs-lite prepare demo --db-root "${db_root}" --out "${out}"
