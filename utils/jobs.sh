# shellcheck shell=bash disable=SC2154
# Runs the jobs of svs.sh and pitch.sh. To be sourced; train_cmd and cuda_cmd (cmd.sh), logdir, ngpu and threads must
# be set when a job starts.

fail() {
    echo "${0##*/}: error: $*" >&2
    exit 1
}
need_file() { [ -f "$1" ] || fail "$1: no such file; $2"; }
need_dir() { [ -d "$1" ] || fail "$1: no such folder; $2"; }

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

# one LOG COMMAND...: one job, shown as it runs; gpu_one: the same on the GPU runner.
# shellcheck disable=SC2086  # a runner may come with options
one() { call ${train_cmd} --show "${logdir}/$1.log" "${@:2}"; }
# shellcheck disable=SC2086
gpu_one() { OMP_NUM_THREADS=${threads} call ${cuda_cmd} --gpu "${ngpu}" --show "${logdir}/$1.log" "${@:2}"; }
