"""Pitch and loudness that editors' files draw: by formula what each editor makes of them."""

import json

import numpy as np
import pytest
import scorefiles

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.leftout import listening
from nnsvs_lite.score.change import change
from nnsvs_lite.score.drawn import STEP
from nnsvs_lite.score.formats.readers import read_score
from nnsvs_lite.score.formats.writers import write_score

SONG = scorefiles.tune("r 1, 60 1 か, 62 2 き, r 1, 64 1 く, 60 1 け")
"""At 120 quarter notes a minute: notes from 0.5, 1, 2.5 and 3 s on, the last until 3.5 s."""
TIME = np.arange(round(4 / STEP) + 1) * STEP
A, B, C, D = ((a - 1e-9 <= TIME) & (b - 1e-9 > TIME) for a, b in ((0.5, 1), (1, 2), (2.5, 3), (3, 3.5)))


def drawn(tmp_path, name, data):
    path = tmp_path / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    found = read_score(path, phones=False).drawn
    if found is not None:
        assert {len(v) for v in (found.pitch, *found.curves.values()) if v is not None} == {len(TIME)}
    return found


def ustx(*changes):
    text = scorefiles.ustx(SONG).decode()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    return text


def curves(*rows):
    return ("curves: []", "curves:\n" + "".join(f"  - {json.dumps(row)}\n" for row in rows))


def svp(attributes=None, notes=None, **parameters):
    value = json.loads(scorefiles.svp(SONG).rstrip(b"\0"))
    track = value["tracks"][0]
    track["mainGroup"]["notes"] = [
        {"onset": int(s * 705_600_000), "duration": int(d * 705_600_000), "lyrics": y, "pitch": p,
         "attributes": (attributes or {}).get(i, {}), **(notes or {}).get(i, {})}
        for i, (s, d, p, y) in enumerate(SONG.notes)
    ]  # fmt: skip
    track["groups"] = []
    track["mainGroup"]["parameters"] = {
        name: {"mode": mode, "points": [x for at, y in points for x in (round(at * 705_600_000), y)]}
        for name, (mode, points) in parameters.items()
    }
    return json.dumps(value)


def vpr(**controllers):
    value = scorefiles.vpr_json(SONG)
    value["tracks"][0]["parts"][0]["controllers"] = [
        {"name": name, "events": [{"pos": round((at - 1) * 480), "value": y} for at, y in rows]}
        for name, rows in controllers.items()
    ]
    return value


def test_files_that_draw_nothing(tmp_path):
    assert drawn(tmp_path, "a.ustx", ustx()) is None, "points as OpenUtau puts them"
    assert drawn(tmp_path, "a.svp", svp()) is None
    assert drawn(tmp_path, "b.svp", svp({0: {"tF0Left": 0.0, "dF0Vbr": 0.0}})) is None
    assert drawn(tmp_path, "a.vsqx", scorefiles.vsqx(SONG)) is None


def test_ustx_curves(tmp_path):
    """A line from 0 to 100 cents over the second note, less the bar at which the part begins; -20 dB."""
    pitd = {"xs": [960 - 240, 1920 - 240], "ys": [0, 100], "abbr": "pitd"}
    dyn = {"xs": [-240, 2640], "ys": [-200, -200], "abbr": "dyn"}
    found = drawn(tmp_path, "a.ustx", ustx(curves(pitd, dyn)))
    assert np.isnan(found.pitch[~B]).all()
    slope = B & (TIME > 1.05)
    np.testing.assert_allclose(found.pitch[slope], 62 + (TIME[slope] - 1), atol=1e-6)
    # Within 40 ms of the step OpenUtau's own points are at work: half of a cosine.
    np.testing.assert_allclose(found.pitch[204], 60 + 0.02 + 1 - np.cos(0.75 * np.pi), atol=1e-6)
    np.testing.assert_allclose(found.curves["loudness_change"][TIME < 2.7], -20)


def test_ustx_points_and_vibrato(tmp_path):
    points = "    pitch:\n      data:\n      - {x: 100, y: 0, shape: l}\n      - {x: 300, y: 10, shape: io}\n"
    points += "      - {x: 400, y: -5, shape: i}\n      snap_first: false\n"
    plain = "    pitch:\n      data:\n      - {x: -40, y: 0, shape: io}\n      - {x: 40, y: 0, shape: io}\n"
    plain += "      snap_first: true\n"
    text = ustx().replace(plain, points, 1)
    found = drawn(tmp_path, "a.ustx", text)
    assert np.isnan(found.pitch[~A]).all()
    knots = {0.6: 60, 0.7: 60.5, 0.8: 61, 0.85: 61 - 1.5 / 2, 0.9: 59.5, 0.95: 59.5}
    at = [TIME.searchsorted(t - 1e-9) for t in knots]
    np.testing.assert_allclose(found.pitch[at], list(knots.values()), atol=1e-6)
    wave = "    vibrato: {length: 50, period: 125, depth: 80, in: 0, out: 0, shift: 25, drift: 0}\n"
    text = ustx().replace("    tone: 64\n", "    tone: 64\n" + wave, 1)
    found = drawn(tmp_path, "b.ustx", text)
    assert np.isnan(found.pitch[~C]).all()
    later = C & (TIME >= 2.75)
    np.testing.assert_allclose(found.pitch[C & ~later][10:], 64, atol=1e-6)
    wanted = 64 + 0.8 * np.sin(2 * np.pi * ((TIME[later] - 2.75) / 0.125 + 0.25))
    # Without the very first one, and the last 40 ms, which lead to the next note.
    np.testing.assert_allclose(found.pitch[later][1:-9], wanted[1:-9], atol=1e-6)


def test_svp_curves(tmp_path):
    found = drawn(
        tmp_path,
        "a.svp",
        svp(pitchDelta=("linear", [(1, 0), (2, 50)]), loudness=("cosine", [(2, 0), (4, -20)])),
    )
    part = A & (TIME < 0.92)
    np.testing.assert_allclose(found.pitch[part], 60 + TIME[part] - 0.5, atol=1e-6)
    np.testing.assert_allclose(found.pitch[B & (TIME > 1.08)], 62.5, atol=1e-6)
    np.testing.assert_allclose(found.pitch[TIME.searchsorted(1)], 61.5, atol=1e-6), "half of the slope"
    soft = found.curves["loudness_change"]
    np.testing.assert_allclose(soft[B], -10 * (1 - np.cos(np.pi * (TIME[B] - 1))), atol=1e-6)
    np.testing.assert_allclose(soft[C], -20)


def test_svp_vibrato(tmp_path):
    given = {
        1: {
            "dF0Vbr": 1.0,
            "fF0Vbr": 5.0,
            "tF0VbrStart": 0.2,
            "tF0VbrLeft": 0.4,
            "tF0VbrRight": 0.1,
            "pF0Vbr": 1.0,
        }
    }
    envelope = ("linear", [(0, 0.5), (8, 0.5)])
    found = drawn(tmp_path, "a.svp", svp(given, vibratoEnv=envelope))
    assert np.isnan(found.pitch[~B]).all()
    since = TIME[B] - 1.2
    fade = np.minimum(since / 0.4, (2 - TIME[B]) / 0.1).clip(0, 1)
    wanted = 62 + 0.5 * fade * 0.5 * np.sin(2 * np.pi * 5 * since + 1)
    np.testing.assert_allclose(found.pitch[B][20:], wanted[20:], atol=1e-6)
    assert np.isnan(drawn(tmp_path, "b.svp", svp(notes={2: {"detune": -30}})).pitch[~C]).all()
    np.testing.assert_allclose(drawn(tmp_path, "b.svp", svp(notes={2: {"detune": -30}})).pitch[C][:-20], 63.7)


@pytest.mark.parametrize("form", ["vpr", "vsq3", "vsq4"])
def test_vocaloid_curves(tmp_path, form):
    rows = {"pitchBend": [(2, 4096), (3, 0)], "pitchBendSens": [(0, 12)], "dynamics": [(5, 32), (6, 0)]}
    if form == "vpr":
        scorefiles.zipped(tmp_path / "a.vpr", "Project/sequence.json", json.dumps(vpr(**rows)).encode())
        found = drawn(tmp_path, "a.vpr", (tmp_path / "a.vpr").read_bytes())
    else:
        text = scorefiles.vsqx(SONG, int(form[-1])).decode()
        names = dict(zip(rows, ("PIT", "PBS", "DYN") if form == "vsq3" else ("P", "S", "D")))
        one = {
            "vsq3": '<mCtrl><posTick>{}</posTick><attr id="{}">{}</attr></mCtrl>',
            "vsq4": '<cc><t>{}</t><v id="{}">{}</v></cc>',
        }[form]
        events = "".join(one.format(at * 480, names[n], y) for n, found in rows.items() for at, y in found)
        end = "</musicalPart>" if form == "vsq3" else "</vsPart>"
        found = drawn(tmp_path, "a.vsqx", text.replace(end, events + end))
    assert np.isnan(found.pitch[~B]).all()
    first = B & (TIME < 1.5)
    np.testing.assert_allclose(found.pitch[first][20:], 68, atol=1e-6)
    np.testing.assert_allclose(found.pitch[B & ~first], 62, atol=1e-6)
    loud = found.curves["loudness_change"]
    np.testing.assert_allclose(loud[B], 0)
    np.testing.assert_allclose(loud[C], 20 * np.log10(0.5))
    np.testing.assert_allclose(loud[D], -60)


def test_diffsinger_curves(tmp_path):
    """F0 at steps of its own, in Hz; energy and voicing as they are, breathiness against energy."""
    segment = {
        "offset": 0.5, "text": "か", "ph_seq": "k a", "ph_num": "2", "note_seq": "C4", "note_dur": "1.0",
        "note_slur": "0", "f0_seq": "220 0 440 880", "f0_timestep": "0.25",
        "energy": "-20 -30 -30 -30", "energy_timestep": "0.25",
        "breathiness": "-50 -50 -50 -50", "breathiness_timestep": "0.25",
        "tension": "0 0 0 0", "tension_timestep": "0.25", "gender": "1 1", "gender_timestep": 1,
    }  # fmt: skip
    (tmp_path / "a.ds").write_text(json.dumps([segment]))
    with listening() as said:
        found = read_score(tmp_path / "a.ds").drawn
    assert said == ["the file's own gender are not sung: the voice makes its own"]
    time = np.arange(len(found.pitch)) * STEP
    assert np.isnan(found.pitch[time < 0.499]).all()
    np.testing.assert_allclose(found.pitch[[100, 200, 250]], [57, 69, 81], atol=1e-6)
    # Between a frequency and none there is no pitch: 57, 69 and what leads from 69 to 81 is all there is.
    voiced = found.pitch[np.isfinite(found.pitch)]
    assert set(np.round(voiced[voiced < 69], 6)) == {57}
    np.testing.assert_allclose(found.curves["loudness"][[0, 100, 125, 160]], [-96, -20, -25, -30])
    np.testing.assert_allclose(found.curves["breathiness"][[0, 100, 125, 160]], [0, -30, -25, -20])
    np.testing.assert_allclose(found.curves["tension"][[0, 100]], [0, 10 * np.log10(1 / 3)])


def test_a_changed_score_takes_its_curves_along(tmp_path):
    pitd = {"xs": [960 - 240, 1920 - 240], "ys": [0, 100], "abbr": "pitd"}
    (tmp_path / "a.ustx").write_text(ustx(curves(pitd, {"xs": [0, 4000], "ys": [10, 10], "abbr": "dyn"})))
    score = read_score(tmp_path / "a.ustx")
    faster = change(score, 3, 2.0)
    assert faster.notes[2].start == 0.5
    at = round(0.9 / STEP)
    np.testing.assert_allclose(faster.drawn.pitch[at], score.drawn.pitch[2 * at] + 3)
    np.testing.assert_allclose(faster.drawn.curves["loudness_change"][at], 1)
    assert len(faster.drawn.pitch) == 401
    assert score.slice(1, 3).drawn is None


ZIGZAG = {
    "xs": list(range(240, 2640, 30)),
    "ys": [(-1) ** i * (i % 7) * 20 for i in range(80)],
    "abbr": "pitd",
}


@pytest.mark.parametrize("suffix", [".ustx", ".svp", ".ds"])
@pytest.mark.parametrize("tempi", [[(0, 120.0)], [(0, 71.0), (3, 133.0)]])
def test_a_pitch_curve_comes_back(tmp_path, suffix, tempi):
    """To a cent and a tenth of a dB, but within 5 ms of the steps of the notes."""
    song = scorefiles.Tune(SONG.notes, tempi)
    text = scorefiles.ustx(song).decode()
    loud = {"xs": [0, 1000, 2600], "ys": [0, -200, 0], "abbr": "dyn"}
    (tmp_path / "a.ustx").write_text(text.replace(*curves(ZIGZAG, loud)))
    score = read_score(tmp_path / "a.ustx")
    write_score(tmp_path / f"b{suffix}", score)
    again = read_score(tmp_path / f"b{suffix}")
    assert [(round(n.start, 4), n.pitch, n.lyric, n.phones) for n in again.notes if n.pitch] == [
        (round(n.start, 4), n.pitch, n.lyric, n.phones) for n in score.notes if n.pitch
    ]
    size = min(len(again.drawn.pitch), len(score.drawn.pitch))
    time = np.arange(size) * STEP
    edges = [t for n in score.notes for t in (n.start, n.end)]
    inside = np.isfinite(score.drawn.pitch[:size]) & (np.abs(time[:, None] - edges).min(axis=1) > STEP)
    # A zigzag's corners are rounded off by as much as a step of 5 ticks is long.
    np.testing.assert_allclose(again.drawn.pitch[:size][inside], score.drawn.pitch[:size][inside], atol=0.16)
    off = np.abs(again.drawn.pitch[:size][inside] - score.drawn.pitch[:size][inside])
    assert np.median(off) < 0.01
    if suffix != ".ds":
        assert np.isnan(again.drawn.pitch[:size][~np.isfinite(score.drawn.pitch[:size])]).all()
        known, found = (s.drawn.curves["loudness_change"][:size] for s in (score, again))
        within = time < score.notes[-1].start
        np.testing.assert_allclose(found[within], known[within], atol=0.1)


PAIRS = ("curves: []", "curves:\n  - {{xs: [{}], ys: [{}], abbr: pitd}}")


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.ustx", ustx((PAIRS[0], PAIRS[1].format("0, 5", 1))), "voice part 1: pitd: 2 xs and 1 ys"),
        ("a.ustx", ustx((PAIRS[0], PAIRS[1].format(0, ".nan"))), "pitd: ys: a list of numbers is needed"),
        (
            "a.ustx",
            ustx((PAIRS[0], PAIRS[1].format(0, 1e300))),
            "pitd: ys: a value of 1e.300 is out of range",
        ),
        ("a.ustx", ustx((PAIRS[0], PAIRS[1].format("0, [5]", 1))), "pitd: xs: a list of numbers is needed"),
        ("a.ustx", ustx(("x: -40", "x: .inf")), "voice part 1, note 1: a pitch point's x"),
        (
            "a.ustx",
            ustx(("    tone: 60", "    vibrato: [1]\n    tone: 60")),
            "vibrato is missing or not a table",
        ),
        ("a.svp", svp(pitchDelta=("linear", [(1, 7)])).replace(", 7]", "]"), "has a place without a value"),
        ("a.svp", svp(pitchDelta=("linear", [(1, "x")])), "pitchDelta: a list of numbers is needed"),
        ("a.svp", svp({0: {"dF0Vbr": "much"}}), "track 1, note 1: dF0Vbr is 'much', not a number"),
    ],
)
def test_damaged_curves_are_refused(tmp_path, name, data, message):
    with pytest.raises(DataError, match=message):
        drawn(tmp_path, name, data)


def test_curves_outside_of_notes_are_said(tmp_path):
    loose = {"xs": [1920 - 240, 1925 - 240, 2395 - 240, 2400 - 240], "ys": [0, 100, 100, 0], "abbr": "pitd"}
    far = {"xs": [0, 100_000], "ys": [-10, -10], "abbr": "dyn"}
    with listening() as said:
        drawn(tmp_path, "a.ustx", ustx(curves(loose, far)))
    assert said == ["drawn curves where there is no note are not sung: 2, the first at measure 2, beat 1.01"]
