# shellcheck shell=bash disable=SC2154
# Stages and jobs of svs.sh and pitch.sh. To be sourced with stage, stop_stage and nj set; train_cmd and cuda_cmd
# (cmd.sh), logdir, and of jobs on GPUs ngpu, num_nodes and threads, must be set when a job starts.

fail() {
    echo "${0##*/}: error: $*" >&2
    exit 1
}
need_file() { [ -f "$1" ] || fail "$1: no such file; $2"; }
need_dir() { [ -d "$1" ] || fail "$1: no such folder; $2"; }

announce() { echo "=== stage $1: $2"; }
is_due() { [ "${stage}" -le "$1" ] && [ "${stop_stage}" -ge "$1" ]; }
# whole_numbers OPTION...: fails for one whose value is none.
whole_numbers() {
    local number
    for number in "$@"; do
        [[ ${!number} =~ ^-?[0-9]+$ ]] || fail "--${number//_/-} must be a whole number, not '${!number}'"
    done
}
whole_numbers stage stop_stage nj
# has_stages LAST: fails where none of the stages from -1 on is asked for.
has_stages() {
    [ "${stage}" -le "$1" ] && [ "${stop_stage}" -ge -1 ] && [ "${stage}" -le "${stop_stage}" ] ||
        fail "stages are -1 to $1: --stage ${stage} --stop-stage ${stop_stage} has none"
}
[ "${nj}" -ge 1 ] || fail "--nj must be at least 1, not ${nj}"

# Runs a command so that a signal reaches it at once: bash keeps a trap waiting for a foreground command.
call() {
    local status=0
    "$@" &
    wait "$!" || status=$?
    return "${status}"
}
stop() {
    trap '' INT TERM HUP
    if [ -n "${!:-}" ] && kill -TERM "$!" 2>/dev/null; then
        wait
    fi
    echo "${0##*/}: stopped; run it again to go on" >&2
    exit "$1"
}
trap 'stop 130' INT
trap 'stop 143' TERM
trap 'stop 129' HUP

# count_cpus COMMAND...: sets ${cpus} to the processes that it starts by its option --nj, 1 without.
count_cpus() {
    cpus=1
    while [ $# -gt 1 ]; do
        [ "$1" != --nj ] || cpus=$2
        shift
    done
}
# one LOG COMMAND...: one job, shown as it runs; gpu_one: the same, where --ngpu asks for GPUs, on one of them;
# all_ranks: on all of them.
one() {
    count_cpus "${@:2}"
    # shellcheck disable=SC2086  # a runner may come with options
    call ${train_cmd} --num-threads "${cpus}" --show "${logdir}/$1.log" "${@:2}"
}
gpu_one() {
    count_cpus "${@:2}"
    # shellcheck disable=SC2086
    OMP_NUM_THREADS=${threads} call ${cuda_cmd} --gpu "$((ngpu > 0))" \
        --num-threads "$((cpus > threads ? cpus : threads))" --show "${logdir}/$1.log" "${@:2}"
}
all_ranks() {
    # shellcheck disable=SC2086
    OMP_NUM_THREADS=${threads} call ${cuda_cmd} --gpu "${ngpu}" --num-nodes "${num_nodes}" \
        --num-threads "${threads}" --show "${logdir}/$1.log" "${@:2}"
}
