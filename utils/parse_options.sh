#!/usr/bin/env bash
# Options by name for shell scripts. To be sourced, with "$@" still holding the script's arguments:
#
#   # Options
#   stage=0  # first stage to run
#   nj=2     # parallel jobs
#   description="What the script does."
#   . utils/parse_options.sh
#
# Every line "name=value  # help" between "# Options" and the sourcing declares an option; it must be set by
# then. --stop-stage 3, --stop_stage 3 and --stop-stage=3 are the same; of an option given twice the last one
# counts; --help prints all options with their values; an unknown option, or one without its value, ends the
# script with status 1. No other arguments are taken.
#
# A script that calls this one puts its own values before a lone --, and what its user wrote after it: the
# user's win. Own values after --when NAME=VALUE hold only where option NAME has that value in the end:
#
#   exec ./svs.sh --db-root a --when train_set=train_multi --db-root b -- "$@"

_option_names=()
declare -A _helps=() _given=()
while IFS=$'\t' read -r _name _help; do
    _option_names+=("${_name}")
    _helps[${_name}]=${_help}
done < <(awk '
    /^# Options/ { inside = 1 }
    /parse_options\.sh/ { exit }
    inside && /^[a-z_0-9]+=.*  # / { name = $0; sub(/=.*/, "", name); help = $0; sub(/^.*  # /, "", help); print name "\t" help }
' "${BASH_SOURCE[1]}")

_print_options() {
    local name
    printf 'usage: %s [options]\n\n%s\n\n' "${0##*/}" "${description:-}"
    for name in "${_option_names[@]}"; do
        printf '  --%-18s %s (default: %s)\n' "${name//_/-}" "${_helps[${name}]}" "${!name:-none}"
    done
    printf '  --%-18s %s\n' help "prints this text"
}

_refuse() {
    echo "${0##*/}: error: $1; ${0##*/} --help lists the options" >&2
    exit 1
}

# _know WORD: sets _name to the option that WORD is a spelling of.
_know() {
    _name=${1//-/_}
    [ -z "${_helps[${_name:-?}]+known}" ] || return 0
    local near
    near=$(python3 -c 'import difflib, sys; print(*difflib.get_close_matches(sys.argv[1], sys.argv[2:], 1))' \
        "${_name}" "${_option_names[@]}" help 2>/dev/null) || near=
    _refuse "unknown option '--$1'${near:+ (did you mean --${near//_/-}?)}"
}

# _take WORD...: reads one option into _name and _value; _taken is the number of its words.
_take() {
    local word=${1#--}
    [[ $1 == --?* ]] || _refuse "unexpected argument '$1'"
    _know "${word%%=*}"
    _value=${word#*=}
    _taken=1
    [[ ${word} != *=* ]] || return 0
    [ $# -ge 2 ] || _refuse "option '--${word}' needs a value"
    _value=$2
    _taken=2
}

_own=()
for ((_i = 1; _i <= $#; _i++)); do
    if [ "${!_i}" = -- ]; then
        _own=("${@:1:_i-1}")
        shift "${_i}"
        break
    fi
done

_asked=false
while [ $# -gt 0 ]; do
    _taken=1
    case $1 in
    --help | -h) _asked=true ;;
    *)
        _take "$@"
        _given[${_name}]=${_value}
        ;;
    esac
    shift "${_taken}"
done

_holds=true
set -- ${_own[@]+"${_own[@]}"}
while [ $# -gt 0 ]; do
    if [ "$1" = --when ]; then
        _know "${2%%=*}"
        _taken=2
        _holds=false
        if [ "${_given[${_name}]-${!_name}}" = "${2#*=}" ]; then
            _holds=true
            printf -v "${_name}" '%s' "${2#*=}"
        fi
    else
        _take "$@"
        [ "${_holds}" = false ] || printf -v "${_name}" '%s' "${_value}"
    fi
    shift "${_taken}"
done

for _name in "${_option_names[@]}"; do
    [ -z "${_given[${_name}]+given}" ] || printf -v "${_name}" '%s' "${_given[${_name}]}"
done
if [ "${_asked}" = true ]; then
    _print_options
    exit 0
fi
