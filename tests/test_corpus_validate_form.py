"""Faults of form: headers that lie, marks and line ends, ids that are paths, absurd numbers."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from test_corpus_validate import RATE, Seed, append, data, edit, note, wav

from nnsvs_lite.corpus.validate import validate

__all__ = ["data"]


def patch(path: Path, at: int, value: int) -> None:
    """Changes one byte of a file."""
    content = bytearray(path.read_bytes())
    content[at] = value
    path.write_bytes(content)


SEEDS = {
    "8 bits": Seed(
        lambda d: soundfile.write(wav(d, 36), np.zeros(2 * RATE), RATE, subtype="PCM_U8"),
        "wav.scp",
        "bo_036: samples of 8 bits",
    ),
    "8 bits, not linear": Seed(
        lambda d: soundfile.write(wav(d, 36), np.zeros(2 * RATE), RATE, subtype="ULAW"),
        "wav.scp",
        "bo_036: samples of 8 bits",
    ),
    "header that contradicts itself": Seed(
        lambda d: patch(wav(d, 37), 34, 24),
        "wav.scp",
        "bo_037: the header contradicts itself: 1 channels of 24",
    ),
    "header that states too little": Seed(
        lambda d: wav(d, 38).write_bytes(wav(d, 38).read_bytes() + bytes(RATE)),
        "wav.scp",
        "bo_038: the header states 32000 bytes of samples, 8000 bytes more",
    ),
    "wav is a FIFO": Seed(
        lambda d: (wav(d, 39).unlink(), os.mkfifo(wav(d, 39))), "wav.scp", "bo_039.*not a regular file"
    ),
    "wav is a device": Seed(
        lambda d: edit(d, "wav.scp", 40, lambda x: "bo_040 /dev/zero"),
        "wav.scp",
        "bo_040.*not a regular file",
    ),
    "NUL": Seed(
        lambda d: edit(d, "text", 41, lambda x: x + "\0"),
        "text",
        r"control character U\+0000; nnsvs-lite data",
    ),
    "line separator": Seed(
        lambda d: edit(d, "text", 42, lambda x: x + "\u2028い"), "text", r"control character U\+2028"
    ),
    "CR inside a line": Seed(
        lambda d: edit(d, "utt2lang", 43, lambda x: x + "\rbo_043a ja"),
        "utt2lang",
        "CRLF or CR line ends, in 1",
    ),
    "byte order mark": Seed(
        lambda d: (d / "utt2lang").write_bytes(b"\xef\xbb\xbf" + (d / "utt2lang").read_bytes()),
        "utt2lang",
        "byte order mark",
    ),
    "id with a path": Seed(lambda d: append(d, "text", "../../x か\n"), "text", "'../../x' is no id"),
    "speaker with a path": Seed(
        lambda d: edit(d, "utt2spk", 44, lambda x: "bo_044 /bo"), "utt2spk", "bo_044: speaker '/bo' is no id"
    ),
    "recording with a path": Seed(
        lambda d: edit(d, "segments", 45, lambda x: "bo_045 ../bo 0 2"), "segments", "'../bo' is no id"
    ),
    "infinite pitch": Seed(
        lambda d: edit(d, "score", 46, lambda x: x.replace('"pitch": 60', '"pitch": 1e999')),
        "score",
        "bo_046: not a sc",
    ),
    "absurd time": Seed(lambda d: note(d, 47, 3, end=1e300), "score", "bo_047: note 4: end is too large"),
    "deep JSON": Seed(
        lambda d: edit(d, "score", 48, lambda x: "bo_048 " + '{"notes": ' + "[" * 100_000),
        "score",
        "bo_048: not a score",
    ),
}


@pytest.mark.parametrize("name", SEEDS)
def test_each_fault_is_found(data, name):
    seed = SEEDS[name]
    seed.make(data)
    faults = validate(data)
    assert seed.found(faults), "\n".join(map(str, faults))
    assert len(faults) <= 8, "\n".join(map(str, faults))


def test_other_chunks_and_layouts_are_no_fault(data):
    """Lists after the samples, an odd number of bytes with its padding, float and extensible formats."""
    wav(data, 0).write_bytes(wav(data, 0).read_bytes() + b"LIST\x04\0\0\0INFO" + b"id3 \x03\0\0\0abc\0")
    for i, subtype in enumerate(("PCM_24", "PCM_32", "FLOAT", "DOUBLE"), start=1):
        soundfile.write(wav(data, i), np.zeros(2 * RATE), RATE, subtype=subtype)
    soundfile.write(wav(data, 5), np.zeros(2 * RATE), RATE, subtype="PCM_24", format="WAVEX")
    soundfile.write(wav(data, 6), np.zeros(2 * RATE), RATE, format="FLAC")
    assert validate(data) == []
