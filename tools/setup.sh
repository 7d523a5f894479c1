#!/usr/bin/env bash
# Installs the toolkit into a virtual environment: the active one, or .venv in the repository.
# Run by make before every target; returns at once when nothing changed since it last ran.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
venv=${VIRTUAL_ENV:-${root}/.venv}
python=${venv}/bin/python
stamp=${venv}/.nnsvs_lite.installed
torch=$(grep -E '^torch==' constraints.txt)

fail() {
    echo "setup: $*" >&2
    exit 1
}

say() { echo "setup: $*"; }

# Exit status 0 where "$1" is a Python that the toolkit runs on.
suits() {
    "$1" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null
}

find_python() {
    local candidate
    for candidate in python3.11 python3 python python3.12 python3.13 python3.10; do
        if command -v "${candidate}" >/dev/null && suits "${candidate}"; then
            command -v "${candidate}"
            return
        fi
    done
    fail "Python 3.11 is missing (3.10, 3.12 and 3.13 will do): install it, so that 'python3.11' runs, and try again"
}

make_venv() {
    local base
    base=$(find_python)
    say "$("${base}" --version) at ${base} makes ${venv}"
    "${base}" -c 'import venv, ensurepip' 2>/dev/null ||
        fail "${base} cannot make virtual environments: its modules venv and ensurepip are missing (Debian: apt install python3-venv)"
    rm -rf "${venv}"
    "${base}" -m venv "${venv}"
}

# What the installed state depends on; the checkout's place counts, since the install is editable.
state() { cat setup.cfg pyproject.toml constraints.txt tools/setup.sh <(echo "${root}") | cksum; }

if [ -n "${VIRTUAL_ENV:-}" ]; then
    [ -x "${python}" ] || fail "VIRTUAL_ENV names ${venv}, where there is no bin/python: run 'deactivate' and try again"
    suits "${python}" || fail "the active environment ${venv} has $("${python}" --version 2>&1); Python 3.10 to 3.13 is needed"
elif [ ! -x "${python}" ] || ! suits "${python}" || ! "${python}" -m pip --version >/dev/null 2>&1; then
    make_venv
fi

[ "$(cat "${stamp}" 2>/dev/null)" != "$(state)" ] || exit 0
rm -f "${stamp}"
started=${SECONDS}

pip_install() { "${python}" -m pip install --quiet --disable-pip-version-check --no-build-isolation "$@"; }

have() {
    "${python}" - "$@" <<'END'
import importlib.metadata as metadata
import sys

for name in sys.argv[1:]:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        sys.exit(1)
END
}

# pysptk and pysinsy (extras sptk and sinsy) come as source: they need a compiler, Python's headers, and a setuptools
# that still has pkg_resources. Builds see the environment itself (--no-build-isolation), since the way to
# constrain an isolated build differs between releases of pip.
if ! have pysptk pysinsy; then
    command -v "${CXX:-c++}" >/dev/null || command -v g++ >/dev/null ||
        fail "a C++ compiler is missing: install one (Debian: apt install g++; macOS: xcode-select --install) and try again"
    "${python}" -c 'import pathlib, sys, sysconfig
sys.exit(not (pathlib.Path(sysconfig.get_paths()["include"]) / "Python.h").is_file())' ||
        fail "Python.h is missing beside ${python}: install Python's headers (Debian: apt install python3-dev) and try again"
fi

say "1/3 build tools"
pip_install -c constraints.txt 'setuptools<81' wheel cython numpy
# torch comes by itself, before anything that needs it: no other step may choose another build of it.
say "2/3 ${torch} (the largest download)"
pip_install "${torch}"
say "3/3 everything else; two packages are compiled, which takes a minute or two"
pip_install -c constraints.txt -e '.[all]'
"${python}" -m pip check --disable-pip-version-check >/dev/null || "${python}" -m pip check || true

state >"${stamp}"
say "ready in ${venv} after $((SECONDS - started)) s"
