"""Banks for OpenUtau: written, sung with as OpenUtau calls them, and mistakes named."""

import copy
import json
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import torch
import yaml
from export_common import make_voice, spec_44k
from models_common import ROOT, build

from nnsvs_lite.bin.main import main
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.synthesis.vocoder import choose_vocoder, waveform_of

pytest.importorskip("onnx", reason="needs onnx: pip install nnsvs_lite[export]")


@pytest.fixture(scope="module")
def voice(toy_mel_dump, tmp_path_factory):
    return make_voice(spec_44k(toy_mel_dump), tmp_path_factory.mktemp("voice44"))


@pytest.fixture(scope="module")
def exported(voice, tmp_path_factory):
    from nnsvs_lite.export.openutau import export_openutau

    (voice / "LICENCE.txt").write_text("For tests alone.\n")
    return export_openutau(voice, tmp_path_factory.mktemp("zip") / "toy.zip", name="トイ", author="tests")


@pytest.fixture(scope="module")
def unpacked(exported, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bank")
    with zipfile.ZipFile(exported.path) as archive:
        archive.extractall(folder)
    (root,) = folder.iterdir()
    return root


@pytest.fixture
def bank(unpacked, tmp_path):
    return shutil.copytree(unpacked, tmp_path / "bank")


def test_a_bank_has_the_files_that_openutau_looks_for(unpacked):
    files = {p.relative_to(unpacked).as_posix() for p in unpacked.rglob("*") if p.is_file()}
    assert {"character.txt", "character.yaml", "dsconfig.yaml", "phonemes.json", "acoustic.onnx"} <= files
    assert {
        f"dsdur/{n}" for n in ("dsconfig.yaml", "phonemes.json", "linguistic.onnx", "dur.onnx", "dsdict.yaml")
    } <= files
    assert {
        f"dspitch/{n}" for n in ("dsconfig.yaml", "linguistic.onnx", "pitch.onnx", "dsdict.yaml")
    } <= files
    assert {
        "dsvocoder/vocoder.yaml",
        "dsvocoder/vocoder.onnx",
        "LICENCE.txt",
        "nnsvs_lite_checks.json",
    } <= files
    assert (unpacked / "LICENCE.txt").read_text() == "For tests alone.\n"
    assert "name=トイ\n" in (unpacked / "character.txt").read_text()
    about = yaml.safe_load((unpacked / "character.yaml").read_text())
    assert about["default_phonemizer"] == "OpenUtau.Core.DiffSinger.DiffSingerJapanesePhonemizer"
    tokens = json.loads((unpacked / "phonemes.json").read_text())
    assert sorted(tokens.values()) == list(range(len(tokens))) and {"SP", "AP", "a"} <= set(tokens)
    words = yaml.safe_load((unpacked / "dsdur" / "dsdict.yaml").read_text())
    read = {row["grapheme"]: row["phonemes"] for row in words["entries"]}
    assert read["ka"] == ["k", "a"] and read["し"] == read["シ"] == ["sh", "i"]
    assert {row["symbol"] for row in words["symbols"]} == set(tokens)


def test_what_was_checked_lies_in_the_bank(exported, unpacked):
    record = json.loads((unpacked / "nnsvs_lite_checks.json").read_text())
    assert record == exported.record
    assert record["pitch"]["found"] == record["pitch"]["notes"] == 10
    assert abs(record["pitch"]["median_cents"]) < 20
    assert len(record["differences_from_torch"]) == 6
    assert max(record["differences_from_torch"].values()) <= 1e-3


def test_spectra_are_those_that_the_voice_sings(voice, unpacked):
    """The graph against Singer itself, which knows nothing of graphs."""
    import torch

    from nnsvs_lite.export.banks import Part
    from nnsvs_lite.score import Note, Score
    from nnsvs_lite.synthesis.singer import Singer

    rows, time = [Note(0.0, 0.4, 0, phones=("pau",))], 0.4
    for pitch, phones in ((60, ("s", "a")), (64, ("k", "u")), (62, ("r", "a"))):
        rows.append(Note(time, time + 0.5, pitch, "x", phones=phones))
        time += 0.5
    rows.append(Note(time, time + 0.4, 0, phones=("pau",)))
    singer = Singer.load(voice)
    plan = singer.plan(Score(tuple(rows), lang="ja"))
    (phrase,) = singer.phrases(plan, [0])
    main = Part.read(unpacked, "")
    names = ["SP" if p == "pau" else p for p in phrase.score.phones]
    tokens = np.array([[main.tokens[name] for name in names]])
    f0 = np.exp(phrase.streams["lf0"][:, 0])[None]
    made = main.graph("acoustic")(tokens=tokens, durations=phrase.duration[None], f0=f0, steps=np.array([1]))
    assert np.abs(made["mel"][0] - phrase.streams["mel"]).max() < 1e-3
    pitch = Part.read(unpacked, "dspitch")
    vectors = pitch.graph("linguistic")(tokens=tokens, ph_dur=phrase.duration[None])["encoder_out"]
    lengths = np.array([[phrase.duration[np.array(phrase.score.note_index) == n].sum() for n in range(5)]])
    told = {"note_midi": plan.ready[0].score.note_context[None, :, singer.spec.column("note", "pitch_held")]}
    told |= {
        "note_dur": lengths,
        "note_rest": np.array([[True, False, False, False, True]]),
        "steps": np.array([1]),
    }
    frames = int(phrase.duration.sum())
    told |= {"pitch": np.zeros((1, frames), np.float32), "retake": np.ones((1, frames), bool)}
    sung = pitch.graph("pitch")(encoder_out=vectors, ph_dur=phrase.duration[None], **told)["pitch_pred"]
    midi = 69 + 12 * np.log2(f0 / 440)
    assert np.abs(sung - midi).max() < 0.01  # a cent
    assert torch.is_grad_enabled()


def test_durations_fill_words_and_keep_consonants(unpacked, voice):
    from nnsvs_lite.export.banks import Part
    from nnsvs_lite.models.layers.timing_floor import TimingFloor
    from nnsvs_lite.synthesis.singer import Singer

    part, spec = Part.read(unpacked, "dsdur"), Singer.load(voice).spec
    words = [["SP", "s"], ["a", "k"], ["u"], ["SP"]]
    tokens = np.array([[part.tokens[p] for word in words for p in word]])
    told = {"word_div": np.array([[len(word) for word in words]]), "word_dur": np.array([[60, 50, 90, 40]])}
    made = part.graph("linguistic")(tokens=tokens, **told)
    midi = np.full(tokens.shape, 60)
    lengths = part.graph("dur")(encoder_out=made["encoder_out"], x_masks=made["x_masks"], ph_midi=midi)[
        "ph_dur_pred"
    ]
    assert np.allclose(np.add.reduceat(lengths[0], [0, 2, 4, 5]), [60, 50, 90, 40])
    mean = TimingFloor(spec).mean
    for place, phone in ((1, "s"), (3, "k")):
        assert lengths[0, place] == pytest.approx(float(mean[spec.phones.index(phone) + 1]))
    assert not made["x_masks"].any()


def edit(path, **changes):
    value = yaml.safe_load(path.read_text())
    for key, new in changes.items():
        if new is None:
            value.pop(key, None)
        else:
            value[key] = new
    path.write_text(yaml.safe_dump(value, sort_keys=False))


def rename(path, old, new=None):
    """Gives an input another name, or takes it away where nothing reads it."""
    import onnx

    model = onnx.load(str(path))
    value = next(v for v in model.graph.input if v.name == old)
    if new is None:
        model.graph.input.remove(value)
    else:
        value.name = new
        for node in model.graph.node:
            node.input[:] = [new if name == old else name for name in node.input]
    onnx.save(model, str(path))


def renumber(path, phone, number):
    path.write_text(json.dumps(json.loads(path.read_text()) | {phone: number}))


def drop_symbol(root):
    path = root / "dsdur" / "dsdict.yaml"
    value = yaml.safe_load(path.read_text())
    value["symbols"] = [row for row in value["symbols"] if row["symbol"] != "k"]
    path.write_text(yaml.safe_dump(value, allow_unicode=True))


def two_speakers(root):
    edit(root / "dsconfig.yaml", speakers=["a", "b"])
    edit(
        root / "character.yaml",
        subbanks=[{"color": "", "prefix": "", "suffix": "c", "tone_ranges": ["C1-B7"]}],
    )


def predicting(root):
    (root / "dsvariance").mkdir()
    for name in ("phonemes.json", "dsdict.yaml", "linguistic.onnx"):
        shutil.copy(root / "dspitch" / name, root / "dsvariance" / name)
    shutil.copy(root / "dspitch" / "pitch.onnx", root / "dsvariance" / "variance.onnx")
    given = yaml.safe_load((root / "dspitch" / "dsconfig.yaml").read_text())
    kept = {k: v for k, v in given.items() if not k.startswith("predict_") and k != "pitch"}
    (root / "dsvariance" / "dsconfig.yaml").write_text(yaml.safe_dump(kept | {"variance": "variance.onnx"}))


MISTAKES = {
    "wrong name": (
        lambda r: rename(r / "acoustic.onnx", "f0", "pitch"),
        ["acoustic.onnx", "Missing input(s): pitch"],
    ),
    "missing steps": (
        lambda r: rename(r / "acoustic.onnx", "steps"),
        ["acoustic.onnx", "Unexpected input(s): steps"],
    ),
    "missing languages": (
        lambda r: edit(r / "dsconfig.yaml", use_lang_id=True),
        ["languages.json: is missing", "Unexpected input(s): languages"],
    ),
    "depth range": (
        lambda r: edit(r / "dsconfig.yaml", use_variable_depth=True, max_depth=-1),
        ["max_depth -1 lies outside 0..1"],
    ),
    "mel base": (lambda r: edit(r / "dsconfig.yaml", mel_base="2"), ["mel_base is '2'; it is 10 or e"]),
    "sample rate": (
        lambda r: edit(r / "dsvocoder" / "vocoder.yaml", sample_rate=24000),
        ["sample_rate is 24000, that of dsconfig.yaml 44100"],
    ),
    "missing symbol": (drop_symbol, ["dsdur/dsdict.yaml: no symbol row for k"]),
    "speaker suffix": (
        two_speakers,
        ["the subbank suffix 'c' is none of the speakers a, b", "a.emb: is missing"],
    ),
    "predict default": (
        predicting,
        ["dsvariance/dsconfig.yaml: predict_energy is not given, so it is taken for true"],
    ),
    "max_depth unit": (
        lambda r: edit(r / "dsconfig.yaml", use_variable_depth=True, max_depth=300),
        ["max_depth 300 is in steps", "it is a share, 0 to 1"],
    ),
    "rate of all": (
        lambda r: [edit(r / n, sample_rate=24000) for n in ("dsconfig.yaml", "dsvocoder/vocoder.yaml")],
        ["not resampled"],
    ),
    "other kind of singer": (
        lambda r: edit(r / "character.yaml", singer_type="utau"),
        ["singer_type is 'utau'"],
    ),
    "share for steps": (
        lambda r: edit(
            r / "dsconfig.yaml", use_variable_depth=True, max_depth=0.6, use_continuous_acceleration=False
        ),
        ["max_depth 0.6 is a share", "Unexpected input(s): speedup, depth", "Missing input(s): steps"],
    ),
    "no vocoder": (lambda r: edit(r / "dsconfig.yaml", vocoder=""), ["vocoder is empty"]),
    "no dictionary": (
        lambda r: (r / "dspitch" / "dsdict.yaml").unlink(),
        ["dspitch/dsdict.yaml: is missing"],
    ),
    "a number of no phoneme": (
        lambda r: renumber(r / "phonemes.json", "a", 10_000),
        ["acoustic.onnx: cannot be run", "1 fault in"],
    ),
    "kinds without names": (
        lambda r: edit(r / "dsdur" / "dsdict.yaml", symbols=["SP", "AP", "a"]),
        ["dsdur/dsdict.yaml: symbols must be a list of {symbol, type}"],
    ),
    "phonemes that are a number": (
        lambda r: edit(r / "dspitch" / "dsdict.yaml", entries=[{"grapheme": "a", "phonemes": 5}]),
        ["dspitch/dsdict.yaml: symbols must be"],
    ),
    "a size that is a word": (
        lambda r: edit(r / "dsconfig.yaml", hidden_size="big"),
        ["dsconfig.yaml: hidden_size is 'big'; it must be a whole number from 1 (the singer is not loaded)"],
    ),
    "a size of nothing": (
        lambda r: edit(r / "dsdur" / "dsconfig.yaml", hop_size=0),
        ["dsdur/dsconfig.yaml: hop_size is 0", "1 fault in"],
    ),
    "subbanks that are a number": (
        lambda r: [two_speakers(r), edit(r / "character.yaml", subbanks=3)],
        ["character.yaml: has no subbanks"],
    ),
    "a number without end": (
        lambda r: (r / "phonemes.json").write_text('{"a": Infinity}'),
        ["phonemes.json: cannot be read"],
    ),
    "a word for yes and no": (
        lambda r: (r / "dsconfig.yaml").write_text("use_lang_id: !!bool maybe"),
        ["dsconfig.yaml: is no YAML"],
    ),
    "a bracket that is not closed": (
        lambda r: (r / "dsconfig.yaml").write_text("acoustic: acoustic.onnx\nspeakers: [a"),
        ["dsconfig.yaml: is no YAML (line 2, column 13: "],
    ),
    "phonemes that are a list": (
        lambda r: (r / "phonemes.json").write_text('["SP", "a"]'),
        ["phonemes.json: cannot be read (it must be a table of names and their numbers)"],
    ),
    "a file of somebody else": (
        lambda r: [(r.parent / "x.onnx").write_bytes(b"x"), edit(r / "dsconfig.yaml", acoustic="../x.onnx")],
        ["dsconfig.yaml: names '../x.onnx', which lies outside the bank"],
    ),
    "damaged network": (
        lambda r: (r / "acoustic.onnx").write_bytes(b"no"),
        ["acoustic.onnx: no ONNX network"],
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_a_bank_is_named(bank, mistake, capsys):
    make, told = MISTAKES[mistake]
    make(bank)
    assert main(["export", "--check", str(bank)]) == 1
    said = capsys.readouterr().out
    for words in told:
        assert words in said
    assert "Traceback" not in said


def test_a_right_bank_has_no_faults_and_is_sung(exported, capsys):
    assert main(["export", "--check", str(exported.path)]) == 0
    said = capsys.readouterr().out
    assert "0 faults" in said and "sung: 10 notes" in said


def test_a_bank_without_the_tunes_lyrics_or_a_vocoder_is_not_sung(bank, capsys):
    path = bank / "dsdur" / "dsdict.yaml"
    words = yaml.safe_load(path.read_text())
    others = [row for row in words["entries"] if row["grapheme"] != "ku"]
    path.write_text(yaml.safe_dump(words | {"entries": others}, allow_unicode=True))
    assert main(["export", "--check", str(bank)]) == 0
    path.write_text(yaml.safe_dump(words, allow_unicode=True))
    shutil.rmtree(bank / "dsvocoder")
    assert main(["export", "--check", str(bank)]) == 0
    said = capsys.readouterr().out
    assert said.count("0 faults") == 2 and "sung" not in said


def test_lengths_are_of_frames_as_long_as_the_spectras(unpacked, bank):
    """Of dsdur with frames of twice the length the same phones come out, to a frame."""
    from nnsvs_lite.export.replay import SAKURA, Player

    edit(bank / "dsdur" / "dsconfig.yaml", hop_size=1024)
    (own, other) = (Player(root).sing(SAKURA) for root in (unpacked, bank))
    assert own.phones == other.phones
    vowels = [i for i, phone in enumerate(own.phones) if phone in "aiueo"]
    ends = [np.cumsum(sung.lengths[:-1]) - sung.lengths[0] for sung in (own, other)]
    starts = [end[np.array(vowels) - 1] - end[vowels[0] - 1] for end in ends]
    assert np.abs(starts[0] - starts[1]).max() <= 1 and own.notes[-1][1] - own.notes[0][0] > 5


def test_each_network_is_loaded_once(unpacked, monkeypatch):
    from nnsvs_lite.export.banks import Part
    from nnsvs_lite.export.replay import SAKURA, Player

    loaded, graph = [], Part.graph
    monkeypatch.setattr(Part, "graph", lambda part, key: loaded.append((part.name, key)) or graph(part, key))
    player = Player(unpacked)
    for _ in range(2):
        player.sing(SAKURA[:3])
    assert len(player.calls) == 12 and sorted(loaded) == sorted(set(loaded)) and len(loaded) == 6


def test_a_bank_is_checked_without_torch(exported):
    code = "import sys; sys.modules['torch'] = None; from nnsvs_lite.bin.main import main; "
    code += "sys.exit(main(['export', '--check', sys.argv[1]]))"
    done = subprocess.run([sys.executable, "-c", code, exported.path], capture_output=True, text=True)
    assert done.returncode == 0 and "sung: 10 notes" in done.stdout, done.stderr[-1000:]


def test_voices_that_cannot_be_banks_are_refused(toy_mel_dump, voice, toy_voice, tmp_path, capsys):
    from nnsvs_lite.export.openutau import export_openutau

    with pytest.raises(DataError, match="reads the whole score"):
        export_openutau(toy_voice, tmp_path / "a.zip")
    slow = make_voice(
        replace(spec_44k(toy_mel_dump), feature_config=_other_rate(toy_mel_dump)), tmp_path / "slow"
    )
    with pytest.raises(DataError, match="a voice of 24000 Hz: OpenUtau plays 44100 Hz alone"):
        export_openutau(slow, tmp_path / "a.zip")
    with pytest.raises(DataError, match=r"named \*.zip"):
        export_openutau(voice, tmp_path / "folder")
    with pytest.raises(DataError, match="cannot be a bank's vocoder"):
        export_openutau(voice, tmp_path / "a.zip", vocoder="griffin_lim")
    assert not (tmp_path / "a.zip").exists()


def _other_rate(dump):
    spec = spec_44k(dump)
    return replace(spec.feature_config, sample_rate=24000, mel=replace(spec.feature_config.mel, fmax=12000))


def test_a_base_with_the_scores_harmonics_is_refused(toy_mel_dump):
    from models_common import ROOT

    from nnsvs_lite.models.config import Config

    words = ["--model.options.residual_to_rule=false"]
    config = Config.read(ROOT / "conf/acoustic/divided_singer_tiny.yaml", words)
    with pytest.raises(DataError, match="deviation needs options.residual_to_rule"):
        config.build(spec_44k(toy_mel_dump))


def test_a_vocoder_of_another_logarithm_is_told_its_own(toy_mel_dump):
    from nnsvs_lite.export.vocoders import Voicing, vocoder_graph

    spec = spec_44k(toy_mel_dump)
    mel = replace(spec.feature_config.mel, log="log10", log_floor=1e-10)
    other = replace(spec, feature_config=replace(spec.feature_config, mel=mel))
    model = choose_vocoder(spec, build(ROOT / "conf" / "vocoder" / "hn.yaml", other))
    mel, f0 = np.random.default_rng(0).normal(-3, 1, (40, 128)), np.full(40, 220.0)
    sung = waveform_of(model, {"lf0": np.log(f0)[:, None], "vuv": np.ones((40, 1)), "mel": mel})
    graph = vocoder_graph(copy.deepcopy(model), Voicing(np.zeros(128), 1.0, 1.0))
    told = [torch.tensor(x[None], dtype=torch.float32) for x in (mel, f0)]
    assert np.abs(graph(*told)[0].numpy() - sung).max() < 1e-2 * np.abs(sung).max()


def test_several_singers_have_vectors(toy_mel_dump, tmp_path):
    from nnsvs_lite.export.openutau import export_openutau

    made = export_openutau(
        make_voice(spec_44k(toy_mel_dump, ("ann", "bob")), tmp_path / "two"), tmp_path / "two.zip"
    )
    with zipfile.ZipFile(made.path) as archive:
        names = {name.partition("/")[2] for name in archive.namelist()}
    for place in ("", "dsdur/", "dspitch/"):
        assert {f"{place}ann.emb", f"{place}bob.emb"} <= names


def test_zips_that_would_write_elsewhere_are_refused(tmp_path):
    from nnsvs_lite.export.replay import check

    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr("../character.txt", "name=x\n")
    with pytest.raises(DataError, match="outside its folder"):
        check(tmp_path / "bad.zip")
    (tmp_path / "none.zip").write_bytes(b"PK")
    with pytest.raises(DataError, match="no zip file"):
        check(tmp_path / "none.zip")
    assert not (tmp_path.parent / "character.txt").exists()
