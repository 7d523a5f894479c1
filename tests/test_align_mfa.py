"""The Montreal Forced Aligner's driver, against its real files and a stand-in program."""

import dataclasses
import json
import shutil
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml
from align_corpus import make_corpus

from nnsvs_lite.align.config import AlignConfig, MfaConfig, RefineConfig
from nnsvs_lite.align.mfa import MfaAligner, training_config
from nnsvs_lite.align.phrases import CorpusFolder, cut_utterance
from nnsvs_lite.align.stage import align
from nnsvs_lite.io.errors import DataError

# A program that takes mfa's arguments and writes, for every transcript, a TextGrid in which all
# phones of its words are as long: enough to see what the driver asks for and what it makes of it.
STAND_IN = """#!{python}
import pathlib, sys
args = sys.argv[1:]
pathlib.Path({log!r}).open("a").write(" ".join(args) + "\\n")
if args[0] == "version":
    print({version!r}); sys.exit(0)
{extra}
if args[0] == "train":
    pathlib.Path(args[3]).write_text("model")
if args[0] == "align":
    import wave
    words = dict(line.split("\\t") for line in pathlib.Path(args[2]).read_text().splitlines())
    out = pathlib.Path(args[4]); out.mkdir(parents=True, exist_ok=True)
    for lab in sorted(pathlib.Path(args[1]).rglob("*.lab")):
        phones = " ".join(words[w] for w in lab.read_text().split()).split()
        with wave.open(str(lab.with_suffix(".wav"))) as f:
            end = f.getnframes() / f.getframerate()
        edges = [round(i * end / (len(phones) + 2), 2) for i in range(len(phones) + 2)] + [end]
        rows = list(zip(edges, edges[1:], ["", *phones, ""]))
        head = 'File type = "ooTextFile"\\nObject class = "TextGrid"\\n\\n'
        body = f"xmin = 0\\nxmax = {{end}}\\ntiers? <exists>\\nsize = 1\\nitem []:\\n    item [1]:\\n"
        body += '        class = "IntervalTier"\\n        name = "phones"\\n'
        body += f"        xmin = 0\\n        xmax = {{end}}\\n        intervals: size = {{len(rows)}}\\n"
        for i, (a, b, p) in enumerate(rows, 1):
            body += f'        intervals [{{i}}]:\\n            xmin = {{a}}\\n            xmax = {{b}}\\n'
            body += f'            text = "{{p}}"\\n'
        (out / (lab.stem + ".TextGrid")).write_text(head + body)
"""


PROGRAMS = ("compute-mfcc-feats", "fstcompile")


@pytest.fixture
def stand_in(tmp_path):
    """Writes a stand-in ``mfa``; returns a function from its behaviour to an aligner and its log."""

    def make(extra: str = "", version: str = "3.4.3", programs=PROGRAMS, **options):
        program, log = tmp_path / "mfa", tmp_path / "calls"
        text = STAND_IN.format(python=sys.executable, log=str(log), version=version, extra=extra)
        program.write_text(text)
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        for name in programs:
            shutil.copy(program, tmp_path / name)
        mfa = MfaConfig(command=str(program), **options)
        return MfaAligner(AlignConfig(backend="mfa", mfa=mfa), tmp_path / "work", 2), log

    return make


@pytest.fixture
def folder(tmp_path):
    data = make_corpus(tmp_path / "data", 3, notes=4)
    corpus = CorpusFolder(tmp_path / "work", "phrase")
    phrases = [p for u in data.utts for p in cut_utterance(u, "toy", data.scores[u], data.duration(u))]
    corpus.write(phrases, {u: data for u in data.utts})
    return corpus


def test_training_configuration_is_the_one_mfa_read(shared_data):
    real = (shared_data / "mfa_run" / "train_config.yaml").read_text()
    assert yaml.safe_load(training_config(MfaConfig())) == yaml.safe_load(real)
    assert len(yaml.safe_load(training_config(MfaConfig(triphones=True)))["training"]) == 2


def test_corpus_has_the_layout_that_mfa_read(shared_data, folder):
    real = shared_data / "mfa_run" / "corpus" / "utt000.lab"
    mine = sorted(p.name for p in folder.corpus.iterdir())
    assert mine == [f"toy_{i:03d}.{kind}" for i in range(3) for kind in ("lab", "stamp", "wav")]
    text = (folder.corpus / "toy_000.lab").read_text()
    # One line of words, each in the dictionary as ``word<tab>phones``.
    assert text.count("\n") == real.read_text().count("\n") == 1
    entries = dict(line.split("\t") for line in folder.dictionary.read_text().splitlines())
    assert entries[text.strip()].split() == [p for p in folder.phrases[0].score.phones if p != "pau"]


def test_audio_that_changed_is_written_again(folder, tmp_path):
    import os

    import soundfile

    data = make_corpus(tmp_path / "other", 3, seed=4, notes=4)
    place = folder.corpus / "toy_001.wav"
    before = [(p, p.stat().st_mtime_ns) for p in sorted(folder.corpus.glob("*.wav"))]
    os.utime(data.wavs["toy_001"])

    def write(wavs):
        again = CorpusFolder(tmp_path / "work", "phrase", notes=1)
        moved = dataclasses.replace(data, wavs=wavs)
        again.write([p for p in folder.phrases if p.utt in wavs], dict.fromkeys(data.utts, moved))
        return again

    first = {p.utt: tmp_path / "data_wav" / f"{p.utt}.wav" for p in folder.phrases}
    again = write(first | {"toy_001": data.wavs["toy_001"]})
    changed = [p.name for p, t in before if p.stat().st_mtime_ns != t]
    assert "toy_001.wav" in changed
    pieces = sorted(again.training.glob("toy_001--*.wav"))
    whole, parts = soundfile.info(place).duration, sum(soundfile.info(p).duration for p in pieces)
    assert len(pieces) == 4 and parts == pytest.approx(whole, abs=0.01)
    # Phrases that are gone are taken out, so that nobody trains on them.
    write({"toy_000": first["toy_000"]})
    assert {p.name.partition(".")[0].partition("--")[0] for p in again.training.iterdir()} == {"toy_000"}


def test_speakers_get_folders_of_their_own(tmp_path):
    data = make_corpus(tmp_path / "data", 1, notes=3)
    corpus = CorpusFolder(tmp_path / "work", "syllable", single_speaker=False)
    corpus.write(cut_utterance("toy_000", "toy", data.scores["toy_000"], 2.0), {"toy_000": data})
    assert (corpus.corpus / "toy" / "toy_000.wav").exists()
    assert len((corpus.corpus / "toy" / "toy_000.lab").read_text().split()) == 3


def test_trains_and_aligns_with_the_commands_that_worked(stand_in, folder, tmp_path):
    aligner, log = stand_in()
    assert aligner.check() == "mfa 3.4.3"
    found, failed = aligner.align(folder)
    assert failed == {} and sorted(found) == ["toy_000", "toy_001", "toy_002"]
    for phrase in folder.phrases:
        assert [s.label for s in found[phrase.name]] == phrase.score.phones
    calls = [line.split() for line in log.read_text().splitlines()]
    train, align = calls[1], calls[2]
    assert train[:3] == ["train", str(folder.corpus), str(folder.dictionary)]
    assert train[4:6] == ["--config_path", str(tmp_path / "work" / "train_config.yaml")]
    shared = ["--clean", "--final_clean", "-j", "2", "--single_speaker", "--no_use_mp", "--quiet"]
    assert train[6:] == shared and align[0] == "align" and align[-7:] == shared
    assert align[-8] == "--output_analysis"
    # Run again, nothing is done again; a lost TextGrid is made again with the model there is.
    aligner.align(folder)
    assert len(log.read_text().splitlines()) == 3
    shutil.rmtree(tmp_path / "work" / "aligned" / "shard000")
    aligner.align(folder)
    assert [line.split()[0] for line in log.read_text().splitlines()[3:]] == ["align"]


def test_failure_is_one_line_with_the_place_of_the_log(stand_in, folder, tmp_path):
    box = "\\n".join(
        ["Traceback (most recent call last):", '  File "x.py", line 1', "╭── Error ──╮",
         "│ PronunciationError: \x1b[31mphone q not found\x1b[0m │", "╰──────╯", "INFO done"]
    )  # fmt: skip
    aligner, _ = stand_in(extra=f'if args[0] == "train": print("""{box}"""); sys.exit(3)')
    with pytest.raises(DataError) as error:
        aligner.align(folder)
    log = tmp_path / "work" / "log" / "train.log"
    said = "mfa failed with status 3: PronunciationError: phone q not found"
    assert str(error.value) == f"{said} (full log: {log})"
    assert "INFO done" in log.read_text()
    assert not (tmp_path / "work" / "model.zip").exists()


def test_killed_program_is_named(stand_in, folder):
    aligner, _ = stand_in(extra='if args[0] == "align": import os; os.kill(os.getpid(), 9)')
    with pytest.raises(
        DataError, match=r"mfa was ended by signal 9: it said nothing \(full log: .*align_shard"
    ):
        aligner.align(folder)


def test_success_without_output_is_a_failure(stand_in, folder):
    aligner, _ = stand_in(extra='if args[0] == "align": sys.exit(0)')
    with pytest.raises(DataError, match="ended well but wrote no TextGrid"):
        aligner.align(folder)
    aligner, _ = stand_in(extra='if args[0] == "train": sys.exit(0)', iterations=41)
    with pytest.raises(DataError, match="ended well but wrote no model"):
        aligner.align(folder)


def test_phrases_without_path_are_listed(stand_in, folder):
    lose = 'if args[0] == "align": [p.unlink() for p in pathlib.Path(args[1]).glob("toy_001.*")]'
    aligner, _ = stand_in(extra=lose)
    found, failed = aligner.align(folder)
    assert sorted(found) == ["toy_000", "toy_002"]
    assert failed == {"toy_001": "the aligner found no path through it"}


def test_other_versions_are_refused(stand_in):
    with pytest.raises(DataError, match=r"mfa is version 2.2.17; 3.x is needed"):
        stand_in(version="2.2.17")[0].check()
    with pytest.raises(DataError, match="mfa version says no version: rubbish"):
        stand_in(version="rubbish")[0].check()


FIND = """
if args[0] != "version":
    import os, shutil
    lost = [name for name in ("compute-mfcc-feats", "fstcompile") if shutil.which(name) is None]
    if lost or os.environ["MFA_ROOT_DIR"] != {root!r}:
        print("Error: cannot find", *lost, os.environ["MFA_ROOT_DIR"]); sys.exit(1)
"""


@pytest.mark.parametrize("how", ["by its path", "by a link", "on the path"])
def test_programs_are_found_beside_the_launcher(stand_in, folder, tmp_path, monkeypatch, how):
    aligner, _ = stand_in(extra=FIND.format(root=str(tmp_path / "work" / "root")))
    if how != "by its path":
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin" / "mfa").symlink_to(tmp_path / "mfa")
        command = str(tmp_path / "bin" / "mfa") if how == "by a link" else ""
        aligner.options = dataclasses.replace(aligner.options, command=command)
        monkeypatch.setattr("nnsvs_lite.align.mfa.TOOLS", tmp_path / "none")
        monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    assert aligner.check() == "mfa 3.4.3"
    assert len(aligner.align(folder)[0]) == 3


def test_an_environment_that_is_not_whole_is_named(stand_in, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    with pytest.raises(DataError, match=f"mfa 3.4.3 lacks fstcompile .neither in {tmp_path} nor on the path"):
        stand_in(programs=PROGRAMS[:1])[0].check()
    with pytest.raises(DataError, match="lacks compute-mfcc-feats "):
        (tmp_path / PROGRAMS[0]).unlink()
        stand_in(programs=PROGRAMS[1:])[0].check()


def test_a_runner_opens_the_environment_itself(stand_in, tmp_path):
    aligner, _ = stand_in(programs=())
    command = f"{sys.executable} {tmp_path / 'mfa'}"
    aligner.options = dataclasses.replace(aligner.options, command=command)
    assert aligner.check() == "mfa 3.4.3"


def test_missing_program_says_what_to_do(tmp_path, monkeypatch):
    recipe = tmp_path / "egs" / "x" / "svs1"
    recipe.mkdir(parents=True)
    monkeypatch.chdir(recipe)
    monkeypatch.setenv("PATH", str(tmp_path))
    aligner = MfaAligner(AlignConfig(backend="mfa"), tmp_path / "work")
    monkeypatch.setattr("nnsvs_lite.align.mfa.TOOLS", tmp_path / "tools")
    with pytest.raises(
        DataError, match=r"not installed \(no mfa on the path\), or do without: .* score needs"
    ):
        aligner.check()
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "install_mfa.sh").touch()
    with pytest.raises(DataError) as error:
        aligner.check()
    installer = str(error.value).partition("run ")[2].partition(")")[0]
    assert (recipe / installer).resolve() == tmp_path / "tools" / "install_mfa.sh"
    config = AlignConfig(backend="mfa", mfa=MfaConfig(command="no-such-program run mfa"))
    with pytest.raises(DataError, match="no-such-program cannot be started"):
        MfaAligner(config, tmp_path / "work").check()


def test_the_installer_sees_what_is_missing(stand_in, tmp_path, monkeypatch):
    stand_in(programs=PROGRAMS[:1])
    (tmp_path / "env" / "bin").mkdir(parents=True)
    for name in ("mfa", *PROGRAMS[:1]):
        shutil.move(tmp_path / name, tmp_path / "env" / "bin" / name)
    script = Path(__file__).parents[1] / "tools" / "install_mfa.sh"
    monkeypatch.setenv("PATH", f"{tmp_path / 'env' / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv("HOME", str(tmp_path))

    def install():
        command = ["bash", str(script), "--prefix", str(tmp_path / "env")]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    shutil.copy(tmp_path / "env" / "bin" / "mfa", tmp_path / "env" / "bin" / PROGRAMS[1])
    assert install().stdout == f"mfa 3.4.3 is there already: {tmp_path / 'env'}\n"
    (tmp_path / "env" / "bin" / PROGRAMS[1]).unlink()
    made = install()
    assert made.returncode == 1 and "env/bin/fstcompile is missing" in made.stderr
    # What conda did not make is not removed.
    assert "exists and is no environment" in made.stderr and (tmp_path / "env" / "bin" / "mfa").exists()
    (tmp_path / "env" / "conda-meta").mkdir()
    made = install()
    assert made.returncode == 1 and "is not whole; it is made again" in made.stdout
    assert "none of micromamba, mamba and conda is installed" in made.stderr


def test_model_that_is_not_there(stand_in, folder):
    with pytest.raises(DataError, match="no such acoustic model"):
        stand_in(model="models/none.zip")[0].prepare_model(folder)
    aligner, log = stand_in(model="japanese_mfa")
    aligner.align(folder)
    assert log.read_text().splitlines()[-1].split()[3] == "japanese_mfa"


@pytest.mark.parametrize(("meta", "theirs"), [("meta.json", ""), ("m/meta.yaml", "x"), ("other", "")])
def test_phones_that_a_model_lacks_are_named(stand_in, folder, tmp_path, meta, theirs):
    phones = sorted({phone for phrase in folder.phrases for phone in phrase.score.phones} - {"pau"})
    gone = folder.phrases[1].score.phones[1]
    with zipfile.ZipFile(tmp_path / "some.zip", "w") as file:
        file.writestr(meta, json.dumps({"phones": [phone for phone in phones if phone != gone]}))
    folder.names = {gone: theirs or gone}
    aligner, _ = stand_in(model=str(tmp_path / "some.zip"))
    _, failed = aligner.align(folder)
    reason = f"the model has no phone '{theirs or gone}'; phone_map says what it calls ours"
    lacking = [p.name for p in folder.phrases if gone in p.score.phones]
    told = {name: why for name, why in failed.items() if "no phone" in why}
    assert told == ({} if meta == "other" else dict.fromkeys(lacking, reason))


def test_a_downloaded_model_is_found_in_our_root(stand_in, tmp_path):
    aligner, _ = stand_in(model="japanese_mfa")
    assert str(aligner.given_model()) == "japanese_mfa"
    place = tmp_path / "work" / "root" / "pretrained_models" / "acoustic" / "japanese_mfa.zip"
    place.parent.mkdir(parents=True)
    place.write_text("model")
    assert aligner.given_model() == place


def test_what_the_aligner_could_not_align_is_counted(stand_in, tmp_path):
    make_corpus(tmp_path / "data", 4, notes=4)
    lose = 'if args[0] == "align": [p.unlink() for p in pathlib.Path(args[1]).glob("toy_00[12].*")]'
    aligner, _ = stand_in(extra=lose)
    refine = RefineConfig(iterations=2, start="aligner")
    config = AlignConfig("mfa", mfa=aligner.options, refine=refine)
    align([tmp_path / "data"], config, tmp_path / "exp", realign=True, say=lambda line: None)
    text = (tmp_path / "exp" / "report.txt").read_text()
    assert "could not align 2 of 4: toy_001: mfa: the aligner found no path through it\n" in text
    assert "aligner and refinement agree within 20 ms at " in text
    saved = json.loads((tmp_path / "exp" / "report.json").read_text())
    assert sorted(saved["aligner_failed"]) == ["toy_001", "toy_002"] and saved["agreement"]["n_onsets"] > 0
    # Those that are lost are refined from the score.
    assert saved["refined"]["n_onsets"] > saved["aligner"]["n_onsets"]


# Columns as in MFA's documentation of 3.x and as in the source of 3.4.
ANALYSIS = """file,begin,end,speaker,overall_log_likelihood,speech_log_likelihood,phone_duration_deviation,snr
toy_000,0.0,4.724208333333333,toy,-44.609,-53.64337515830994,11.07,20.735
toy_001,0.0,8.6210416,toy,-41.72,-45.226,6.21,27.3
"""
ANALYSIS_3_4 = """file,begin,end,speaker,overall_log_likelihood,speech_log_likelihood,\
phone_duration_deviation,max_running_short_interval,snr,intensity_deviation
toy_000,0.0,4.7,toy,-44.609,,11.07,0,20.7,
toy_001,0.0,8.6,toy,-41.72,,6.2,2,27.3,
toy_002,0.0,8.6,toy,,,,,,
"""


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (ANALYSIS, {"toy_000": -53.64337515830994, "toy_001": -45.226}),
        (ANALYSIS_3_4, {"toy_000": -44.609, "toy_001": -41.72}),
        ("file,begin,end\ntoy_000,0.0,1.0\n", {}),
        (
            "file,overall_log_likelihood\ntoy_000,-inf\ntoy_001,x\ntoy_002,-40\ntoy_003\n,-2\n",
            {"toy_002": -40.0},
        ),
        ("\x00\xff", {}),
        ("", {}),
    ],
)
def test_its_likelihoods_are_read_where_there_are_any(tmp_path, text, found):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "alignment_analysis.csv").write_text(text, encoding="latin-1")
    aligner = MfaAligner(AlignConfig(backend="mfa"), tmp_path / "work")
    assert aligner.likelihoods(tmp_path) == found and aligner.likelihoods(tmp_path / "work") == {}


def test_utterances_that_it_finds_unlikely_are_named(stand_in, tmp_path):
    make_corpus(tmp_path / "data", 9, notes=3)
    write = """
if args[0] == "align":
    out = pathlib.Path(args[4]); out.mkdir(parents=True)
    likely = {"toy_%03d" % i: -60 if i == 4 else -45.5 + i % 3 / 4 for i in range(9)}
    rows = ["%s,0,1,toy,-40,%s,1,20" % row for row in likely.items()]
    head = "file,begin,end,speaker,overall_log_likelihood,speech_log_likelihood,phone_duration_deviation,snr"
    (out / "alignment_analysis.csv").write_text("\\n".join([head, *rows]))
"""
    aligner, _ = stand_in(extra=write.replace("\\\\n", "\\n"))
    config = AlignConfig("mfa", mfa=aligner.options, refine=RefineConfig(iterations=2))
    align([tmp_path / "data"], config, tmp_path / "exp", realign=True, say=lambda line: None)
    text = (tmp_path / "exp" / "report.txt").read_text()
    assert (
        "least sure of 1 utterances (log-likelihood, -45.2 in the middle):\n  toy_004: -60.0, our conf"
        in text
    )
    saved = json.loads((tmp_path / "exp" / "report.json").read_text())
    assert saved["likelihood"] == {"median": -45.25, "low": {"toy_004": -60.0}}
    assert saved["utterances"]["toy_003"]["likelihood"] == -45.5
