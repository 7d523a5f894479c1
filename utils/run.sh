#!/usr/bin/env bash
# Runs a command as parallel jobs on this machine and logs each:
#
#   utils/run.sh [--show] [JOB=1:4] log/extract.JOB.log command --job JOB
#
# With JOB=FIRST:LAST, an argument that is JOB, and the last JOB in the log's file name, become the job's number; JOB
# inside another argument or in a folder's name stays as it is. Each log gets the command, host and time, then the command's output, then status and elapsed seconds; a log that exists is continued.
# --show prints the output here as well, comments left out (one job only). A job that fails makes the exit status 1 and the last
# lines of its log are shown. On SIGINT, SIGTERM and SIGHUP the jobs and all that they started are ended.
#
# A runner for another system (utils/slurm.sh) takes the same arguments and keeps these promises; the recipe's option
# --cmd names the runner to use. Options that a runner does not know (--gpu 1) it must accept: they are hints.
set -euo pipefail

# shellcheck source=utils/runner.sh
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/runner.sh"
parse_jobs "$@"

pids=()
logs=()
scratch=$(mktemp -d)
host=$(uname -n)
trap 'rm -rf "${scratch}"' EXIT
# Tells nnsvs-lite that its log has a head and a foot already.
export NNSVS_LITE_LOGGED=1

# Jobs stay in this script's process group, so that whatever ends the group ends them too. On a signal all that they
# have started is ended: by SIGTERM, sent again to what is only just starting and missed it, and after three seconds
# by SIGKILL. Nothing below may use $(...): bash 5.2 fails to parse a trap that arrives while it expands one.
declare -A family=() copiers=()
# find_family: sets family[PID]=START of all processes below this one, but for copiers, and below those found before,
# which may have lost their parents since. With the time of its start, since numbers are used again.
find_family() {
    local file stat pid parent grown=true
    local -A parents=() starts=()
    for file in /proc/[0-9]*/stat; do
        { read -r stat <"${file}"; } 2>/dev/null || continue
        # Behind the name, which may hold anything: state, parent, ..., start.
        read -r -a stat <<<"${stat##*) }"
        pid=${file//[!0-9]/}
        [ "${stat[0]}" = Z ] || parents[${pid}]=${stat[1]} starts[${pid}]=${stat[19]}
    done
    for pid in "${!family[@]}"; do
        [ "${starts[${pid}]:-}" = "${family[${pid}]}" ] || unset "family[${pid}]"
    done
    while [ "${grown}" = true ]; do
        grown=false
        for pid in "${!parents[@]}"; do
            parent=${parents[${pid}]}
            if [ -z "${family[${pid}]:-}${copiers[${pid}]:-}" ] &&
                { [ "${parent}" = $$ ] || [ -n "${family[${parent}]:-}" ]; }; then
                family[${pid}]=${starts[${pid}]}
                grown=true
            fi
        done
    done
}
stop_jobs() {
    trap '' INT TERM HUP
    local one tries sent=-1 end=$((SECONDS + 3))
    while find_family && [ ${#family[@]} -gt 0 ] && [ "${SECONDS}" -lt "${end}" ]; do
        [ "${sent}" -eq "${SECONDS}" ] || kill -TERM "${!family[@]}" 2>/dev/null || true
        sent=${SECONDS}
        sleep 0.1 || true
    done
    [ ${#family[@]} -eq 0 ] || kill -KILL "${!family[@]}" 2>/dev/null || true
    if [ ${#copiers[@]} -gt 0 ]; then
        # They end with what they copy, unless somebody else has got hold of it.
        for ((tries = 0; tries < 15; tries++)); do
            kill -0 "${!copiers[@]}" 2>/dev/null || break
            sleep 0.1 || true
        done
        kill -KILL "${!copiers[@]}" 2>/dev/null || true
    fi
    wait
    for one in ${logs[@]+"${logs[@]}"}; do
        printf '# stopped by a signal at %(%F %T %z)T\n' -1 >>"${one}"
    done
    exit "$1"
}
trap 'stop_jobs 130' INT
trap 'stop_jobs 143' TERM
trap 'stop_jobs 129' HUP

for ((job = first; job <= last; job++)); do
    log_of "${job}"
    command_of "${job}"
    {
        printf '#'
        printf ' %q' "${job_command[@]}"
        printf '\n# started at %(%F %T %z)T on %s\n' -1 "${host}"
    } >>"${job_log}"
    logs+=("${job_log}")
    if [ "${show}" = true ]; then
        mkfifo "${scratch}/output" "${scratch}/shown"
        tee -a "${job_log}" <"${scratch}/output" >"${scratch}/shown" &
        copiers[$!]=1
        grep --line-buffered -v '^# ' <"${scratch}/shown" &
        copiers[$!]=1
        "${job_command[@]}" >"${scratch}/output" 2>&1 </dev/null &
    else
        "${job_command[@]}" >>"${job_log}" 2>&1 </dev/null &
    fi
    pids+=("$!")
done

failed=()
for i in "${!pids[@]}"; do
    status=0
    wait "${pids[i]}" || status=$?
    for copier in "${!copiers[@]}"; do wait "${copier}" || true; done
    printf '# ended with status %s at %(%F %T %z)T after %s s\n' "${status}" -1 "${SECONDS}" >>"${logs[i]}"
    [ "${status}" -eq 0 ] || failed+=("${logs[i]}")
done

tell_failed ${#pids[@]} ${failed[@]+"${failed[@]}"}
