"""A studio for tests: the toy voice, the real processes, the real application."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

OWN = {"X-Studio": "1"}
NOTES = [(60, "さ", 1.0), (62, "く", 1.0), (64, "ら", 2.0)]


@contextmanager
def studio(voice: Path, folder: Path, *more: Path) -> Iterator:
    """The application's parts, with its processes; the voice in the box can be chosen, too."""
    from nnsvs_lite.studio.app import Studio
    from nnsvs_lite.studio.jobs import Worker
    from nnsvs_lite.studio.voices import KnownVoices, find_voices

    found = find_voices([voice, *more])
    singer = Worker("singer", {"voices": found, "device": "cpu"})
    reader = Worker("reader", {"lang": "ja"})
    try:
        known = KnownVoices(found, singer)
        known.told(known.find(None))
        yield Studio(known, reader, folder)
    finally:
        singer.close()
        reader.close()


def song(notes=NOTES, **more) -> dict:
    """A song in the page's form, from beat 1: (pitch, lyric, beats) each."""
    rows, at = [], 1.0
    for pitch, lyric, beats in notes:
        rows.append({"at": at, "beats": beats, "pitch": pitch, "lyric": lyric})
        at += beats
    value = {
        "title": "さくら",
        "lang": "ja",
        "length": at + 1.0,
        "tempi": [[0.0, 120.0]],
        "bars": [[0.0, 1, 4.0, 0.0]],
        "keys": [[0.0, 0]],
        "notes": rows,
    }
    return value | more


def long_song(notes: int) -> dict:
    """Too long to be sung at once."""
    return song([(60 + i % 7, "ら", 1.0) for i in range(notes)])


def finished(client, job: dict, seconds: float = 60.0) -> dict:
    """Waits until a job is over."""
    late = time.monotonic() + seconds
    while job["state"] in ("waiting", "singing"):
        assert time.monotonic() < late, job
        time.sleep(0.05)
        job = client.get(f"/api/jobs/{job['id']}").json()
    return job
