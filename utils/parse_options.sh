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

_option_names=()
_option_helps=()
while IFS=$'\t' read -r _name _help; do
    _option_names+=("${_name}")
    _option_helps+=("${_help}")
done < <(awk '
    /^# Options/ { inside = 1 }
    /parse_options\.sh/ { exit }
    inside && /^[a-z_]+=.*  # / { name = $0; sub(/=.*/, "", name); help = $0; sub(/^.*  # /, "", help); print name "\t" help }
' "${BASH_SOURCE[1]}")

_print_options() {
    local i
    printf 'usage: %s [options]\n\n%s\n\n' "${0##*/}" "${description:-}"
    for i in "${!_option_names[@]}"; do
        printf '  --%-18s %s (default: %s)\n' "${_option_names[i]//_/-}" "${_option_helps[i]}" "${!_option_names[i]:-none}"
    done
    printf '  --%-18s %s\n' help "prints this text"
}

# Prints the known option with the smallest edit distance to "$1", if it is near at all.
_nearest_option() {
    printf '%s\n' "${_option_names[@]//_/-}" help | awk -v word="${1//_/-}" '
        function min(a, b) { return a < b ? a : b }
        function distance(a, b,    i, j, d) {
            for (i = 0; i <= length(a); i++) d[i, 0] = i
            for (j = 0; j <= length(b); j++) d[0, j] = j
            for (i = 1; i <= length(a); i++)
                for (j = 1; j <= length(b); j++)
                    d[i, j] = min(min(d[i - 1, j], d[i, j - 1]) + 1,
                                  d[i - 1, j - 1] + (substr(a, i, 1) != substr(b, j, 1)))
            return d[length(a), length(b)]
        }
        { n = distance(word, $0); if (best == "" || n < least) { least = n; best = $0 } }
        END { if (least <= length(word) / 2) print best }'
}

_refuse() {
    echo "${0##*/}: error: $1; ${0##*/} --help lists the options" >&2
    exit 1
}

while [ $# -gt 0 ]; do
    case $1 in
    --help | -h)
        _print_options
        exit 0
        ;;
    --?*) ;;
    *) _refuse "unexpected argument '$1'" ;;
    esac
    _name=${1#--}
    _name=${_name%%=*}
    _found=
    for _known in "${_option_names[@]}"; do
        [ "${_known}" != "${_name//-/_}" ] || _found=${_known}
    done
    if [ -z "${_found}" ]; then
        _near=$(_nearest_option "${_name}")
        _refuse "unknown option '--${_name}'${_near:+ (did you mean --${_near}?)}"
    fi
    case $1 in
    *=*) printf -v "${_found}" '%s' "${1#*=}" ;;
    *)
        [ $# -ge 2 ] || _refuse "option '--${_name}' needs a value"
        printf -v "${_found}" '%s' "$2"
        shift
        ;;
    esac
    shift
done
