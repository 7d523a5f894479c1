#!/usr/bin/env bash
# A voice of your own recordings: a folder of audio files, each with a score (or its lyrics) of the same name.
#   ./run.sh --db-root FOLDER --lang ja                   all stages
#   ./run.sh --db-root FOLDER --lang ja --speaker mei     the singer's name, if not "me"
#   ./run.sh --help                                       the other options
set -euo pipefail

fail() {
    echo "run.sh: error: $1" >&2
    exit 1
}

# --lang and --speaker are this recipe's own, --nj is of stage 0 too; a folder is named from where one stands.
own=()
options=()
while [ $# -gt 0 ]; do
    case $1 in
    --lang=* | --speaker=* | --nj=* | --local-data-opts=* | --db-root=* | --db_root=*)
        set -- "${1%%=*}" "${1#*=}" "${@:2}"
        continue
        ;;
    --lang | --speaker | --nj)
        [ $# -ge 2 ] || fail "option '$1' needs a value"
        [ "$1" != --nj ] || options+=("$1" "$2")
        [[ $2 =~ ^[A-Za-z0-9._-]+$ ]] || fail "$1 is made of letters, digits, '.', '_' and '-', not '$2'"
        own+=("$1" "$2")
        shift
        ;;
    --local-data-opts | --local_data_opts)
        [ $# -ge 2 ] || fail "option '$1' needs a value"
        own+=("$2")
        shift
        ;;
    --db-root | --db_root)
        [ $# -ge 2 ] || fail "option '$1' needs a value"
        [ -d "$2" ] || fail "$2: no such folder; --db-root names one with your recordings"
        options+=("--db-root" "$(realpath "$2")")
        shift
        ;;
    --help | -h)
        printf '%s\n' "  --lang             language of the words, such as ja; stage 0 needs it" \
            "  --speaker          id of the singer (default: me)" "and those of every recipe:"
        options+=("$1")
        ;;
    *) options+=("$1") ;;
    esac
    shift
done

cd "$(dirname "${BASH_SOURCE[0]}")"
exec ./svs.sh --db-root recordings --title "My voice" --features-config world_48k \
    --local-data-opts "${own[*]}" -- ${options[@]+"${options[@]}"}
