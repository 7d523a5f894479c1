"""What shells complete, and commands that are asked to be quiet."""

import shlex
import shutil
import subprocess

import pytest
from scorefiles import musicxml, tune

from nnsvs_lite.bin.completion import script
from nnsvs_lite.bin.main import COMMANDS, main, parser_of
from nnsvs_lite.io.settings import config_names

BASH = pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")


def completed(words: str) -> set[str]:
    """What bash offers for the last of these words."""
    typed = shlex.split(words) + ([""] if words.endswith(" ") else [])
    asked = f"COMP_WORDS=({shlex.join(typed)}) COMP_CWORD={len(typed) - 1}\n_nnsvs_lite\n"
    text = script("bash") + asked + 'printf "%s\\n" "${COMPREPLY[@]}"\n'
    done = subprocess.run(["bash", "-u"], input=text, capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return set(done.stdout.split())


@BASH
def test_bash_knows_what_may_come_next():
    assert completed("nnsvs-lite ") == set(COMMANDS)
    assert completed("nnsvs-lite tra") == {"train", "transcribe"}
    assert completed("nnsvs-lite sing --voc") == {"--vocoder"}
    assert completed("nnsvs-lite sing song.mus") == set()
    assert completed("nnsvs-lite sing song.musicxml --vibrato-d") == {"--vibrato-depth", "--vibrato-delay"}
    assert completed("nnsvs-lite data su") == {"subset"}
    assert completed("nnsvs-lite train --overwrite ") == {"true", "false"}
    assert completed("nnsvs-lite train --config duration/r") == {"duration/ridge", "duration/rule"}
    assert completed("nnsvs-lite extract --config world_") >= {"world_24k", "world_48k"}
    assert completed("nnsvs-lite nothing --") == set()


@BASH
def test_every_option_of_every_command_is_known():
    for name in COMMANDS:
        assert completed(f"nnsvs-lite {name} --") == parser_of(name).long_options(), name
    assert completed("nnsvs-lite align --config ") == set(config_names("align"))


def test_zsh_takes_the_same_through_its_own_bridge():
    assert script("zsh").startswith("#compdef nnsvs-lite\n") and script("zsh").endswith(script("bash"))
    if (zsh := shutil.which("zsh")) is None:
        pytest.skip("needs zsh")
    assert subprocess.run([zsh, "-n"], input=script("zsh"), text=True).returncode == 0


def test_quiet_commands_print_nothing_but_their_work_is_done(toy_voice, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("TQDM_DISABLE", "")
    score = tmp_path / "song.musicxml"
    score.write_bytes(musicxml(tune("60 1 さ, 62 1 く")))
    words = ["sing", str(score), "--model", str(toy_voice), "-o"]
    assert main([*words, str(tmp_path / "a.wav")]) == 0
    assert "a.wav: " in capsys.readouterr().out
    assert main([*words, str(tmp_path / "b.wav"), "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")
    assert (tmp_path / "b.wav").read_bytes() == (tmp_path / "a.wav").read_bytes()
    assert main([*words, str(tmp_path / "c.wav"), "--quiet", "--verse", "3"]) == 1
    assert "error: " in capsys.readouterr().err
    assert main(["convert-vocoder", "nothing.pt", "-o", str(tmp_path), "--quiet"]) == 1
    assert "nothing.pt" in capsys.readouterr().err


def test_commands_that_answer_cannot_be_hushed():
    answering = {
        name for name, command in COMMANDS.items() if "--quiet" not in parser_of(name).long_options()
    }
    assert answering == {"config", "corpus", "validate", "compare", "completion", "serve"}
