#!/usr/bin/env bash
# The seven stages of a singing voice synthesis recipe. A recipe's run.sh sets its corpus values and calls this.
# shellcheck disable=SC2034  # some options are read by their names alone
set -euo pipefail

# Options
stage=-1  # first stage to run: -1 download, 0 data, 1 align, 2 features, 3 time-lag, 4 duration, 5 acoustic, 6 vocode and score
stop_stage=6  # last stage to run
nj=2  # parallel jobs on the CPU
cmd=utils/run.sh  # who runs the jobs: utils/run.sh on this machine, utils/slurm.sh on a cluster (docs/cluster.md)
ngpu=0  # GPUs of each machine for training, of which inference takes one; 0 computes on the CPU
num_nodes=1  # machines for training
threads=1  # CPU threads of training and inference; more pay off with large models on a machine of your own
seed=0  # seed of training and of inference; the corpus stays as it is
corpus=  # name of the corpus (nnsvs-lite corpus lists them), where local/ does not fetch and prepare it
db_root=downloads  # folder that holds the corpus
local_data_opts=  # more options for nnsvs-lite prepare, or local/data.sh
train_set=train  # name of the training set in data/; train_X keeps its features and models apart, as ..._X
dev_set=dev  # name of the development set
eval_set="eval"  # name of the evaluation set
realign=false  # true: align even where the corpus comes with phone times
align_config=score  # aligner: a name in conf/mfa, or the path of a YAML; likewise the features and models
features_config=world_48k  # feature analysis
timelag_config=ridge  # time-lag model
duration_config=ridge  # duration model
acoustic_config=resf0_conv  # acoustic model
vocoder_config=  # vocoder, trained in stage 6; if not given WORLD, or of mel spectra Griffin-Lim
timelag_args=  # more options for training it, such as '--training.epochs 10'
duration_args=  # the same for the duration model
acoustic_args=  # the same for the acoustic model
vocoder_args=  # the same for the vocoder
timelag_init=  # experiment of another voice, whose weights the time-lag model starts from
duration_init=  # the same for the duration model
acoustic_init=  # the same for the acoustic model
vocoder_init=  # the same for the vocoder
tag=  # added to the names of the experiment folders, to keep apart what their names do not tell
overwrite=false  # true: train anew where an experiment of this name was trained otherwise
trust_code=false  # true: sing with a model whose class is of a package of your own
timelag_exp=  # time-lag model to use as it is, in place of training one
duration_exp=  # the same for the duration model
acoustic_exp=  # the same for the acoustic model
vocoder_exp=  # the same for the vocoder
inference_tag=  # name of the decode folder, if not that of the time-lag and duration models
results_md=  # also write the table of results here, to be kept with the recipe: RESULTS.md
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
. utils/jobs.sh

# name_of conf/acoustic/x.yaml: x
name_of() { basename "${1%.*}"; }

# find_config KIND WORD: sets ${found} to the path of a YAML that is given by its name or by its path, which must be of
# that kind.
find_config() {
    found=$2
    if [ -f "${found}" ]; then
        [[ ${found} == conf/$1/* ]] || nnsvs-lite config "$1" "${found}" >/dev/null
        return
    fi
    found=conf/$1/$2.yaml
    [ -f "${found}" ] || found=$(nnsvs-lite config "$1" "$2")
}
# model_dir STAGE FAMILY: sets FAMILY_exp where no option does: to the model of this tag and seed; where a timing
# model of that name is neither trained now nor there, or a vocoder without options of its own is not there, to the
# one without tag and seed.
declare -A named=() seeds=()
model_dir() {
    local exp=$2_exp config=$2_config plain
    named[$2]=${!exp}
    seeds[$2]=${seed}
    if [ -n "${!exp}" ]; then
        need_file "${!exp}/model.pt" "--$2-exp names a trained model"
        [ ! -f "${!exp}/config.yaml" ] || nnsvs-lite config "$2" "${!exp}/config.yaml" >/dev/null
        return
    fi
    plain=${expdir}/$2_$(name_of "${!config}")_${feats}${variant}
    printf -v "${exp}" '%s' "${plain}${suffix}"
    [ ! -f "${!exp}/model.pt" ] && [ -f "${plain}/model.pt" ] || return 0
    if [ "$1" -lt 5 ] && [ "${stage}" -gt "$1" ] && [ "${stop_stage}" -ge 5 ]; then
        echo "There is no ${!exp}: ${plain} is used; --stage $1 trains one, --$2-exp names another."
        printf -v "${exp}" '%s' "${plain}"
    elif [ "$1" -eq 6 ] && [ -z "${vocoder_args}${vocoder_init}" ] && [ "${stop_stage}" -ge 6 ]; then
        echo "There is no ${!exp}: ${plain} is used; --vocoder-exp names another."
        printf -v "${exp}" '%s' "${plain}"
        # Its training may have been cut off.
        seeds[$2]=0
    fi
}
# comes_later STAGE: whether it is due, but not the first one.
comes_later() { [ "${stage}" -lt "$1" ] && [ "${stop_stage}" -ge "$1" ]; }
# check_model STAGE FAMILY ARGS: reads a configuration that was asked for and whose stage comes later.
check_model() {
    local config=$2_config init=$2_init
    comes_later "$1" && [ -n "${!config}" ] && [ -z "${named[$2]:-}" ] || return 0
    [ -z "${!init}" ] || [ -f "${!init}" ] || need_file "${!init}/model.pt" "--$2-init names a trained model"
    [ -n "${_given[${config}]:-}$3" ] || return 0
    find_config "$2" "${!config}"
    # shellcheck disable=SC2086
    nnsvs-lite config "$2" "${found}" --check $3 >/dev/null
}
# decode_label EXP: what the name of a timing model adds to that of a decode folder.
decode_label() {
    local name=${1##*/}
    name=${name#*_}
    echo "${name/_${feats}${variant}/}"
}

# find_songs: sets ${songs} to the data dirs of stages 0 and 1: the sets; or, where local/split.sh makes these of what
# could be aligned, those of whole songs.
find_songs() {
    songs=("${sets[@]/#/${datadir}/}")
    [ ! -x local/split.sh ] || songs=("${datadir}"/songs/*)
}

whole_numbers ngpu num_nodes threads seed
[ "${seed}" -ge 0 ] || fail "--seed must be at least 0, not ${seed}"
has_stages 6
for choice in realign overwrite trust_code; do
    case ${!choice} in true | false) ;; *) fail "--${choice//_/-} must be true or false, not '${!choice}'" ;; esac
done
[[ ${tag}${inference_tag} =~ ^[[:alnum:]._-]*$ ]] || fail "tags are made of letters, digits, '.', '_' and '-'"

feats=$(name_of "${features_config}")
# Statistics, and so all models, are of one training set: another one (train_multi) has folders of its own.
variant=${train_set#train}
[ -z "${variant}" ] || variant=_${variant#_}
dump=${dumpdir}/${feats}${variant}
# An experiment is called FAMILY_MODEL_FEATURES[_VARIANT][_TAG][_seedSEED].
suffix=${tag:+_${tag}}
[ "${seed}" -eq 0 ] || suffix+=_seed${seed}
# Figures depend on these options alone.
figures=(features_config timelag_config duration_config acoustic_config vocoder_config train_set dev_set eval_set seed
    tag inference_tag local_data_opts timelag_args duration_args acoustic_args vocoder_args timelag_init duration_init
    acoustic_init vocoder_init timelag_exp duration_exp acoustic_exp vocoder_exp evaluate_args)
repeat=./run.sh
for option in "${figures[@]}"; do
    value=${!option}
    [[ ${value} != *\ * ]] || value="'${value}'"
    repeat+=${value:+ --${option//_/-} ${value}}
done
model_dir 3 timelag
model_dir 4 duration
model_dir 5 acoustic
[ -z "${vocoder_config}${vocoder_exp}" ] || model_dir 6 vocoder
# Earlier stages may take hours: what later ones will be told is read before.
! comes_later 1 || [ -z "${_given[align_config]:-}" ] || find_config align "${align_config}"
! comes_later 2 || find_config features "${features_config}"
check_model 3 timelag "${timelag_args}"
check_model 4 duration "${duration_args}"
check_model 5 acoustic "${acoustic_args}"
check_model 6 vocoder "${vocoder_args}"
# What waveforms of a trained vocoder add to the names of decode folders: those of several stand side by side.
sung=
[ -z "${vocoder_exp}" ] || sung=_$(decode_label "${vocoder_exp}")
model_decode=${acoustic_exp}/decode_${inference_tag:-$(decode_label "${timelag_exp}")_$(decode_label "${duration_exp}")}
rule_exp=${expdir}/acoustic_rule_${feats}${variant}
rule_decode=${rule_exp}/decode_rule
natural=${expdir}/analysis_synthesis/${feats}${variant}
sets=("${train_set}" "${dev_set}" "${eval_set}")

# train FAMILY ARGS: the model of a family, unless it is one that --FAMILY-exp names, and but for vocoders the rule system.
train() {
    local family=$1 args=$2 exp=$1_exp config=$1_config init=$1_init
    need_file "${dump}/stats.json" "run stage 2 first"
    # Of the recordings only vocoders and end-to-end systems hear anything.
    local common=(--dump "${dump}" --data "${datadir}" --train-set "${train_set}" --dev-set "${dev_set}"
        --overwrite "${overwrite}")
    if [ -n "${named[${family}]}" ]; then
        echo "${!exp} is used as it is (--${family}-exp)."
    else
        find_config "${family}" "${!config}"
        # The words of ${args} are options of their own.
        # shellcheck disable=SC2086
        all_ranks "train_$(basename "${!exp}")" nnsvs-lite train --config "${found}" --out "${!exp}" "${common[@]}" \
            ${!init:+--init "${!init}"} --seed "${seeds[${family}]}" --ngpu "${ngpu}" \
            --num-nodes "${num_nodes}" ${args}
    fi
    [ "${family}" != vocoder ] || return 0
    # The rule system is of the data alone: it has no seed and no tag.
    find_config "${family}" rule
    local rule=${family}_rule_${feats}${variant}
    [ "${!exp}" = "${expdir}/${rule}" ] ||
        gpu_one "train_${rule}" nnsvs-lite train --config "${found}" --out "${expdir}/${rule}" "${common[@]}"
}

# decode NAME SET OUT ARGS...: features of every phrase of a set.
decode() { gpu_one "decode_$1_$2" nnsvs-lite decode --dump "${dump}" --set "$2" --out "$3/$2" --ngpu "${ngpu}" "${@:4}"; }

if is_due -1; then
    announce -1 "download"
    if [ -x local/download.sh ]; then
        one download local/download.sh "${db_root}"
    elif [ -n "${corpus}" ]; then
        one download nnsvs-lite corpus "${corpus}" --db-root "${db_root}"
    else
        echo "This corpus needs no download."
    fi
fi

if is_due 0; then
    announce 0 "data preparation"
    prepare=(nnsvs-lite prepare "${corpus}")
    [ ! -x local/data.sh ] || prepare=(local/data.sh)
    [ -n "${corpus}" ] || [ -x local/data.sh ] || fail "neither --corpus nor local/data.sh in $(pwd) says what to prepare"
    # shellcheck disable=SC2086
    one data "${prepare[@]}" --db-root "${db_root}" --out "${datadir}" ${local_data_opts}
    find_songs
    one validate nnsvs-lite validate "${songs[@]}" --sound warn --nj "${nj}"
fi

if is_due 1; then
    announce 1 "alignment"
    find_songs
    unlabelled=()
    for songs_dir in "${songs[@]}"; do
        need_dir "${songs_dir}" "run stage 0 first"
        [ -f "${songs_dir}/label.ctm" ] && [ "${realign}" = false ] || unlabelled+=("--data=${songs_dir}")
    done
    align_exp=${expdir}/align_$(name_of "${align_config}")${variant}
    if [ "${#unlabelled[@]}" -eq 0 ]; then
        echo "The corpus comes with phone times (label.ctm): alignment is skipped; --realign true aligns anyway."
    else
        find_config align "${align_config}"
        # Sets are aligned together; of whole songs those that have phone times keep them.
        [ -x local/split.sh ] || unlabelled=("${songs[@]/#/--data=}")
        one align nnsvs-lite align --config "${found}" --out "${align_exp}" \
            --nj "${nj}" --realign "${realign}" "${unlabelled[@]}"
    fi
    [ ! -x local/split.sh ] || one split local/split.sh --datadir "${datadir}" --align "${align_exp}"
fi

if is_due 2; then
    announce 2 "features (${dump})"
    find_config features "${features_config}"
    for set in "${sets[@]}"; do
        need_dir "${datadir}/${set}" "run stage 0 first"
        extract=(nnsvs-lite extract --data "${datadir}/${set}" --out "${dump}/${set}" --config "${found}" --nj "${nj}")
        # shellcheck disable=SC2086
        call ${train_cmd} "JOB=1:${nj}" "${logdir}/extract_${set}.JOB.log" "${extract[@]}" --job JOB
        one "extract_${set}" "${extract[@]}" --collect
    done
    one stats nnsvs-lite stats --dump "${dump}" --train-set "${train_set}"
fi

if is_due 3; then
    announce 3 "time-lag model (${timelag_exp})"
    train timelag "${timelag_args}"
fi

if is_due 4; then
    announce 4 "duration model (${duration_exp})"
    train duration "${duration_args}"
fi

if is_due 5; then
    announce 5 "acoustic model (${acoustic_exp})"
    need_file "${timelag_exp}/model.pt" "run stage 3 first, or name a model with --timelag-exp"
    need_file "${duration_exp}/model.pt" "run stage 4 first, or name a model with --duration-exp"
    train acoustic "${acoustic_args}"
    models=(--acoustic "${acoustic_exp}" --timelag "${timelag_exp}" --duration "${duration_exp}" --seed "${seed}")
    [ "${trust_code}" = false ] || models+=(--trust-code)
    decode model "${dev_set}" "${model_decode}" "${models[@]}"
    decode model "${eval_set}" "${model_decode}" "${models[@]}"
    decode rule "${eval_set}" "${rule_decode}" --acoustic "${rule_exp}" --timelag \
        "${expdir}/timelag_rule_${feats}${variant}" --duration "${expdir}/duration_rule_${feats}${variant}"
    decode natural "${eval_set}" "${natural}" --natural
    # A recipe may bring an older system to compare with, of the singer of its usual training set.
    [ ! -x local/baseline.sh ] || [ -n "${variant}" ] || one decode_baseline local/baseline.sh --data "${datadir}/${eval_set}" \
        --out "${expdir}/hts_voice/${eval_set}"
fi

if is_due 6; then
    announce 6 "waveforms${vocoder_exp:+ (${vocoder_exp})}, scores and the results page"
    experiments=(--exp "timelag=${timelag_exp}" --exp "duration=${duration_exp}" --exp "acoustic=${acoustic_exp}")
    systems=()
    for system in "model=${model_decode}" "rule=${rule_decode}" "analysis_synthesis=${natural}"; do
        need_dir "${system#*=}/${eval_set}" "run stage 5 first"
    done
    if [ -n "${vocoder_exp}" ]; then
        train vocoder "${vocoder_args}"
        experiments+=(--exp "vocoder=${vocoder_exp}")
    fi
    for system in "model=${model_decode}" "rule=${rule_decode}" "analysis_synthesis=${natural}"; do
        name=${system%%=*}
        out=${system#*=}${sung}/${eval_set}
        vocode=(nnsvs-lite vocode --decode-dir "${system#*=}/${eval_set}" --nj "${nj}")
        [ "${name}" != model ] || vocode+=(--voice "${acoustic_exp}")
        [ "${trust_code}" = false ] || vocode+=(--trust-code)
        if [ -n "${vocoder_exp}" ]; then
            vocode+=(--vocoder "${vocoder_exp}" --out "${out}" --ngpu "${ngpu}")
            gpu_one "vocode_${name}" "${vocode[@]}"
        else
            one "vocode_${name}" "${vocode[@]}"
        fi
        systems+=(--system "${name}=${out}")
    done
    out=${model_decode}${sung}/${eval_set}
    others=()
    [ ! -x local/baseline.sh ] || [ -n "${variant}" ] || others=("hts_voice=${expdir}/hts_voice/${eval_set}")
    read -r -a named_systems <<<"${more_systems}"
    for system in ${others[@]+"${others[@]}"} ${named_systems[@]+"${named_systems[@]}"}; do
        need_dir "${system#*=}" "--more-systems names it"
        systems+=(--system "${system}")
    done
    # shellcheck disable=SC2086
    one evaluate nnsvs-lite evaluate --dump "${dump}" --set "${eval_set}" "${systems[@]}" \
        --data "${datadir}/${eval_set}" ${truth:+--truth "${db_root}/${truth}"} "${experiments[@]}" \
        --title "${title}" --command "${repeat}" --nj "${nj}" \
        --out "${out}/results.json" --results-md "${out}/RESULTS.md" ${evaluate_args}
    one report nnsvs-lite report --results "${out}/results.json" "${systems[@]}" --out "${out}/report/index.html"
    table=${out}/RESULTS.md
    if [ -n "${results_md}" ]; then
        cmp -s "${table}" "${results_md}" || cp "${table}" "${results_md}"
        table=${results_md}
    fi
    echo
    echo "sung songs:    $(readlink -f "${out}/songs")"
    echo "sung phrases:  $(readlink -f "${out}/wav")"
    echo "results:       $(readlink -f "${table}")"
    echo "scores:        $(readlink -f "${out}/results.json")"
    echo "results page:  $(readlink -f "${out}/report/index.html")"
fi
