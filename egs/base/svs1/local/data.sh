#!/usr/bin/env bash
# Stage 0: many virtual singers sing the etudes; then the data dirs.
set -euo pipefail

# Options
db_root=downloads/base  # where to make the corpus
out=data  # folder of the data dirs
nj=2  # parallel jobs that sing
seed=0  # seed of the performance
etudes=60  # how many etudes each sings, up to 60
voices="f001 mei"  # whose voices: each has five singers, with heads and manners of their own
description="Makes the corpus of a base voice and its data dirs."
. utils/parse_options.sh

singers=()
for voice in ${voices}; do
    singers+=("${voice}" "${voice}"-{deep,dark,bright,small})
done
nnsvs-lite demo-corpus --out "${db_root}" --etudes "${etudes}" --seed "${seed}" --nj "${nj}" --sample-rate 48000 \
    --no-songs --speakers "${singers[@]}"
nnsvs-lite prepare demo --db-root "${db_root}" --out "${out}"
