"""Packed voices: one file that sings the same, always the same bytes, and nothing else is read as one."""

import io
import json
import os
import pickle
import re
import shutil
import sys
import zipfile
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from models_common import ROOT
from scorexml import song, write

from nnsvs_lite.bin.main import main
from nnsvs_lite.io.atomic import read_json
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.tables import write_table
from nnsvs_lite.models import checkpoint
from nnsvs_lite.models import pack as packing
from nnsvs_lite.models.checkpoint import load_model, save_model
from nnsvs_lite.models.config import Config
from nnsvs_lite.models.pack import MANIFEST, Pack, assemble, pack
from nnsvs_lite.synthesis.singer import Singer


@pytest.fixture
def recipe(toy_voice, tmp_path) -> Path:
    """An exp dir inside a recipe whose data dirs have a licence."""
    root = tmp_path / "egs" / "songs" / "svs1"
    shutil.copytree(toy_voice, root / "exp" / "acoustic")
    (root / "run.sh").write_text("")
    (root / "data" / "train").mkdir(parents=True)
    (root / "data" / "train" / "LICENSE").write_text("Sing as you like.\n")
    write_table(root / "data" / "train" / "utt2spk", {"toy_a": "toy", "toy_b": "toy"})
    return root / "exp" / "acoustic"


@pytest.fixture(scope="session")
def packed(toy_voice, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("pack") / "voice.nnsvs"
    licence = out.with_name("terms.txt")
    licence.write_text("Sing as you like.\n")
    pack(toy_voice, out, licence, "songs")
    return out


@pytest.fixture
def score(tmp_path) -> Path:
    return write(tmp_path, song("r 1, C4 1 さ, D4 1 く, E4 1 ら", "G4 2 は, r 2"))


def rewritten(packed: Path, out: Path, change, compress: int = zipfile.ZIP_STORED) -> Path:
    """A copy of a packed voice whose ``{name: bytes}`` went through ``change``."""
    with zipfile.ZipFile(packed) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    change(files)
    with zipfile.ZipFile(out, "w", compress) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out


def edit(files, **values) -> None:
    files["manifest.json"] = json.dumps(json.loads(files["manifest.json"]) | values).encode()


def refused(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        Singer.load(path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)
    return str(caught.value)


def test_a_packed_voice_sings_as_its_folder(toy_voice, packed, score):
    a, b = Singer.load(toy_voice).sing(score), Singer.load(packed).sing(score)
    np.testing.assert_array_equal(a.waveform, b.waveform)


def test_packing_twice_gives_the_same_bytes(toy_voice, packed, tmp_path):
    again = tmp_path / "elsewhere" / "other.nnsvs"
    pack(toy_voice, again, packed.with_name("terms.txt"), "songs")
    assert again.read_bytes() == packed.read_bytes()


def test_the_recipe_tells_corpus_and_licence(recipe, tmp_path, score, capfd):
    out = tmp_path / "v.nnsvs"
    assert main(["pack", str(recipe), "-o", str(out)]) == 0
    assert "corpus songs" in capfd.readouterr().out
    assert main(["pack", "--show", str(out)]) == 0
    said = capfd.readouterr().out
    for part in (
        "corpus          songs",
        "singers         toy",
        "24000 Hz",
        "ResF0Conv",
        "  Sing as you like.",
    ):
        assert part in said
    assert main(["sing", str(score), "--model", str(out), "-o", str(tmp_path / "song.flac")]) == 0
    given = tmp_path / "given.txt"
    given.write_text("Ask first.")
    assert main(["pack", str(recipe), "-o", str(out), "--licence", str(given), "--corpus", "mine"]) == 0
    made = Pack.read(out)
    assert made.licence == "Ask first." and made.manifest["corpus"] == "mine"


def test_a_voice_says_what_its_corpus_forbids(recipe, tmp_path, score, capfd):
    terms = "Corpus: x\nCommercial use: NOT allowed.\nCredit: x\n"
    (recipe.parents[1] / "data" / "train" / "LICENSE").write_text(terms)
    out = tmp_path / "v.nnsvs"
    assert main(["pack", str(recipe), "-o", str(out)]) == 0
    assert "corpus songs\nCommercial use: NOT allowed.\n" in capfd.readouterr().out
    for voice in (out, recipe):
        command = ["sing", str(score), "--model", str(voice), "-o", str(tmp_path / "song.wav")]
        assert main([*command, "--verbose"]) == 0
        assert terms in capfd.readouterr().out
    assert main(command) == 0
    assert "Commercial use" not in capfd.readouterr().out
    (recipe.parents[1] / "data" / "train" / "LICENSE").unlink()
    assert main([*command, "--verbose"]) == 0
    assert "terms of this voice's corpus are not known" in capfd.readouterr().out


def test_a_voice_without_licence_or_corpus_is_not_packed(toy_voice, recipe, tmp_path):
    out = tmp_path / "v.nnsvs"
    with pytest.raises(DataError, match="give --corpus NAME"):
        pack(toy_voice, out)
    with pytest.raises(DataError, match="no licence of the corpus is found .* give its text with --licence"):
        pack(toy_voice, out, corpus="songs")
    (recipe.parents[1] / "data" / "train" / "LICENSE").write_text(" \n")
    with pytest.raises(DataError, match="LICENSE: a licence has 1 to"):
        pack(recipe, out)
    with pytest.raises(DataError, match=r"a packed voice is named \*\.nnsvs"):
        pack(recipe, tmp_path / "v.zip")
    (recipe / "timelag.pt").unlink()
    with pytest.raises(DataError, match="no timelag.pt"):
        pack(recipe, out)
    assert not out.exists()


def test_the_licence_of_some_singers_is_not_that_of_all(recipe, tmp_path):
    root = recipe.parents[1]
    write_table(root / "data" / "train" / "utt2spk", {"other_a": "other"})
    with pytest.raises(DataError, match="no licence of the corpus is found"):
        pack(recipe, tmp_path / "v.nnsvs")
    (root / "LICENSE").write_text("Of all who sing here.")
    assert pack(recipe, tmp_path / "v.nnsvs").licence == "Of all who sing here."


def test_a_licence_is_not_taken_from_beyond_a_link(recipe, tmp_path):
    secret, train = tmp_path / "secret", recipe.parents[1] / "data" / "train"
    secret.write_text("private")
    (train / "LICENSE").rename(train / "TERMS")
    (train / "LICENSE").symlink_to("TERMS")
    assert pack(recipe, tmp_path / "v.nnsvs").licence == "Sing as you like.\n"
    (train / "LICENSE").unlink()
    for link, target in ((train / "LICENSE", secret), (recipe.parents[1] / "COPYING", "../../../secret")):
        link.symlink_to(target)
        with pytest.raises(DataError, match=f"{link.name}: is a link out of its folder; name the text"):
            pack(recipe, tmp_path / "w.nnsvs")
        link.unlink()
    assert pack(recipe, tmp_path / "w.nnsvs", licence=secret).licence == "private"


def test_pipes_and_devices_are_refused_and_never_waited_for(recipe, tmp_path):
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "fifo", Path("/dev/zero")):
        for read in (Pack.read, load_model, Config.read, partial(pack, recipe, tmp_path / "v.nnsvs")):
            with pytest.raises(DataError, match="is not a regular file"):
                read(path)
        with pytest.raises(DataError, match="no such folder"):
            Singer.load(path)
    (recipe / "model.pt").unlink()
    os.mkfifo(recipe / "model.pt")
    with pytest.raises(DataError, match="no model.pt"):
        Singer.load(recipe)


def test_what_a_pack_says_of_itself_does_nothing_to_the_terminal(toy_voice, tmp_path, capfd):
    licence = tmp_path / "terms.txt"
    licence.write_text("Sing\x1b[2J as\u202e you\tlike.\r\n歌　詞\n")
    pack(toy_voice, tmp_path / "v.nnsvs", licence, "a\x07b\nc")
    assert main(["pack", "--show", str(tmp_path / "v.nnsvs")]) == 0
    said = capfd.readouterr().out
    assert "corpus          a\\x07b\\x0ac\n" in said
    assert "  Sing\\x1b[2J as\\u202e you        like.\n  歌　詞\n" in said


def test_models_that_do_not_belong_together_are_not_packed(recipe, tmp_path, toy_dump):
    state = checkpoint.load(recipe / "duration.pt")
    state["spec"]["feature_config"]["frame_shift"] = 0.01
    checkpoint.save(recipe / "duration.pt", state)
    with pytest.raises(DataError, match="duration.pt: .*other frame_shift"):
        pack(recipe, tmp_path / "v.nnsvs")


@pytest.mark.parametrize("keep", [0, 3, 100, 0.1, 0.5, 0.9, -1])
def test_a_file_that_was_cut_short(keep, packed, tmp_path):
    data = packed.read_bytes()
    count = int(len(data) * keep) if isinstance(keep, float) else keep
    path = tmp_path / "cut.nnsvs"
    path.write_bytes(data[:count])
    said = refused(path)
    assert "damaged or cut short" in said if count > 3 or count < 0 else "not a packed voice" in said


def test_any_damaged_byte_is_noticed_or_harmless(packed, tmp_path, toy_voice, score):
    """A hundred single damages: one clear line each, or a voice that sings the same."""
    data = packed.read_bytes()
    rng = np.random.default_rng(0)
    path = tmp_path / "bad.nnsvs"
    refusals = 0
    for at in [*rng.integers(0, len(data), 70), *rng.integers(len(data) - 700, len(data), 30)]:
        broken = bytearray(data)
        broken[at] ^= 0xFF
        path.write_bytes(broken)
        try:
            read = Pack.read(path)
        except DataError as error:
            assert "\n" not in str(error)
            refusals += 1
        else:
            assert read.files == Pack.read(packed).files
    assert refusals >= 80


@pytest.mark.parametrize(
    "content", [b"", b"hello\n", b"PK\x03\x04", b"PK\x05\x06" + bytes(18), b"\x80\x04K\x01.", bytes(1000)]
)
def test_foreign_files(content, tmp_path):
    path = tmp_path / "x.nnsvs"
    path.write_bytes(content)
    assert "packed voice" in refused(path) or "damaged" in refused(path)


def test_foreign_and_newer_archives(packed, tmp_path):
    def version(files):
        edit(files, version=4)

    out = tmp_path / "x.nnsvs"
    said = refused(rewritten(packed, out, version))
    assert "has version 4 of the format, this nnsvs_lite reads 3; update nnsvs_lite" in said
    assert "not a packed voice" in refused(rewritten(packed, out, lambda f: edit(f, format="other")))
    assert "not a packed voice" in refused(rewritten(packed, out, lambda f: f.pop("manifest.json")))
    assert "models/acoustic.pt is missing" in refused(
        rewritten(packed, out, lambda f: f.pop("models/acoustic.pt"))
    )
    for manifest in (b"[]", b"{", b"\xff", b'{"format": "nnsvs_lite voice", "version": 2}'):
        refused(rewritten(packed, out, lambda f, m=manifest: f.update({"manifest.json": m})))
    without = b'"corpus": "songs",', b""
    said = refused(rewritten(packed, out, lambda f: f.update({MANIFEST: f[MANIFEST].replace(*without)})))
    assert "damaged or cut short: 'corpus'" in said
    said = refused(rewritten(packed, out, lambda f: f.update({"LICENCE.txt": b"other"})))
    assert "LICENCE.txt is not what was packed" in said


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"languages": None}, "damaged or cut short"),
        ({"singers": "toy"}, "its manifest is of other models"),
        ({"sample_rate": -1}, "its manifest is of other models"),
        ({"sample_rate": 48000}, "its manifest is of other models"),
        ({"singers": ["another"]}, "its manifest is of other models"),
        ({"languages": ["en"]}, "its manifest is of other models"),
        ({"more": 1}, "its manifest is of other models"),
        ({"models": {}}, "damaged or cut short: 'timelag'"),
        ({"models": {"timelag": {"file": "models/timelag.pt"}}}, "damaged or cut short: 'class'"),
        ({"files": {}}, "damaged or cut short: 'models/timelag.pt'"),
        ({"files": {"../x": {"size": 1, "sha256": "0"}}}, "damaged: ../x is missing"),
        ({"files": {"LICENCE.txt": {"size": 1.5}}}, "damaged or cut short: 'sha256'"),
        ({"files": {"LICENCE.txt": {"size": 1, "sha256": "0"}}}, "LICENCE.txt is not what was packed"),
        ({"version": 3}, "its manifest is of other models"),
        ({"version": 10**400}, "has version 10+ of the format"),
    ],
)
def test_a_forged_manifest_is_refused(values, message, packed, tmp_path):
    def change(content):
        content[MANIFEST] = json.dumps(json.loads(content[MANIFEST]) | values).encode()

    said = refused(rewritten(packed, tmp_path / "x.nnsvs", change))
    assert re.search(message, said), said


def test_a_manifest_of_many_brackets_is_refused(packed, tmp_path):
    for text in (b"[" * 100_000, b'{"format": ' + b"9" * 5000 + b"}"):
        said = refused(rewritten(packed, tmp_path / "x.nnsvs", lambda f, t=text: f.update({MANIFEST: t})))
        assert "damaged" in said


def test_compressed_archives_are_not_unpacked(packed, tmp_path):
    """A bomb: small on disk, large in memory; outside, or inside a checkpoint."""
    out = tmp_path / "bomb.nnsvs"
    said = refused(rewritten(packed, out, lambda f: f.update(zeros=bytes(10**7)), zipfile.ZIP_DEFLATED))
    assert "compressed data" in said

    def inner(files):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("archive/data.pkl", bytes(10**7))
        put(files, "models/acoustic.pt", buffer.getvalue())

    assert "compressed data" in refused(rewritten(packed, out, inner))


def put(files, name: str, data: bytes) -> None:
    """Replaces a file and its checksum, as someone who means harm would."""
    import hashlib

    manifest = json.loads(files["manifest.json"])
    manifest["files"][name] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    files[name] = data
    files["manifest.json"] = json.dumps(manifest).encode()


class _Evil:
    def __reduce__(self):
        return (Path.touch, (Path("evil"),))


def test_nothing_in_a_packed_voice_is_run(packed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "evil.nnsvs"
    said = refused(rewritten(packed, out, lambda f: put(f, "models/acoustic.pt", pickle.dumps(_Evil()))))
    assert "evil.nnsvs/acoustic" in said and "not loaded" in said
    assert not (tmp_path / "evil").exists()


def test_a_packed_voice_names_no_class_but_its_models(packed, toy_voice, tmp_path, monkeypatch):
    (tmp_path / "helper.py").write_text("open('it_ran', 'w')\nclass Helper: pass\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    options = {"class_path": "helper.Helper", "init_args": {}}
    for path, value, message in (
        (("init_args", "options"), options, "unknown key model.init_args.options.class_path"),
        (("init_args", "options", "gv"), options, "model.init_args.options.gv must be a number"),
        (("class_path",), "helper.Helper", "'helper.Helper' is no model under nnsvs_lite.models"),
    ):
        state = checkpoint.load(toy_voice / "model.pt")
        *keys, last = path
        place = state["config"]["model"]
        for key in keys:
            place = place[key]
        place[last] = value
        checkpoint.save(tmp_path / "model.pt", state)
        change = partial(put, name="models/acoustic.pt", data=(tmp_path / "model.pt").read_bytes())
        assert message in refused(rewritten(packed, tmp_path / "evil.nnsvs", change))
    assert not (tmp_path / "it_ran").exists() and "helper" not in sys.modules


def test_sizes_are_bounded(packed, tmp_path, monkeypatch):
    monkeypatch.setattr(packing, "MAX_SIZE", 1000)
    assert "are too many for a packed voice" in refused(packed)
    monkeypatch.undo()
    monkeypatch.setattr(packing, "MAX_TEXT", 10)
    assert "its manifest is too large" in refused(packed)


def test_the_command_says_what_it_needs(toy_voice, packed, tmp_path, capfd):
    for words, message in (
        (["pack"], "an exp dir and -o voice.nnsvs are needed, or --show FILE"),
        (["pack", toy_voice], "an exp dir and -o voice.nnsvs are needed"),
        (["pack", toy_voice, "--show", packed], "--show goes alone"),
        (["pack", "--show", tmp_path / "nowhere"], "nowhere: no such file"),
        (["pack", "--show", tmp_path], "cannot be read: Is a directory"),
        (["pack", tmp_path / "nowhere", "-o", tmp_path / "v.nnsvs"], "no such folder"),
    ):
        assert main([str(word) for word in words]) == 1
        said = capfd.readouterr().err
        assert message in said and said.count("\n") == 1


def test_an_old_pack_is_refused(packed, tmp_path):
    said = refused(rewritten(packed, tmp_path / "old.nnsvs", lambda files: edit(files, version=1)))
    assert "has version 1 of the format, this nnsvs_lite reads 3; train and pack it again" in said


def test_a_vocoder_goes_with_the_voice(recipe, spec, tmp_path):
    vocoder = tmp_path / "vocoder"
    config = Config.read(ROOT / "conf" / "vocoder" / "world.yaml")
    save_model(vocoder / "model.pt", config.model_class(spec), config, {})
    made = pack(recipe, tmp_path / "v.nnsvs", vocoder=vocoder)
    assert "vocoder model   World, 0 weights" in made.describe()
    assert Singer.load(tmp_path / "v.nnsvs").vocoder.spec == spec
    other = replace(spec, feature_config=replace(spec.feature_config, frame_shift=0.01))
    save_model(vocoder / "model.pt", config.model_class(other), config, {})
    with pytest.raises(DataError, match="vocoder/model.pt: .* of frame_shift .*, not "):
        pack(recipe, tmp_path / "v.nnsvs", vocoder=vocoder)
    with pytest.raises(DataError, match="holds a timelag model, a vocoder model is needed"):
        pack(recipe, tmp_path / "v.nnsvs", vocoder=recipe / "timelag.pt")


def test_a_vocoder_that_learns_nothing_is_named(recipe, tmp_path, capfd):
    assert main(["pack", str(recipe), "-o", str(tmp_path / "v.nnsvs"), "--vocoder", "hn"]) == 0
    assert type(Singer.load(tmp_path / "v.nnsvs").vocoder).__name__ == "Hn"
    first = (tmp_path / "v.nnsvs").read_bytes()
    pack(recipe, tmp_path / "v.nnsvs", vocoder="hn")
    assert (tmp_path / "v.nnsvs").read_bytes() == first
    for name, why in (
        ("hm", r"no such checkpoint, and no vocoder that learns nothing \(did you mean 'hn'\?\)"),
        ("hn_istft", "is the name of a vocoder that learns"),
        ("griffin_lim", "the vocoder needs mel"),
    ):
        with pytest.raises(DataError, match=f"{name}: {why}"):
            pack(recipe, tmp_path / "w.nnsvs", vocoder=name)
    assert not (tmp_path / "w.nnsvs").exists()


def test_a_voice_keeps_the_timing_models_it_was_decoded_with_first(tmp_path, capsys):
    def trained(name: str, content: bytes) -> Path:
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / "model.pt").write_bytes(content)
        return tmp_path / name / "model.pt"

    exp, lags, lengths = tmp_path / "acoustic", trained("lags", b"1"), trained("lengths", b"2")
    assert assemble(exp, timelag=lags, duration=lengths) == [exp / "timelag.pt", exp / "duration.pt"]
    assert assemble(exp, timelag=trained("other_lags", b"3"), duration=lengths) == [exp / "duration.pt"]
    assert (exp / "timelag.pt").read_bytes() == b"1"
    assert "keeps its timelag model, lags" in capsys.readouterr().out
    assemble(exp, timelag=trained("lags", b"4"), duration=lengths)
    assert (exp / "timelag.pt").read_bytes() == b"4", "its own model was trained anew"
    assert assemble(exp, vocoder=trained("hum", b"5")) == [exp / "vocoder.pt"]
    assert assemble(exp, vocoder=trained("buzz", b"6")) == []
    assert "keeps its vocoder model, hum" in capsys.readouterr().out
    assert read_json(exp / "voice.json") == {"timelag": "lags", "duration": "lengths", "vocoder": "hum"}
