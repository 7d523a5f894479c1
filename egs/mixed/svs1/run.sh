#!/usr/bin/env bash
# One voice of several corpora, singers and languages, which mixture.yaml names.
#   ./run.sh --stage 0 --stop-stage 6         all of it
#   ./run.sh --mixture FILE                   of another YAML
#   ./run.sh --help                           the other options
set -euo pipefail

fail() {
    echo "run.sh: error: $1" >&2
    exit 1
}

# --mixture is this recipe's own and from where one stands, --nj is of stage 0 too.
mixture=
own=()
options=()
while [ $# -gt 0 ]; do
    case $1 in
    --mixture=* | --nj=*)
        set -- "${1%%=*}" "${1#*=}" "${@:2}"
        continue
        ;;
    --mixture | --nj)
        [ $# -ge 2 ] || fail "option '$1' needs a value"
        if [ "$1" = --nj ]; then
            options+=("$1" "$2")
            own=("$1" "$2")
        else
            mixture=$(realpath "$2")
        fi
        shift
        ;;
    --help | -h)
        printf '%s\n' "  --mixture          YAML that names the corpora (default: mixture.yaml here)" \
            "and those of every recipe:"
        options+=("$1")
        ;;
    *) options+=("$1") ;;
    esac
    shift
done

cd "$(dirname "${BASH_SOURCE[0]}")"
mixture=${mixture:-$(pwd)/mixture.yaml}
exec ./svs.sh --db-root "${mixture}" --title "Mixture $(basename "${mixture%.*}")" --features-config world_24k \
    --acoustic-args "--training.balance 1" --local-data-opts "${own[*]}" -- ${options[@]+"${options[@]}"}
