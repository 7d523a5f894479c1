#!/usr/bin/env bash
# The seven stages of a singing voice synthesis recipe. A recipe's run.sh sets its corpus values and calls this.
set -euo pipefail

# Options
stage=-1  # first stage to run: -1 download, 0 data, 1 align, 2 features, 3 time-lag, 4 duration, 5 acoustic, 6 vocode and score
stop_stage=6  # last stage to run
nj=2  # parallel jobs on the CPU
ngpu=0  # GPUs for training and inference; 0 computes on the CPU
threads=1  # CPU threads of training and inference; more pay off with large models on a machine of your own
seed=0  # seed of everything that is drawn by chance
db_root=downloads  # folder that holds the corpus
local_data_opts=  # more options for local/data.sh
train_set=train  # name of the training set in data/; train_X keeps its features and models apart, as ..._X
dev_set=dev  # name of the development set
eval_set="eval"  # name of the evaluation set
realign=false  # true: align even where the corpus comes with phone times
align_config=conf/mfa/viter.yaml  # aligner
features_config=conf/features/world_48k.yaml  # feature analysis
timelag_config=conf/timelag/mdn.yaml  # time-lag model
duration_config=conf/duration/mdn.yaml  # duration model
acoustic_config=conf/acoustic/resf0_conv.yaml  # acoustic model
timelag_args=  # more options for training it, such as '--training.epochs 10'
duration_args=  # the same for the duration model
acoustic_args=  # the same for the acoustic model
tag=  # added to the names of the experiment folders
inference_tag=  # name of the decode folder, if not that of the time-lag and duration models
rule_dir=conf  # folder with {timelag,duration,acoustic}/rule.yaml, the floor that models are set against
results_md=RESULTS.md  # table of the results to write
title=Results  # heading of RESULTS.md
truth=  # folder in --db-root with known phone times and F0, if the corpus has one
more_systems=  # more rows for the table, NAME=DIR with waveforms, in eval's decode form; separated by spaces
evaluate_args=  # more options for scoring
datadir=data  # where data dirs are
dumpdir=dump  # where features are
expdir=exp  # where models and what they sing are
logdir=log  # where logs are
description="Runs a recipe from its corpus to scored singing, stage by stage."
. utils/parse_options.sh

. ./path.sh
. ./cmd.sh

fail() {
    echo "svs.sh: error: $*" >&2
    exit 1
}

# Runs a command so that a signal reaches it at once: bash keeps a trap waiting for a foreground command.
call() {
    local status=0
    "$@" &
    wait "$!" || status=$?
    return "${status}"
}
stop() {
    trap '' INT TERM
    if [ -n "${!:-}" ] && kill -TERM "$!" 2>/dev/null; then
        wait
    fi
    echo "svs.sh: stopped; run it again to go on" >&2
    exit "$1"
}
trap 'stop 130' INT
trap 'stop 143' TERM

# one LOG COMMAND...: one job, shown as it runs; gpu_one: the same on the GPU runner.
# shellcheck disable=SC2086  # a runner may come with options
one() { call ${train_cmd} --show "${logdir}/$1.log" "${@:2}"; }
gpu_one() { OMP_NUM_THREADS=${threads} call ${cuda_cmd} --gpu "${ngpu}" --show "${logdir}/$1.log" "${@:2}"; }

announce() { echo "=== stage $1: $2"; }
is_due() { [ "${stage}" -le "$1" ] && [ "${stop_stage}" -ge "$1" ]; }
need_file() { [ -f "$1" ] || fail "$1: no such file; $2"; }
need_dir() { [ -d "$1" ] || fail "$1: no such folder; $2"; }
# name_of conf/acoustic/x.yaml: x
name_of() { basename "${1%.*}"; }

for number in stage stop_stage nj ngpu threads seed; do
    [[ ${!number} =~ ^-?[0-9]+$ ]] || fail "--${number//_/-} must be a whole number, not '${!number}'"
done
[ "${nj}" -ge 1 ] || fail "--nj must be at least 1, not ${nj}"
case ${realign} in true | false) ;; *) fail "--realign must be true or false, not '${realign}'" ;; esac

feats=$(name_of "${features_config}")
# Statistics, and so all models, are of one training set: another one (train_multi) has folders of its own.
variant=${train_set#train}
[ -z "${variant}" ] || variant=_${variant#_}
dump=${dumpdir}/${feats}${variant}
suffix=${variant}${tag:+_${tag}}
timelag=$(name_of "${timelag_config}")
duration=$(name_of "${duration_config}")
acoustic=$(name_of "${acoustic_config}")
timelag_exp=${expdir}/timelag_${timelag}${suffix}
duration_exp=${expdir}/duration_${duration}${suffix}
acoustic_exp=${expdir}/acoustic_${acoustic}${suffix}
decode_name=decode_${inference_tag:-${timelag}_${duration}}
model_decode=${acoustic_exp}/${decode_name}
rule_exp=${expdir}/acoustic_rule${variant}
rule_decode=${rule_exp}/decode_rule
natural=${expdir}/analysis_synthesis/${feats}${variant}
sets=("${train_set}" "${dev_set}" "${eval_set}")
# What RESULTS.md states as the command: all that its figures depend on.
repeat="./run.sh --features-config ${features_config} --timelag-config ${timelag_config}"
repeat+=" --duration-config ${duration_config} --acoustic-config ${acoustic_config} --seed ${seed}"
[ "${train_set}" = train ] || repeat+=" --train-set ${train_set}"
for extra in local_data_opts timelag_args duration_args acoustic_args; do
    [ -z "${!extra}" ] || repeat+=" --${extra//_/-} '${!extra}'"
done

# train FAMILY CONFIG EXP ARGS: trains one model, and the rule system of its family.
train() {
    local family=$1 config=$2 exp=$3 args=$4
    need_file "${config}" "--${family}-config names the model; conf/${family}/ has those that come with the toolkit"
    need_file "${dump}/stats.json" "run stage 2 first"
    # The words of ${args} are options of their own.
    # shellcheck disable=SC2086
    gpu_one "train_$(basename "${exp}")" nnsvs-lite train --config "${config}" --dump "${dump}" \
        --train-set "${train_set}" --dev-set "${dev_set}" --out "${exp}" --seed "${seed}" --ngpu "${ngpu}" ${args}
    [ "${exp}" = "${expdir}/${family}_rule${variant}" ] || gpu_one "train_${family}_rule${variant}" nnsvs-lite train \
        --config "${rule_dir}/${family}/rule.yaml" --dump "${dump}" --train-set "${train_set}" \
        --dev-set "${dev_set}" --out "${expdir}/${family}_rule${variant}" --seed "${seed}"
}

# decode NAME SET OUT ARGS...: features of every phrase of a set.
decode() {
    gpu_one "decode_$1_$2" nnsvs-lite decode --dump "${dump}" --set "$2" --out "$3/$2" --seed "${seed}" \
        --ngpu "${ngpu}" "${@:4}"
}

if is_due -1; then
    announce -1 "download"
    if [ -x local/download.sh ]; then
        one download local/download.sh "${db_root}"
    else
        echo "This corpus needs no download."
    fi
fi

if is_due 0; then
    announce 0 "data preparation"
    [ -x local/data.sh ] || fail "local/data.sh is missing in $(pwd)"
    # shellcheck disable=SC2086
    one data local/data.sh --db-root "${db_root}" --out "${datadir}" --nj "${nj}" \
        --seed "${seed}" ${local_data_opts}
    one validate nnsvs-lite validate "${sets[@]/#/${datadir}/}"
fi

if is_due 1; then
    announce 1 "alignment"
    labelled=true
    for set in "${sets[@]}"; do
        need_dir "${datadir}/${set}" "run stage 0 first"
        [ -f "${datadir}/${set}/label.ctm" ] || labelled=false
    done
    if [ "${labelled}" = true ] && [ "${realign}" = false ]; then
        echo "The corpus comes with phone times (label.ctm): alignment is skipped; --realign true aligns anyway."
    else
        need_file "${align_config}" "--align-config names the aligner, which is needed where a corpus has no label.ctm"
        one align nnsvs-lite align --config "${align_config}" --out "${expdir}/align_$(name_of "${align_config}")" \
            --nj "${nj}" --realign "${realign}" "${sets[@]/#/--data=${datadir}/}"
    fi
fi

if is_due 2; then
    announce 2 "features (${dump})"
    need_file "${features_config}" "--features-config names the analysis; conf/features/ has those that come with the toolkit"
    for set in "${sets[@]}"; do
        need_dir "${datadir}/${set}" "run stage 0 first"
        extract=(nnsvs-lite extract --data "${datadir}/${set}" --out "${dump}/${set}" --config "${features_config}" --nj "${nj}")
        # shellcheck disable=SC2086
        call ${train_cmd} "JOB=1:${nj}" "${logdir}/extract_${set}.JOB.log" "${extract[@]}" --job JOB
        one "extract_${set}" "${extract[@]}" --collect
    done
    one stats nnsvs-lite stats --dump "${dump}" --train-set "${train_set}"
fi

if is_due 3; then
    announce 3 "time-lag model (${timelag_exp})"
    train timelag "${timelag_config}" "${timelag_exp}" "${timelag_args}"
fi

if is_due 4; then
    announce 4 "duration model (${duration_exp})"
    train duration "${duration_config}" "${duration_exp}" "${duration_args}"
fi

if is_due 5; then
    announce 5 "acoustic model (${acoustic_exp})"
    need_dir "${timelag_exp}" "run stage 3 first"
    need_dir "${duration_exp}" "run stage 4 first"
    train acoustic "${acoustic_config}" "${acoustic_exp}" "${acoustic_args}"
    models=(--acoustic "${acoustic_exp}" --timelag "${timelag_exp}" --duration "${duration_exp}")
    decode model "${dev_set}" "${model_decode}" "${models[@]}"
    decode model "${eval_set}" "${model_decode}" "${models[@]}"
    decode rule "${eval_set}" "${rule_decode}" --acoustic "${rule_exp}" \
        --timelag "${expdir}/timelag_rule${variant}" --duration "${expdir}/duration_rule${variant}"
    decode natural "${eval_set}" "${natural}" --natural
    # A recipe may bring an older system to compare with, of the singer of its usual training set.
    [ ! -x local/baseline.sh ] || [ -n "${variant}" ] || one decode_baseline local/baseline.sh --data "${datadir}/${eval_set}" \
        --out "${expdir}/hmm/${eval_set}"
fi

if is_due 6; then
    announce 6 "waveforms, scores and the results page"
    out=${model_decode}/${eval_set}
    systems=()
    for system in "model=${out}" "rule=${rule_decode}/${eval_set}" "analysis_synthesis=${natural}/${eval_set}"; do
        need_dir "${system#*=}" "run stage 5 first"
        one "vocode_${system%%=*}" nnsvs-lite vocode --decode-dir "${system#*=}" --nj "${nj}"
        systems+=(--system "${system}")
    done
    [ ! -x local/baseline.sh ] || [ -n "${variant}" ] || more_systems="hmm=${expdir}/hmm/${eval_set} ${more_systems}"
    for system in ${more_systems}; do
        need_dir "${system#*=}" "--more-systems names it"
        systems+=(--system "${system}")
    done
    # shellcheck disable=SC2086
    one evaluate nnsvs-lite evaluate --dump "${dump}" --set "${eval_set}" "${systems[@]}" \
        --data "${datadir}/${eval_set}" ${truth:+--truth "${db_root}/${truth}"} --exp "timelag=${timelag_exp}" \
        --exp "duration=${duration_exp}" --exp "acoustic=${acoustic_exp}" --title "${title}" \
        --command "${repeat}" --nj "${nj}" \
        --out "${out}/results.json" --results-md "${results_md}" ${evaluate_args}
    one report nnsvs-lite report --results "${out}/results.json" "${systems[@]}" --out "${out}/report/index.html"
    echo
    echo "sung songs:    $(readlink -f "${out}/songs")"
    echo "sung phrases:  $(readlink -f "${out}/wav")"
    echo "results:       $(readlink -f "${results_md}")"
    echo "results page:  $(readlink -f "${out}/report/index.html")"
fi
