#!/usr/bin/env bash
# Makes an environment of its own for the Montreal Forced Aligner, in tools/mfa.
#   tools/install_mfa.sh [--version 3.4.3] [--prefix tools/mfa]
# MFA needs Kaldi's libraries, which conda-forge has and PyPI has not; so this needs
# conda, mamba or micromamba, and a network. Run again, it changes nothing.
set -euo pipefail

version=3.4.3
prefix="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/mfa"
while [ $# -gt 0 ]; do
    case "$1" in
        --version) version="${2:?--version needs a value}"; shift 2 ;;
        --prefix) prefix="${2:?--prefix needs a value}"; shift 2 ;;
        -h | --help) sed -n '2,5s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
        *) echo "install_mfa.sh: error: unknown option '$1' (known: --version, --prefix)" >&2; exit 1 ;;
    esac
done

root=$(mktemp -d)
trap 'rm -rf "${root}"' EXIT
# Prints its version, if it starts and has the programs that it calls by name; what it writes goes to no home.
whole() {
    local name
    for name in compute-mfcc-feats fstcompile; do
        [ -x "${prefix}/bin/${name}" ] || { echo "install_mfa.sh: ${prefix}/bin/${name} is missing" >&2; return 1; }
    done
    PATH=${prefix}/bin:${PATH} MFA_ROOT_DIR=${root} "${prefix}/bin/mfa" version
}

if [ -x "${prefix}/bin/mfa" ] && found=$(whole); then
    echo "mfa ${found} is there already: ${prefix}"
    exit 0
elif [ -e "${prefix}" ]; then
    # Left by an install that was killed, or damaged: only an environment of conda's is removed.
    if [ ! -d "${prefix}/conda-meta" ]; then
        echo "install_mfa.sh: error: ${prefix} exists and is no environment; name another --prefix" >&2
        exit 1
    fi
    echo "the environment in ${prefix} is not whole; it is made again"
    rm -rf "${prefix}"
fi

conda=""
for name in micromamba mamba conda; do
    if command -v "${name}" > /dev/null; then
        conda="${name}"
        break
    fi
done
if [ -z "${conda}" ]; then
    cat >&2 <<'HELP'
install_mfa.sh: error: none of micromamba, mamba and conda is installed.
  Either install micromamba, one file (https://mamba.readthedocs.io), and run this again:
      "${SHELL}" <(curl -L micro.mamba.pm/install.sh)
  or, where another machine has MFA, name its command in conf/mfa/mfa.yaml (mfa: command:),
  or do without: --align-config score needs no aligner, --align-config viter has its own
HELP
    exit 1
fi

echo "making ${prefix} with ${conda}: montreal-forced-aligner ${version} (about 3 GB, some minutes)"
if ! "${conda}" create --yes --prefix "${prefix}" --channel conda-forge --override-channels \
    "montreal-forced-aligner=${version}"; then
    echo "install_mfa.sh: error: ${conda} could not make the environment (see above); is there a network?" >&2
    exit 1
fi
if ! found=$(whole); then
    echo "install_mfa.sh: error: mfa does not start in ${prefix}, or lacks programs" >&2
    exit 1
fi
echo "mfa ${found} is ready; use it with --align-config mfa"
