#!/usr/bin/env bash
# The stages of a recipe that scores F0 trackers. A recipe's run.sh sets its corpus values and calls this.
set -euo pipefail

# Options
stage=-1  # first stage to run: -1 download, 0 data, 1 F0 and notes of every tracker, 2 scores
stop_stage=2  # last stage to run
nj=2  # parallel jobs
cmd=utils/run.sh  # who runs the jobs; utils/slurm.sh on a cluster
corpus=  # name of the corpus
db_root=downloads  # folder that holds the corpus
local_data_opts=  # more options for nnsvs-lite pitch prepare, such as '--bad-songs leave-out'
trackers="harvest dio swift-f0 praat"  # trackers; those that are not installed are skipped
floor=60  # lowest F0 that is searched, Hz
ceil=1200  # highest F0 that is searched, Hz
title=Results  # heading of RESULTS.md
results_md=  # where to write the table, to be kept with the recipe: RESULTS.md; if not given into --expdir
datadir=data  # where the tables of stage 0 are
expdir=exp  # where F0, notes and scores are
logdir=log  # where logs are
description="Scores F0 trackers on a corpus whose pitch is known, stage by stage."
. utils/parse_options.sh

. ./path.sh
. ./cmd.sh
. utils/jobs.sh
has_stages 2

table=${results_md:-${expdir}/RESULTS.md}
repeat=./run.sh
for option in local_data_opts trackers floor ceil; do
    value=${!option}
    [[ ${value} != *\ * ]] || value="'${value}'"
    repeat+=${value:+ --${option//_/-} ${value}}
done

if is_due -1; then
    announce -1 "download"
    one download nnsvs-lite corpus "${corpus}" --db-root "${db_root}"
fi

if is_due 0; then
    announce 0 "data preparation"
    # shellcheck disable=SC2086
    one data nnsvs-lite pitch prepare "${corpus}" --db-root "${db_root}" --out "${datadir}" ${local_data_opts}
fi

if is_due 1; then
    announce 1 "F0 and notes"
    need_file "${datadir}/wav.scp" "run stage 0 first"
    # shellcheck disable=SC2086
    one track nnsvs-lite pitch track --data "${datadir}" --out "${expdir}" --nj "${nj}" \
        --floor "${floor}" --ceil "${ceil}" --trackers ${trackers}
fi

if is_due 2; then
    announce 2 "scores"
    need_file "${datadir}/wav.scp" "run stage 0 first"
    one score nnsvs-lite pitch score --data "${datadir}" --exp "${expdir}" --out "${expdir}" \
        --results-md "${table}" --title "${title}" --command "${repeat}"
    echo
    echo "results:  $(readlink -f "${table}")"
fi
