#!/usr/bin/env bash
# Runs a command as jobs of a Slurm cluster and logs each; arguments and promises are those of utils/run.sh:
#
#   utils/slurm.sh [--show] [--config FILE] [--mem 4G] [--time 1-0] [--num-threads 4] [--gpu 1] [--num-nodes 2] \
#       [--max-jobs-run 20] [--partition NAME] [JOB=1:4] log/extract.JOB.log command --job JOB
#
# JOB=FIRST:LAST is one array. conf/slurm.conf says which options of sbatch stand for those given here; any
# --NAME VALUE may be given that it knows. --gpu above 1 or --num-nodes above 1 start a rank for each GPU of each node
# by srun. A job that failed or was lost (its node, its time limit) is submitted once more, which is said; not so one
# job that ended by itself with a status, one that took too much memory, and one that somebody cancelled. On SIGINT,
# SIGTERM and SIGHUP all jobs are cancelled. Logs, and the folder of the recipe, must be seen by all nodes.
set -euo pipefail

# shellcheck source=utils/runner.sh
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/runner.sh"
parse_jobs "$@"

say() { echo "$0: $*" >&2; }
for program in sbatch squeue scancel; do
    command -v "${program}" >/dev/null || {
        say "${program} is not here: run this where jobs of the cluster are submitted, or give --cmd utils/run.sh"
        exit 1
    }
done

# Settings: "command SBATCH OPTIONS", "default NAME=VALUE", and "option NAME=VALUE OPTIONS", where VALUE may be * and
# $0 stands for it. This is the form of Kaldi's and ESPnet's conf/slurm.conf.
config=${hints[config]:-conf/slurm.conf}
[ -f "${config}" ] || {
    say "${config}: no such file; it says how jobs are submitted (--config names another)"
    exit 1
}
submit=()
declare -A option=() default=()
while read -r kind name rest || [ -n "${kind}" ]; do
    rest=${rest%%#*}
    case ${kind} in
    '' | \#*) ;;
    command) submit=("${name}") && read -r -a more <<<"${rest}" && submit+=(${more[@]+"${more[@]}"}) ;;
    default) default[${name%%=*}]=${name#*=} ;;
    option) option[${name}]=${rest} ;;
    *)
        say "${config}: '${kind}' is no word of it: command, default and option are"
        exit 1
        ;;
    esac
done <"${config}"
[ ${#submit[@]} -gt 0 ] || submit=(sbatch)
nodes=${hints[num_nodes]:-1}
ranks=${hints[gpu]:-0}
[ "${ranks}" -ge 1 ] || ranks=1
for name in "${!default[@]}"; do
    [ -n "${hints[${name}]:-}" ] || hints[${name}]=${default[${name}]}
done
for name in "${!hints[@]}"; do
    case ${name} in config | num_nodes | max_jobs_run) continue ;; esac
    value=${hints[${name}]}
    if [ -n "${option[${name}=${value}]+set}" ]; then
        chosen=${option[${name}=${value}]}
    elif [ -n "${option[${name}=*]+set}" ]; then
        chosen=${option[${name}=*]}
    else
        say "${config} has no option ${name}=* for --${name//_/-} ${value}"
        exit 1
    fi
    read -r -a more <<<"${chosen//\$0/${value}}"
    submit+=(${more[@]+"${more[@]}"})
done
start=()
if [ "${nodes}" -gt 1 ] || [ "${ranks}" -gt 1 ]; then
    submit+=("--nodes=${nodes}" "--ntasks-per-node=${ranks}")
    # One rank that fails ends the others, which would wait for it.
    start=(srun --kill-on-bad-exit=1)
fi

# What a job leaves is seen by this script through files, since Slurm forgets jobs after some minutes.
base=${log##*/}
mkdir -p "$(dirname "${log}")/.slurm"
work=$(realpath "$(mktemp -d "$(dirname "${log}")/.slurm/${base%.log}.XXXXXX")")
trap 'rm -rf "${work}"; rmdir "${work%/*}" 2>/dev/null || true' EXIT

export NNSVS_LITE_LOGGED=1
# shellcheck disable=SC2016  # what the job expands
{
    echo '#!/usr/bin/env bash'
    echo "job=\${SLURM_ARRAY_TASK_ID:-${first}}"
    echo 'echo "# started at $(date "+%F %T %z") on $(uname -n), Slurm job ${SLURM_JOB_ID}"'
    # On SIGTERM it stays until its command has ended, by SIGKILL if need be, so that Slurm finds what belongs to it;
    # what becomes of it then, Slurm says.
    echo 'trap stopped=true TERM; SECONDS=0 status=0 stopped='
    if [ ${#start[@]} -gt 0 ]; then
        # srun takes up neither of them by itself.
        echo 'export MASTER_ADDR=${MASTER_ADDR:-$(uname -n)} SRUN_CPUS_PER_TASK=${SLURM_CPUS_PER_TASK:-1}'
    else
        # There is one rank: libraries must not look for more.
        echo 'unset SLURM_NTASKS SLURM_NPROCS SLURM_NTASKS_PER_NODE'
    fi
    for word in ${start[@]+"${start[@]}"} "${command[@]}"; do
        if [ -n "${numbered}" ] && [ "${word}" = JOB ]; then printf '"${job}" '; else printf '%q ' "${word}"; fi
    done
    echo '</dev/null || status=$?'
    echo 'echo "# ended with status ${status} at $(date "+%F %T %z") after ${SECONDS} s"'
    echo '[ -z "${stopped}" ] || exit 143'
    printf 'cd %q && echo "${status}" >"${job}.tmp" && mv "${job}.tmp" "status.${job}"\n' "${work}"
    echo 'exit "${status}"'
} >"${work}/job.sh"

# Of this script where it is a job itself.
for name in "${!SLURM_@}"; do
    [ "${name}" = SLURM_CONF ] || unset "${name}"
done

# A job that is waited for: waits[JOB], its Slurm job id; result[JOB]: "ok", a status, or in words what became of it.
declare -A waits=() result=() missed=() again=()
ids=()
stop_jobs() {
    trap '' INT TERM HUP
    local end=$((SECONDS + 40)) list
    if [ ${#ids[@]} -gt 0 ]; then
        scancel -Q "${ids[@]}" || true
        printf -v list '%s,' "${ids[@]}"
        # They get SIGTERM, and SIGKILL after a while that is the cluster's.
        while squeue -h -j "${list%,}" -o %i >"${work}/queue" 2>/dev/null && [ -s "${work}/queue" ] &&
            [ "${SECONDS}" -lt "${end}" ]; do
            sleep 0.5 || true
        done
    fi
    [ "${show}" = false ] || show_new
    for job in "${!waits[@]}"; do
        log_of "${job}"
        printf '# stopped by a signal at %(%F %T %z)T\n' -1 >>"${job_log}"
    done
    exit "$1"
}
trap 'stop_jobs 130' INT
trap 'stop_jobs 143' TERM
trap 'stop_jobs 129' HUP

# submit_jobs JOB...: as one array, where they are numbered.
submit_jobs() {
    local words=("${submit[@]}" --parsable --no-requeue --open-mode=append --job-name="${base%.log}") list
    local output=${log//%/%%}
    if [ -n "${numbered}" ]; then
        printf -v list '%s,' "$@"
        list=${list%,}
        [ $# -ne $((last - first + 1)) ] || list=${first}-${last}
        words+=("--array=${list}${hints[max_jobs_run]:+%${hints[max_jobs_run]}}")
        log_of %a
        output=${job_log%"${job_log##*/}"}
        output=${output//%/%%}${job_log##*/}
    fi
    for job in "$@"; do
        log_of "${job}"
        command_of "${job}"
        {
            printf '#'
            printf ' %q' "${job_command[@]}"
            printf '\n'
        } >>"${job_log}"
    done
    if ! "${words[@]}" --output="${output}" "${work}/job.sh" >"${work}/id" 2>"${work}/error"; then
        read -r -d '' list <"${work}/error" || true
        list="sbatch did not take the job: ${list##*error: } (${words[*]}); see ${config}"
        say "${list}"
        for job in "$@"; do
            log_of "${job}"
            echo "# ${list}" >>"${job_log}"
        done
        [ ${#ids[@]} -eq 0 ] || scancel -Q "${ids[@]}" || true
        exit 1
    fi
    read -r id <"${work}/id"
    id=${id%%;*}
    ids+=("${id}")
    for job in "$@"; do
        waits[${job}]=${id}
        missed[${job}]=0
    done
}

partial=
show_new() {
    while IFS= read -r -u "${shown}" line; do
        line=${partial}${line}
        partial=
        [[ ${line} == '# '* ]] || printf '%s\n' "${line}"
    done
    partial+=${line}
}

# look_at_queue: finds jobs that Slurm has ended, or does not know any more, though they have left no status.
silent=false
ACTIVE="PENDING RUNNING CONFIGURING COMPLETING SUSPENDED REQUEUED REQUEUE_HOLD RESIZING SIGNALING STAGE_OUT STOPPED"
look_at_queue() {
    local id task state reason
    local -A states=() known=()
    for id in "${waits[@]}"; do known[${id}]=1; done
    for id in "${!known[@]}"; do
        if squeue -h -r -t all -j "${id}" -o '%K|%T|%r' >"${work}/queue" 2>"${work}/error"; then
            while IFS='|' read -r task state reason; do
                [[ ${task} =~ ^[0-9]+$ ]] || task=${first}
                states[${id}_${task}]=${state}
                [ "${state}" != PENDING ] || tell_waiting "${id}" "${reason}"
            done <"${work}/queue"
        elif ! grep -q 'Invalid job id' "${work}/error"; then
            [ "${silent}" = true ] || say "Slurm does not answer ($(tail -n 1 "${work}/error")); still waiting"
            silent=true
            return 0
        fi
    done
    silent=false
    # Files of other machines may come late: listing a folder brings them, and Slurm's word is not final at once.
    ls "${work}" >/dev/null
    for job in "${!waits[@]}"; do
        state=${states[${waits[${job}]}_${job}]:-unknown to Slurm}
        if [[ " ${ACTIVE} " == *" ${state} "* ]]; then
            missed[${job}]=0
        else
            missed[${job}]=$((missed[${job}] + 1))
            pause=1
            [ "${missed[${job}]}" -lt 4 ] || result[${job}]=${state/#COMPLETED/0}
        fi
    done
}
declare -A told=()
tell_waiting() {
    [ -z "${told[$1]:-}" ] && [ "${SECONDS}" -ge 60 ] || [ "$2" = PartitionConfig ] || return 0
    [ -n "${told[$1]:-}" ] || say "job $1 waits in the queue: $2"
    told[$1]=1
}

# settle: takes jobs that have ended off those that are waited for.
settle() {
    local status retry=()
    for job in "${!waits[@]}"; do
        log_of "${job}"
        if [ -f "${work}/status.${job}" ] && read -r status <"${work}/status.${job}"; then
            result[${job}]=${status}
        fi
        [ -n "${result[${job}]:-}" ] || continue
        unset "waits[${job}]"
        status=${result[${job}]}
        [ "${status}" != 0 ] || continue
        tail -n 5 "${job_log}" >"${work}/tail"
        if [[ ${status} == OUT_OF_MEMORY ]] || grep -qiE '^slurmstepd.*(exceeded .*memory|oom.kill)' "${work}/tail"; then
            status="took more memory than it had: raise --mem or default mem in ${config}"
        elif [[ ${status} =~ ^[0-9]+$ ]]; then
            status="ended with status ${status}"
            [ -z "${numbered}" ] || [ -n "${again[${job}]:-}" ] || retry+=("${job}")
        elif [[ ${status} == CANCELLED* ]]; then
            status="was cancelled"
        else
            status="was lost (${status})"
            [ -n "${again[${job}]:-}" ] || retry+=("${job}")
        fi
        [[ ${status} == 'ended with'* ]] || printf '# %s at %(%F %T %z)T\n' "${status}" -1 >>"${job_log}"
        if [[ " ${retry[*]} " == *" ${job} "* ]]; then
            say "job ${job} ${status} (${job_log}): submitted once more"
            again[${job}]=true
            rm -f "${work}/status.${job}"
            unset "result[${job}]"
        elif [[ ${status} != 'ended with'* ]]; then
            say "job ${job} ${status} (${job_log})"
        fi
    done
    [ ${#retry[@]} -eq 0 ] || submit_jobs "${retry[@]}"
}

all=()
for ((job = first; job <= last; job++)); do all+=("${job}"); done
if [ "${show}" = true ]; then
    log_of "${first}"
    touch "${job_log}"
    exec {shown}<"${job_log}"
    # What earlier runs have left is not shown.
    cat <&"${shown}" >/dev/null
fi
submit_jobs "${all[@]}"
pause=2
look=$((SECONDS + pause))
while [ ${#waits[@]} -gt 0 ]; do
    sleep 0.3 || true
    [ "${show}" = false ] || show_new
    if [ "${SECONDS}" -ge "${look}" ]; then
        look_at_queue
        # Clusters ask not to be asked often.
        pause=$((pause < 16 ? pause * 2 : 30))
        look=$((SECONDS + pause))
    fi
    settle
done
if [ "${show}" = true ]; then
    show_new
    [ -z "${partial}" ] || echo "${partial}"
fi

failed=()
for job in "${all[@]}"; do
    log_of "${job}"
    [ "${result[${job}]}" = 0 ] || failed+=("${job_log}")
done
tell_failed ${#all[@]} ${failed[@]+"${failed[@]}"}
