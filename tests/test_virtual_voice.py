"""The reader of .htsvoice files, labels, MLPG and state durations."""

import importlib.util
import struct
import warnings

import numpy as np
import pytest

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.formats.readers import read_score
from nnsvs_lite.score.languages import get_language
from nnsvs_lite.score.types import Note, Score
from nnsvs_lite.virtual.htsvoice import HtsVoice
from nnsvs_lite.virtual.labels import SINGING, full_context, singing_labels, speech_labels
from nnsvs_lite.virtual.mlpg import capped_durations, fit_durations, mlpg, natural_durations
from nnsvs_lite.virtual.sheets import songs
from nnsvs_lite.virtual.voices import SOURCES, load_voice, source, voice_path

needs_sinsy = pytest.mark.skipif(importlib.util.find_spec("pysinsy") is None, reason="needs pysinsy")


def _pdf_block(trees: list[list[list[float]]]) -> bytes:
    counts = struct.pack(f"<{len(trees)}I", *(len(tree) for tree in trees))
    return counts + b"".join(struct.pack(f"<{len(pdf)}f", *pdf) for tree in trees for pdf in tree)


def _voice_bytes() -> bytes:
    """A voice of two states with one question, made by hand from the format's description."""
    tree = 'QS Is_a { "*-a+*","*-A+*" }\n\n{*}[2]\n{\n 0 Is_a "x_2" "x_1"\n}\n'
    two = (
        'QS Is_a { "*-a+*","*-A+*" }\nQS Ends { "*+?" }\n\n{*}[2]\n{\n 0 Is_a -1 "m_s2_3"\n -1 Ends "m_s2_1"'
    )
    two += ' "m_s2_2"\n}\n{*}[3]\n   "m_s3_1"\n'
    bare = '{*}[2]\n   "l_1"\n{*}[3]\n   "l_1"\n'
    lf0 = '{*}[2]\n   "l_s2_1"\n{*}[3]\n   "l_s3_1"\n'
    sections = {
        "DURATION_PDF": _pdf_block([[[1.4, 2.6, 1.0, 1.0], [10.0, 20.0, 4.0, 5.0]]]),
        "DURATION_TREE": tree.encode(),
        "STREAM_WIN[MCP]": b"1 1.0",
        "STREAM_WIN[LF0]": b"1 1.0",
        "STREAM_WIN[LPF]": b"1 1.0",
        "STREAM_PDF[MCP]": _pdf_block(
            [[[1.0, 2.0, 0.1, 0.2], [3.0, 4.0, 0.3, 0.4], [5.0, 6.0, 0.5, 0.6]], [[7.0, 8.0, 0.7, 0.8]]]
        ),
        "STREAM_PDF[LF0]": _pdf_block([[[5.5, 0.01, 0.9]], [[5.6, 0.02, 0.1]]]),
        "STREAM_PDF[LPF]": _pdf_block([[[0.0, 1.0, 0.0, 0.0, 0.0, 0.0]], [[0.0, 1.0, 0.0, 0.0, 0.0, 0.0]]]),
        "STREAM_TREE[MCP]": two.encode(),
        "STREAM_TREE[LF0]": lf0.encode(),
        "STREAM_TREE[LPF]": bare.encode(),
    }
    head = (
        "[GLOBAL]\nSAMPLING_FREQUENCY:48000\nFRAME_PERIOD:240\nNUM_STATES:2\nSTREAM_TYPE:MCP,LF0,LPF\n"
        "FULLCONTEXT_FORMAT:HTS_TTS_JPN\n[STREAM]\nVECTOR_LENGTH[MCP]:2\nVECTOR_LENGTH[LF0]:1\n"
        "VECTOR_LENGTH[LPF]:3\nIS_MSD[MCP]:0\nIS_MSD[LF0]:1\nIS_MSD[LPF]:0\nUSE_GV[MCP]:0\nUSE_GV[LF0]:0\n"
        "USE_GV[LPF]:0\nOPTION[MCP]:ALPHA=0.55\nOPTION[LF0]:\nOPTION[LPF]:\n[POSITION]\n"
    )
    at, data = 0, b""
    for name, section in sections.items():
        head += f"{name}:{at}-{at + len(section) - 1}\n"
        data += section
        at += len(section)
    return head.encode() + b"[DATA]\n" + data


def test_voice_made_by_hand(tmp_path):
    path = tmp_path / "v.htsvoice"
    path.write_bytes(_voice_bytes())
    voice = HtsVoice(path)
    assert (voice.sample_rate, voice.frame_shift, voice.alpha) == (48000, 0.005, 0.55)
    assert voice.low_pass.tolist() == [0.0, 1.0, 0.0]
    # "no" comes first in a node; leaves count from 1.
    states = voice.select(["x-a+xx", "x-k+b", "x-k+bb"])
    assert states.duration_mean[0] == pytest.approx([1.4, 2.6])
    assert states.duration_mean[1] == pytest.approx([10.0, 20.0])
    assert states.means["MCP"][:, 0, 0].tolist() == [[5.0, 6.0], [3.0, 4.0], [1.0, 2.0]]
    assert states.means["MCP"][:, 1, 0].tolist() == [[7.0, 8.0]] * 3
    assert states.variances["MCP"][0, 0, 0] == pytest.approx([0.5, 0.6])
    assert states.voiced[0] == pytest.approx([0.9, 0.1])


def test_faulty_voices_are_named(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        HtsVoice(tmp_path / "none.htsvoice")
    path = tmp_path / "v.htsvoice"
    path.write_bytes(b"RIFF....")
    with pytest.raises(DataError, match=r"no \[DATA\]"):
        HtsVoice(path)
    path.write_bytes(_voice_bytes()[:-40])
    with pytest.raises(DataError, match="truncated"):
        HtsVoice(path)
    path.write_bytes(_voice_bytes().replace(b"NUM_STATES:2", b"NUM_STATS:2"))
    with pytest.raises(DataError, match="not an .htsvoice file that is understood"):
        HtsVoice(path)


def test_unknown_singer_and_missing_package():
    with pytest.raises(DataError, match="did you mean 'mei'"):
        source("meii")
    with pytest.raises(DataError, match="pip install nowhere"):
        voice_path(type(SOURCES[0])("x", "no_such_pkg", "nowhere", "x", SOURCES[0].style, 0.0, False, ""))


def test_frame_counts_equal_open_jtalk():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pyopenjtalk = pytest.importorskip("pyopenjtalk")
    voice = load_voice("mei")
    for text in ("こんにちは。", "ぴゃあ。", "ヴァイオリン", "歌を歌いましょう、みんなで。", "九百円"):
        labels = pyopenjtalk.extract_fullcontext(text)
        wav, rate = pyopenjtalk.synthesize(labels)
        frames = natural_durations(voice.durations(labels)[0]).sum()
        assert rate == voice.sample_rate
        assert frames * 240 == len(wav)


@needs_sinsy
def test_singing_labels_and_frame_counts_equal_sinsy():
    from nnsvs_lite.virtual.hts_baseline import note_durations

    path = str(next(sheet.path for sheet in songs() if sheet.name == "hotarukoi"))
    score = read_score(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pysinsy
    theirs = [line.split()[2] for line in pysinsy.extract_fullcontext(path)]
    ours = singing_labels(score)
    assert len(ours) == len(theirs)
    # Sinsy's percentages and tenths of seconds are off by one here and there, from sums of floats;
    # rests of several measures, and dynamic marks, it has its own way with. All else is the same.
    strip = str.maketrans("", "", "0123456789")
    same = [a.split("/E:")[0] == b.split("/E:")[0] for a, b in zip(ours, theirs)]
    assert np.mean(same) > 0.98
    pitch_and_length = [[x.split("/E:")[1].split("+")[0] for x in labels] for labels in (ours, theirs)]
    assert np.mean([a == b for a, b in zip(*pitch_and_length)]) > 0.95
    assert ours[5].split("/H:")[1].translate(strip) == theirs[5].split("/H:")[1].translate(strip)
    wav, rate = pysinsy.synthesize(path)
    durations = note_durations(score, load_voice("f001").select(ours))
    assert durations.sum() * 240 == len(wav) and rate == 48000


def test_speech_labels_hold_the_five_phones():
    note = Note(0.0, 1.0, 60, "か", ("k", "a"))
    rest = Note(1.0, 2.0, 0, "", ("pau",))
    labels = speech_labels(Score((note, rest)))
    assert [label.split("/A:")[0] for label in labels] == [
        "xx^xx-k+a=pau",
        "xx^k-a+pau=xx",
        "k^a-pau+xx=xx",
    ]


def test_phones_no_voice_knows_are_replaced():
    note = Note(0.0, 1.0, 60, "くゎ", ("kw", "a"))
    assert "-k+a=" in singing_labels(Score((Note(0, 0, 0, "", ("br",)), note)))[1]
    with pytest.raises(DataError, match="HTS_XYZ"):
        full_context(Score((note,)), "HTS_XYZ")
    assert len(full_context(Score((note,)), SINGING)) == 2
    assert get_language("ja").is_voiced("gw")


def test_mlpg_solves_the_normal_equations():
    rng = np.random.default_rng(0)
    frames, windows = 30, [np.array([1.0]), np.array([-0.5, 0.0, 0.5]), np.array([1.0, -2.0, 1.0])]
    means, variances = rng.standard_normal((frames, 3, 2)), rng.uniform(0.5, 2.0, (frames, 3, 2))
    found = mlpg(means, variances, windows)
    for d in range(2):
        rows, precisions, targets = [], [], []
        for i, window in enumerate(windows):
            half = len(window) // 2
            for t in range(half, frames - half):
                row = np.zeros(frames)
                row[t - half : t + half + 1] = window
                rows.append(row)
                precisions.append(1 / variances[t, i, d])
                targets.append(means[t, i, d])
        w, p = np.array(rows), np.diag(precisions)
        expected = np.linalg.solve(w.T @ p @ w, w.T @ p @ np.array(targets))
        assert np.allclose(found[:, d], expected, atol=1e-9)


def test_durations_fill_exactly():
    mean, variance = np.array([3.0, 5.0, 20.0, 4.0, 2.0]), np.array([1.0, 4.0, 100.0, 4.0, 1.0])
    for frames in (3, 5, 6, 20, 34, 35, 100, 333):
        fitted = fit_durations(mean, variance, frames)
        assert fitted.sum() == max(frames, 5) and fitted.min() >= 1
    # mean + rho * variance: the most variable state takes the most.
    assert fit_durations(mean, variance, 144).tolist() == [4, 9, 120, 8, 3]
    long = capped_durations(mean * 4, variance, 300, 2)
    assert long.sum() == 300 and long.tolist() == [12, 16, 300 - 12 - 16 - 16 - 8, 16, 8]
