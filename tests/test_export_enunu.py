"""A voice that answers as an ENUNU server: a client that speaks as OpenUtau does, and what it is refused.

What the client writes, sends and reads is that of OpenUtau.Core/Enunu (EnunuPhonemizer, EnunuRenderer).
"""

import json
import os
import signal
import subprocess
import sys
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml
from export_common import make_voice, spec_44k

from nnsvs_lite import BOXED_VOICE
from nnsvs_lite.features.f0 import midi_to_hz
from nnsvs_lite.io.errors import DataError

zmq = pytest.importorskip("zmq", reason="needs pyzmq: pip install nnsvs_lite[enunu]")

TUNE = [("R", 960, 60), ("さ", 480, 69), ("く", 480, 69), ("ら", 960, 71), ("R", 480, 60), ("や", 960, 72)]
TEMPO = 120


def seconds(ticks: float) -> float:
    return ticks / 480 * 60 / TEMPO


@dataclass
class Client:
    """OpenUtau, as far as a singer of ENUNU's type is concerned."""

    port: int
    cache: Path
    context: object = field(default_factory=zmq.Context)

    def ask(self, *words, raw: bytes | None = None, wait: int = 60) -> dict | None:
        with self.context.socket(zmq.REQ) as socket:
            socket.setsockopt(zmq.LINGER, 0)
            socket.connect(f"tcp://localhost:{self.port}")
            socket.send(raw if raw is not None else json.dumps(words, separators=(",", ":")).encode())
            return json.loads(socket.recv()) if socket.poll(wait * 1000) else None

    def write(self, path: Path, notes) -> None:
        lines = ["[#SETTING]", f"Tempo={TEMPO}", "Tracks=1", f"Project={path}", "VoiceDir=/singer"]
        lines += [f"CacheDir={self.cache}", "Mode2=True"]
        for i, (lyric, length, midi) in enumerate(notes):
            lines += [f"[#{i}]", f"Lyric={lyric}", f"Length={length}", f"NoteNum={midi}", "Velocity=0"]
        path.write_bytes("".join(f"{line}\r\n" for line in [*lines, "[#TRACKEND]"]).encode("shift_jis"))

    def labels(self, path: Path) -> list[tuple[int, str]]:
        """Phones and where they begin, in 0.1 ms."""
        parts = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
        return [(int(begin) // 1000, phone) for begin, _, phone in parts]

    def phones(self, notes) -> list[list[tuple[str, int, int]]]:
        """Of each note, its phones, where they begin in ticks, and its MIDI number."""
        ust = self.cache / "lab-0123456789abcdef.tmp"
        self.write(ust, notes)
        told = self.ask("timing", str(ust), "", "hash", "600")
        assert "error" not in told, told
        folder = self.cache / "lab-0123456789abcdef_enutemp"
        out: list[list] = [[] for _ in notes]
        last, index = 0, 0
        score, timing = self.labels(folder / "score.lab"), self.labels(folder / "timing.lab")
        assert len(score) == len(timing) and Path(told["result"]["path_mono_timing"]).is_file()
        for (begin, _), (sung, phone) in zip(score, timing):
            index, last = index + (begin != last), begin
            out[index].append((phone, round(sung / 10 / 1000 * TEMPO / 60 * 480), notes[index][2]))
        return out

    def phrase(self, notes) -> tuple[list[tuple[str, int, int]], int]:
        """The notes that the renderer writes of the first phrase, and the tick where they begin."""
        groups = self.phones(notes)
        sung = [group for group, note in zip(groups, notes) if note[0] != "R"]
        after = next(i for i, note in enumerate(notes) if note[0] == "R" and i) if len(sung) > 3 else None
        rows = [row for group in groups[1:after] for row in group]
        end = sum(length for _, length, _ in notes[:after])
        ends = [row[1] for row in rows[1:]] + [end]
        spans = [(phone, stop - begin, midi) for (phone, begin, midi), stop in zip(rows, ends)]
        return [("R", 240, rows[0][2]), *spans, ("R", 240, rows[-1][2])], rows[0][1] - 240


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """Of the voice in the box, in a server of its own."""
    program = "from nnsvs_lite.bin.main import main; main()"
    command = [sys.executable, "-c", program, "serve", "--enunu", "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        line = server.stdout.readline()
        assert "sings at 127.0.0.1:" in line, server.stderr.read()
        yield Client(int(line.split("127.0.0.1:")[1].split()[0]), tmp_path_factory.mktemp("cache"))
        assert server.poll() is None, "no request ended it"
        server.send_signal(signal.SIGINT)
        out, err = server.communicate(timeout=60)
        assert server.returncode == 0 and out.strip() == "ended" and "Traceback" not in err, err
    finally:
        server.kill()


def heard(wav: np.ndarray, rate: int, notes, start: float) -> list[float]:
    """Hz of each sung note of a phrase, from its middle."""
    import pyworld

    f0, times = pyworld.harvest(wav.astype(float), rate, f0_floor=150, f0_ceil=1000)
    out, at = [], 0
    for lyric, length, _ in notes:
        a, b = seconds(at) - start, seconds(at + length) - start
        at += length
        inside = (times > a + 0.4 * (b - a)) & (times < b - 0.2 * (b - a)) & (f0 > 0)
        if lyric != "R" and b < len(wav) / rate:
            out.append(float(np.median(f0[inside])))
    return out


def cents(found, notes) -> np.ndarray:
    known = [midi_to_hz(midi) for lyric, _, midi in notes if lyric != "R"][: len(found)]
    return 1200 * np.log2(np.array(found) / known)


def test_it_is_found_by_its_version(client):
    assert set(client.ask("ver_check")["result"]) == {"name", "version", "author"}


def test_timing_is_what_sing_sings(client):
    from nnsvs_lite.synthesis.singer import Singer

    groups = client.phones(TUNE)
    ust = client.cache / "same.ust"
    client.write(ust, TUNE)
    song = Singer.load(BOXED_VOICE).sing(ust)
    wanted = [p for p in song.phones if p.start < seconds(sum(note[1] for note in TUNE)) - 1e-3]
    assert [row[0] for group in groups for row in group] == [p.symbol for p in wanted]
    assert [row[0] for row in groups[1]] == ["s", "a"]
    for (_, tick, _), phone in zip((row for group in groups for row in group), wanted):
        assert abs(seconds(tick) - phone.start) < 0.6 * seconds(1) + 1e-4


def test_each_note_of_the_editor_has_a_phone(client):
    """Also rests in a row, one too short for a rest, and a note that carries on: the editor counts them."""
    odd = [("R", 480, 60), ("R", 480, 60), ("さ", 480, 69), ("-", 480, 71), ("R", 30, 60), ("ら", 480, 71)]
    groups = client.phones([*odd, ("R", 480, 60)])
    assert [len(group) > 0 for group in groups] == [True] * 7
    assert [row[0] for row in groups[3]] == ["a"] and [row[0] for row in groups[5]] == ["r", "a"]
    begins = [row[1] for group in groups for row in group]
    assert begins == sorted(begins)


@pytest.mark.parametrize("moved", [0.0, 3.0])
def test_numbers_of_world_are_sung_in_tune_and_at_the_drawn_pitch(client, moved):
    """As the editor synthesises them, with its own F0 where the voice is voiced."""
    import pyworld

    notes, begins = client.phrase(TUNE)
    ust = client.cache / "enu-0123456789abcdef.tmp"
    client.write(ust, notes)
    result = client.ask("acoustic", str(ust), "", "hash", "600")["result"]
    folder = client.cache / "enu-0123456789abcdef_enutemp"
    f0, sp, ap = (np.load(folder / f"{name}.npy") for name in ("f0", "spectrogram", "aperiodicity"))
    assert {value.dtype for value in (f0, sp, ap)} == {np.dtype("<f8")} and f0.ndim == 1
    assert sp.shape == ap.shape == (len(f0), sp.shape[1]) and sp.flags.c_contiguous
    assert Path(result["path_f0"]) == folder / "f0.npy" and (folder / "vuv.npy").is_file()
    period = 5.0
    total = seconds(sum(length for _, length, _ in notes))
    assert abs(len(f0) * period / 1000 - total) <= 2 * period / 1000
    head = round(seconds(240) * 1000 / period)
    if moved:
        # Every note's pitch, moved; nothing in the silences around them.
        drawn, at = np.zeros(len(f0)), 0
        for _, length, midi in notes:
            a, b = (round(seconds(t) * 1000 / period) for t in (at, at + length))
            drawn[a:b], at = midi_to_hz(midi + moved), at + length
        drawn[:head] = drawn[-head:] = 0
        f0 = np.where(f0 < 50, 0, drawn)
    wav = pyworld.synthesize(f0, sp, ap, 24000, period)
    found = heard(wav, 24000, TUNE[:4], seconds(begins))
    off = cents(found, TUNE) - 100 * moved
    assert len(found) == 3 and np.abs(off).max() < (10 if moved else 40), off


def test_waveforms_follow_the_drawn_pitch(toy_mel_dump, tmp_path):
    """Of a mel voice, whose waveforms the server makes: 44.1 kHz, which the editor does not resample."""
    from nnsvs_lite.export.phonewise import phones

    voice = make_voice(spec_44k(toy_mel_dump, ("ann", "bob")), tmp_path / "voice")
    _, do = phones({"model": str(voice), "device": "cpu"})
    client = Client(0, tmp_path)
    ust = tmp_path / "enu-1.tmp"
    notes = [("R", 240, 60), ("s", 60, 60), ("a", 900, 60), ("k", 60, 64), ("u", 900, 64), ("R", 240, 64)]
    client.write(ust, notes)
    made = do({"what": "acoustic", "paths": [str(ust)]}, None)
    f0, mel = np.load(made["path_f0"]), np.load(made["path_mel"])
    assert made["path_spectrogram"] is None and mel.shape[0] == len(f0) == len(np.load(made["path_vuv"]))
    drawn = np.full(len(f0), midi_to_hz(62.0))
    drawn[: len(drawn) // 10] = 0
    np.save(tmp_path / "enu-1_enutemp" / "editorf0.npy", drawn)
    wav = tmp_path / "enu-2.wav"
    assert do({"what": "synthe", "paths": [str(ust), str(wav)]}, None) == {"path_wav": str(wav)}
    sound, rate = soundfile.read(wav)
    assert rate == 44100 and abs(len(sound) / rate - seconds(2400)) < 0.03
    found = heard(sound, rate, [("R", 300, 0), ("a", 900, 62), ("R", 60, 0), ("u", 900, 62)], 0.0)
    assert np.abs(1200 * np.log2(np.array(found) / midi_to_hz(62))).max() < 10
    # A singer is named by the flags of the notes.
    ust.write_bytes(ust.read_bytes().replace(b"Lyric=a\r\n", b"Lyric=a\r\nFlags=bobS0\r\n"))
    do({"what": "acoustic", "paths": [str(ust)]}, None)
    assert not np.array_equal(np.load(made["path_mel"]), mel)


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"", "JSON array"),
        (b"\xff\xfe\x00", "JSON array"),
        (b"{}", "begins with a command"),
        (b"[" * 100_000, "JSON array"),
        (b"[[]]", "begins with a command"),
        (b'["sudo"]', "no command 'sudo'"),
        (b'["timing"]', "needs the path of a UST"),
        (b'["timing", 5]', "needs the path of a UST"),
        (b'["synthe", "/x.tmp"]', "and of a wav"),
        (b'["timing", "/etc/passwd"]', "named by its whole path"),
        (b'["timing", "x.tmp"]', "named by its whole path"),
        (b'["timing", "/no/such.tmp"]', "cannot read the score"),
        (b'["timing", "/no/\\u0000.tmp"]', "NUL"),
    ],
)
def test_bad_requests_are_told_so(client, raw, told):
    answer = client.ask(raw=raw)
    assert set(answer) == {"error"} and told in answer["error"], answer


def test_what_is_no_phrase_is_told_so(client, tmp_path):
    def told(name="x.tmp", what="acoustic", *more):
        return client.ask(what, str(tmp_path / name), *more)["error"]

    (tmp_path / "x.tmp").write_bytes(b"no ust")
    assert "not a UST file" in told()
    client.write(tmp_path / "x.tmp", [("R", 240, 60), ("さ", 480, 69)])
    assert "'さ' is not a phoneme" in told()
    client.write(tmp_path / "x.tmp", [("a", 480 * 60 * 60, 69)])
    assert "seconds at most" in told()
    client.write(tmp_path / "x.tmp", [("R", 240, 60)])
    assert "no phoneme that could be held" in told()
    client.write(tmp_path / "x.tmp", [("R", 240, 60), ("a", -5, 69)])
    assert "Length" in told()
    client.write(tmp_path / "x.tmp", [("R", 240, 60), ("a", 480, 69)])
    assert "lies beside its UST" in told("x.tmp", "synthe", "/tmp/elsewhere.wav")
    (tmp_path / "x_enutemp").mkdir(exist_ok=True)
    drawn = tmp_path / "x_enutemp" / "editorf0.npy"
    for value, what in ((np.array([object()]), "no NPY file"), (np.full(100, np.nan), "not finite")):
        np.save(drawn, value, allow_pickle=True)
        assert what in told("x.tmp", "synthe", str(tmp_path / "x.wav"))
    drawn.unlink()
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.tmp")
        assert "not a regular file" in told("pipe.tmp")
    assert not (tmp_path / "x.wav").exists()


def test_a_large_request_ends_its_connection_alone(client):
    assert client.ask(raw=b" " * (2 << 20), wait=1) is None
    with client.context.socket(zmq.DEALER) as socket:
        socket.setsockopt(zmq.LINGER, 0)
        socket.connect(f"tcp://localhost:{client.port}")
        socket.send_multipart([b"", b'["ver_check"]', b"more"])
        assert socket.poll(20_000) and "one frame" in socket.recv_multipart()[-1].decode()
    assert client.ask("ver_check")["result"]["name"] == "nnsvs_lite"


def test_a_port_in_use_is_told():
    from nnsvs_lite.export.enunu import listening

    with zmq.Context() as context, listening(context, 0) as socket:
        where = socket.getsockopt_string(zmq.LAST_ENDPOINT)
        assert where.startswith("tcp://127.0.0.1:")
        with pytest.raises(DataError, match="cannot be had"):
            listening(context, int(where.rpartition(":")[2]))


def test_the_singer_for_the_editor_has_what_it_reads(tmp_path):
    """Phones as EnunuSinger's pattern finds them, lyrics, frames; and the terms."""
    import re

    from nnsvs_lite.export.enunusinger import export_enunu

    out, again = (export_enunu(BOXED_VOICE, tmp_path / name, name="デモ") for name in ("a.zip", "b.zip"))
    assert out.read_bytes() == again.read_bytes()
    with zipfile.ZipFile(out) as archive:
        files = {name.partition("/")[2]: archive.read(name).decode() for name in archive.namelist()}
    config, character = (yaml.safe_load(files[name]) for name in ("enuconfig.yaml", "character.yaml"))
    assert config["sample_rate"] == 24000 and config["frame_period"] == 5.0
    assert config["feature_type"] == "world" and "extensions" not in config
    assert character["singer_type"] == "enunu" and files["character.txt"].startswith("name=デモ\n")
    found = set()
    for line in files[config["question_path"]].splitlines():
        match = re.match(r'^\s*QS\s+"(.*)"\s+\{(.*)}', line)
        found |= {part.strip()[2:-2] for part in match[2].split(",") if part.strip().startswith("*-")}
    assert {"pau", "br", "a", "N", "cl", "ky"} <= found
    words = {line.split()[0]: line.split()[1:] for line in files[config["table_path"]].splitlines()}
    assert words["さ"] == ["s", "a"] == words["sa"] and "HMM voices" in files["LICENCE.txt"]
    with pytest.raises(DataError, match="is named"):
        export_enunu(BOXED_VOICE, tmp_path / "voice")
