"""Writes scores as projects of OpenUtau (USTX) and Synthesizer V Studio (SVP), with what is drawn on them."""

import json
import uuid
from collections.abc import Sequence
from typing import Any

from nnsvs_lite.score.formats.written import Placed, Written, thinned
from nnsvs_lite.score.lyrics import split_hint
from nnsvs_lite.score.types import Score

TICKS, BLICKS = 480, 705_600_000
"""To a quarter note, of USTX and of SVP."""
_STEP = 5
"""Ticks of USTX from one number of a curve to the next."""
_USUAL = 60
"""Pitch of a breath."""
_NAMESPACE = uuid.UUID(int=0)
_STILL = {"tF0Offset": 0.0, "tF0Left": 0.0, "tF0Right": 0.0, "dF0Left": 0.0, "dF0Right": 0.0, "dF0Vbr": 0.0}
"""A note of SVP that moves only as is drawn."""


def ustx(scores: Sequence[Score]) -> bytes:
    """An OpenUtau project, in UTF-8, with a track for each score; tempo and bars are those of the first.

    Pitch is drawn as ``pitd`` (cents, up to an octave off the note), changes of loudness as ``dyn`` (tenths
    of a dB, -24 to 12 dB).
    """
    import yaml

    head = Written(scores[0], TICKS)
    value = {
        "name": scores[0].title,
        "comment": "",
        "output_dir": "Vocal",
        "cache_dir": "UCache",
        "ustx_version": "0.6",
        "resolution": TICKS,
        "bpm": head.tempi[0][1],
        "beat_per_bar": head.bars[0][2][0],
        "beat_unit": head.bars[0][2][1],
        "time_signatures": [
            {"bar_position": bar, "beat_per_bar": top, "beat_unit": low} for bar, _, (top, low) in head.bars
        ],
        "tempos": [{"position": tick, "bpm": bpm} for tick, bpm in head.tempi],
        "expressions": {
            abbr: {"name": name, "abbr": abbr, "type": "Curve", "min": low, "max": high, "default_value": 0,
                   "is_flag": False, "flag": ""}
            for abbr, name, low, high in (
                ("dyn", "dynamics (curve)", -240, 120),
                ("pitd", "pitch deviation (curve)", -1200, 1200),
            )
        },
        "tracks": [
            {"phonemizer": "OpenUtau.Core.DefaultPhonemizer", "track_name": score.title or f"Track {number}",
             "mute": False, "solo": False, "volume": 0}
            for number, score in enumerate(scores, 1)
        ],
        "voice_parts": [_voice_part(Written(score, TICKS), number) for number, score in enumerate(scores)],
        "wave_parts": [],
    }  # fmt: skip
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text = yaml.dump(
        value, Dumper=dumper, allow_unicode=True, sort_keys=False, default_flow_style=None, width=1 << 20
    )
    return text.encode()


def _voice_part(written: Written, track: int) -> dict[str, Any]:
    dyn = written.curve("loudness_change", _STEP)
    curves = (
        ("pitd", *written.pitch_curve(_STEP), 1.0, 1200),
        ("dyn", *dyn, 10.0, 240),
    )
    drawn = [
        {"xs": points[0], "ys": [int(y) for y in points[1]], "abbr": abbr}
        for abbr, xs, ys, unit, most in curves
        for points in [thinned(xs, (ys * unit).round().clip(-most, most), 0.5)]
        if any(points[1])
    ]
    return {
        "duration": written.tick(written.song.length),
        "name": written.song.title or "Voice",
        "comment": "",
        "track_no": track,
        "position": 0,
        "notes": [_ustx_note(row) for row in written.notes],
        "curves": drawn,
    }


def _ustx_note(row: Placed) -> dict[str, Any]:
    return {
        "position": row.start,
        "duration": row.end - row.start,
        "tone": row.note.pitch or _USUAL,
        "lyric": row.note.lyric or "+~",
        "pitch": {
            "data": [{"x": x, "y": 0, "shape": "l"} for x in (0, 1)],
            "snap_first": False,
        },
        "vibrato": {"length": 0, "period": 175, "depth": 25, "in": 10, "out": 10, "shift": 0, "drift": 0},
        "phoneme_expressions": [],
        "phoneme_overrides": [],
    }


def svp(scores: Sequence[Score]) -> bytes:
    """A Synthesizer V Studio project with a track for each score; tempo and bars are those of the first.

    Pitch is drawn as ``pitchDelta`` (cents) on notes that do not move by themselves, changes of loudness as
    ``loudness`` (dB). Phones that stand behind a lyric are the note's ``phonemes``.
    """
    head = Written(scores[0], BLICKS)
    value = {
        "version": 113,
        "time": {
            "meter": [{"index": n, "numerator": top, "denominator": low} for n, _, (top, low) in head.bars],
            "tempo": [{"position": tick, "bpm": bpm} for tick, bpm in head.tempi],
        },
        "library": [],
        "tracks": [_svp_track(Written(score, BLICKS), number) for number, score in enumerate(scores)],
        "renderConfig": {"destination": "./", "filename": "untitled", "numChannels": 1,
                         "aspirationFormat": "noAspiration", "bitDepth": 16, "sampleRate": 44100,
                         "exportMixDown": True},
    }  # fmt: skip
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\0"


def _svp_track(written: Written, number: int) -> dict[str, Any]:
    step = _STEP * BLICKS // TICKS
    drawn = {
        "pitchDelta": (*written.pitch_curve(step), 1, 0.5),
        "loudness": (*written.curve("loudness_change", step), 2, 0.05),
    }
    points = {name: thinned(xs, ys.round(digits), off) for name, (xs, ys, digits, off) in drawn.items()}
    name = f"{written.song.title or 'Track'} {number + 1}"
    # The same score is written as the same bytes.
    main = str(uuid.uuid5(_NAMESPACE, name))
    still = _STILL if any(points["pitchDelta"][1]) else {}
    notes = [
        {
            "onset": row.start,
            "duration": row.end - row.start,
            "lyrics": lyric or "".join(phones) or "-",
            "phonemes": " ".join(phones),
            "pitch": row.note.pitch or _USUAL,
            "detune": 0,
            "attributes": still,
        }
        for row in written.notes
        for lyric, phones in [split_hint(row.note.lyric, written.score.lang)]
    ]
    parameters = {
        key: {"mode": "linear", "points": [n for point in zip(*points.get(key, ([], []))) for n in point]}
        for key in ("pitchDelta", "vibratoEnv", "loudness", "tension", "breathiness", "voicing", "gender")
    }
    reference = {"groupID": main, "blickOffset": 0, "pitchOffset": 0, "isInstrumental": False}
    return {
        "name": written.song.title or f"Track {number + 1}",
        "dispColor": "ff7db235",
        "dispOrder": number,
        "renderEnabled": False,
        "mixer": {"gainDecibel": 0.0, "pan": 0.0, "mute": False, "solo": False, "display": True},
        "mainGroup": {"name": "main", "uuid": main, "parameters": parameters, "notes": notes},
        "mainRef": reference,
        "groups": [],
    }
