# shellcheck shell=bash disable=SC2034
# The command line that all runners take, and what they say; utils/run.sh documents both. To be sourced.

usage() {
    echo "usage: $0 [--show] [--gpu N] [--mem GB] [JOB=FIRST:LAST] LOG COMMAND [ARGUMENTS...]" >&2
    exit 1
}

# parse_jobs WORDS...: sets show, hints[NAME]=VALUE of other options, first, last, numbered, log, command.
declare -A hints=()
parse_jobs() {
    show=false
    while [[ ${1:-} == --* ]]; do
        if [ "$1" = --show ]; then
            show=true
        else
            [ $# -ge 2 ] || usage
            local name=${1#--}
            hints[${name//-/_}]=$2
            shift
        fi
        shift
    done
    first=1
    last=1
    numbered=
    case ${1:-} in
    JOB=*)
        [[ $1 =~ ^JOB=([0-9]+)(:([0-9]+))?$ ]] || usage
        first=${BASH_REMATCH[1]}
        last=${BASH_REMATCH[3]:-${first}}
        numbered=true
        shift
        ;;
    esac
    [ $# -ge 2 ] && [ "${last}" -ge "${first}" ] || usage
    log=$1
    command=("${@:2}")
    if [ "${last}" -gt "${first}" ]; then
        [ "${show}" = false ] || usage
        case ${log##*/} in
        *JOB*) ;;
        *)
            echo "$0: several jobs would write one log, ${log}: its name must contain JOB" >&2
            exit 1
            ;;
        esac
    fi
    mkdir -p "$(dirname "${log}")"
}

# log_of JOB: sets job_log.
log_of() {
    local name=${log##*/}
    job_log=${log}
    [ -z "${numbered}" ] || job_log=${log%"${name}"}${name%JOB*}$1${name##*JOB}
}

# command_of JOB: sets job_command.
command_of() {
    local i
    job_command=("${command[@]}")
    [ -n "${numbered}" ] || return 0
    for i in "${!job_command[@]}"; do
        [ "${job_command[i]}" != JOB ] || job_command[i]=$1
    done
}

# tell_failed COUNT LOG...: ends with status 1 where jobs, of so many, failed, and shows the end of the first's log.
tell_failed() {
    [ $# -gt 1 ] || return 0
    echo "$0: $(($# - 1)) of $1 jobs failed; the end of $2:" >&2
    tail -n 12 "$2" | sed 's/^/    /' >&2
    [ $# -eq 2 ] || printf '%s: failed too: %s\n' "$0" "${@:3}" >&2
    exit 1
}
