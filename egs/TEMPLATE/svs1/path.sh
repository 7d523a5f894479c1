# shellcheck shell=bash
# The environment of a recipe; svs.sh sources it in the recipe's folder.

# The real path of this file, since recipes link to it.
NNSVS_LITE_ROOT=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../../.." && pwd -P)
export NNSVS_LITE_ROOT

# The active virtual environment if it has the toolkit, else the one that make set up.
for _bin in "${VIRTUAL_ENV:+${VIRTUAL_ENV}/bin}" "${NNSVS_LITE_ROOT}/.venv/bin"; do
    if [ -n "${_bin}" ] && [ -x "${_bin}/nnsvs-lite" ]; then
        PATH=${_bin}:${PATH}
        break
    fi
done
export PATH
if ! command -v nnsvs-lite >/dev/null; then
    echo "path.sh: nnsvs-lite is not installed: run 'make setup' in ${NNSVS_LITE_ROOT}" >&2
    exit 1
fi

# Sorting by bytes, whatever the user's language; text is UTF-8.
export LC_ALL=C
export PYTHONUTF8=1
# Parallel jobs compute on one thread each; svs.sh gives training and inference more.
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
# Threads that wait must not burn the time of other programs on the machine.
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-PASSIVE}
export MPLBACKEND=Agg
