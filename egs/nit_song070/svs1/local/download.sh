#!/usr/bin/env bash
# Stage -1: fetches the corpus (CC BY 3.0) into the folder $1, unless it is there.
set -euo pipefail

url=http://hts.sp.nitech.ac.jp/archives/2.3/HTS-demo_NIT-SONG070-F001.tar.bz2
name=HTS-demo_NIT-SONG070-F001

if [ $# -ne 1 ]; then
    echo "usage: local/download.sh DB_ROOT" >&2
    exit 1
fi
db_root=$1

shopt -s nullglob
for folder in "${db_root}/${name}/data/labels/full" "${db_root}/data/labels/full" "${db_root}/labels/full" "${db_root}"; do
    labels=("${folder}"/nitech_jp_song070_f001_*.lab)
    if [ "${#labels[@]}" -gt 0 ]; then
        echo "${db_root} holds the corpus (${#labels[@]} songs): nothing to download."
        exit 0
    fi
done

by_hand() {
    echo "download.sh: error: $1" >&2
    echo "Fetch it on a machine with a network:" >&2
    echo "    ${url}" >&2
    echo "unpack it with tar -xjf, and either move the folder ${name} to" >&2
    echo "    $(readlink -m "${db_root}")/${name}" >&2
    echo "or name the place where it lies: ./run.sh --stage 0 --db-root FOLDER" >&2
    exit 1
}

mkdir -p "${db_root}"
archive=${db_root}/${name}.tar.bz2
partial=${archive}.part
if [ ! -f "${archive}" ]; then
    if command -v curl >/dev/null; then
        curl --fail --location --show-error --silent --connect-timeout 20 --continue-at - \
            --output "${partial}" "${url}" || by_hand "could not download ${url}"
    elif command -v wget >/dev/null; then
        wget --quiet --timeout 20 --tries 2 --continue --output-document "${partial}" "${url}" ||
            by_hand "could not download ${url}"
    else
        by_hand "neither curl nor wget is installed"
    fi
    mv "${partial}" "${archive}"
fi

# Unpacked beside its place and moved when whole.
unpacked=${db_root}/.unpack.$$
trap 'rm -rf "${unpacked}"' EXIT
mkdir -p "${unpacked}"
if ! tar -xjf "${archive}" -C "${unpacked}"; then
    rm -f "${archive}"
    by_hand "the archive is damaged; it was removed"
fi
[ -d "${unpacked}/${name}/data" ] || by_hand "the archive holds no ${name}/data"
mv "${unpacked}/${name}" "${db_root}/${name}"
echo "downloaded to ${db_root}/${name}"
