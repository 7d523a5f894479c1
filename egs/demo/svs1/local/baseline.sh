#!/usr/bin/env bash
# Stage 5: the HMM singing synthesiser of 2010 sings the test songs with the voice that made the corpus.
set -euo pipefail

# Options
data=data/eval  # data dir to sing
out=exp/hts_voice/eval  # decode folder to write
sample_rate=24000  # Hz
description="Sings a data dir with the HTS voice alone: its own times, F0 and spectra."
. utils/parse_options.sh

nnsvs-lite demo-corpus --hts-voice "${data}" --out "${out}" --sample-rate "${sample_rate}"
