#!/usr/bin/env bash
# Stage 0: makes the corpus with the embedded singers, then its data dirs.
set -euo pipefail

# Options
db_root=downloads/demo  # where to make the corpus
out=data  # folder of the data dirs
nj=2  # parallel jobs that sing
seed=0  # seed of the performance
etudes=60  # how many etudes to train on, up to 60
singers=1  # 1 writes train, dev and eval; 2 writes train_multi, dev_multi and eval_multi
sample_rate=24000  # Hz of the recordings of virtual singers alone, up to 48000
real=  # folder of the nit_song070 corpus: its real singer joins the two virtual ones
description="Makes the demo corpus and its data dirs."
. utils/parse_options.sh

# Recordings of one data dir have one sampling rate, and the real singer's is 48 kHz.
[ -z "${real}" ] || sample_rate=48000
nnsvs-lite demo-corpus --out "${db_root}" --etudes "${etudes}" --seed "${seed}" --nj "${nj}" --singers "${singers}" \
    --sample-rate "${sample_rate}"
if [ "${singers}" -eq 1 ]; then
    exec nnsvs-lite prepare demo --db-root "${db_root}" --out "${out}"
fi

nnsvs-lite prepare demo --db-root "${db_root}" --out "${out}/of_demo"
[ -z "${real}" ] || nnsvs-lite prepare nit_song070 --db-root "${real}" --out "${out}/of_nit_song070"
for part in train dev eval; do
    sources=("${out}/of_demo/${part}")
    [ -z "${real}" ] || sources+=("${out}/of_nit_song070/${part}")
    nnsvs-lite data combine "${sources[@]}" "${out}/${part}_multi"
done
