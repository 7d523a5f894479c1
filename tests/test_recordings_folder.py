"""What lies in a folder of recordings, by names alone."""

import os
from pathlib import Path

import pytest

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.tables import bad_id
from nnsvs_lite.recordings.folder import find_takes, id_of, read_lyrics


def make(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return find_takes(root)


def told(folder, word):
    """The only line of what is passed over that names a file."""
    (line,) = [line for line in folder.passed_over if line.startswith(word)]
    return line


@pytest.mark.parametrize(
    ("name", "found"),
    [("song", "song"), ("My song 2", "My_song_2"), ("a-b.c", "a-b.c"), ("take_1", "take_1")],
)
def test_plain_names_are_ids(name, found):
    assert id_of(name) == found and not bad_id(found)


def test_other_letters_make_ids_that_differ():
    names = [
        "さくら",
        "さくら 2",
        "春",
        "é",
        "è",
        "e",
        "café",
        "cafe",
        "???",
        "a/b",
        "a b",
        "-x",
        "x" * 200,
        "Москва",
    ]
    ids = [id_of(name) for name in names]
    assert not any(map(bad_id, ids)) and len(set(ids)) == len(names)
    # However the accent is encoded.
    assert id_of("cafe\u0301") == id_of("caf\u00e9")


def test_files_of_one_name_belong_together(tmp_path):
    folder = make(tmp_path, "a.WAV", "A.MusicXML", "b 1.flac", "b 1.ust", "b 1.TextGrid", "caf\u00e9.mp3",
                  "cafe\u0301.txt", "sub/a2.ogg", "sub/a2.mid")  # fmt: skip
    assert folder.passed_over == []
    found = {take.id: take for take in folder.takes}
    assert found["a"].score.name == "A.MusicXML" and found["b_1"].times.name == "b 1.TextGrid"
    assert found[id_of("café")].lyrics is not None and found["a2"].score.name == "a2.mid"


def test_scores_and_labels_may_lie_in_folders_of_their_own(tmp_path):
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "s.lab").write_text("0 100 pau\n")
    folder = make(tmp_path, "wav/s.wav", "score/s.mid")
    (take,) = folder.takes
    assert (take.id, take.score.name, take.times.name, folder.passed_over) == ("s", "s.mid", "s.lab", [])


def test_one_name_in_two_folders_is_two_songs(tmp_path):
    folder = make(tmp_path, "x/s.wav", "x/s.ust", "y/s.wav", "y/s.ust", "z/s.ust")
    assert [take.id for take in folder.takes] == ["x_s", "y_s"]
    assert [take.score.parent.name for take in folder.takes] == ["x", "y"]
    assert "without a recording" in told(folder, "z/s.ust")


def test_every_other_file_is_named_once(tmp_path):
    folder = make(tmp_path, "s.wav", "s.flac", "s.mid", "s.musicxml", "lone.ust", "lone.txt", "notes.pdf",
                  "my phone.m4a", ".hidden.wav", "__MACOSX/s.wav", ".git/x", "._s.wav")  # fmt: skip
    (take,) = folder.takes
    assert (take.audio.name, take.score.name) == ("s.wav", "s.musicxml")
    assert told(folder, "s.flac") == "s.flac: s.wav is taken in its place"
    assert told(folder, "s.mid") == "s.mid: s.musicxml is taken in its place"
    assert "a score without a recording" in told(folder, "lone.ust")
    assert "lyrics without a recording" in told(folder, "lone.txt")
    # The command can be taken as it stands.
    assert told(folder, "my phone.m4a").endswith(": ffmpeg -i 'my phone.m4a' 'my phone.wav'")
    assert "neither" in told(folder, "notes.pdf")
    assert "4 hidden files" in folder.passed_over[-1] and len(folder.passed_over) == 7


def test_what_a_text_holds_tells_what_it_is(tmp_path):
    texts = {
        "mono": "0 10500000 pau\n10500000 12050000 p\n",
        "seconds": "\n0.0 1.05 pau\n",
        "full": "0 100 xx@xx^sil-pau+h=a_xx%xx/A:1/E:xx]xx\n",
        "words": "は る が き た\n",
    }
    for name, text in texts.items():
        make(tmp_path, f"{name}.wav")
        (tmp_path / f"{name}.lab").write_text(text)
    kinds = {
        t.id: (t.score is not None, t.times is not None, t.lyrics is not None)
        for t in find_takes(tmp_path).takes
    }
    times = (False, True, False)
    assert kinds == {
        "mono": times,
        "seconds": times,
        "full": (True, True, False),
        "words": (False, False, True),
    }


def test_lyrics_are_read_in_their_encoding(tmp_path):
    path = tmp_path / "x.txt"
    path.write_bytes("は る\r\nが\r\n".encode("cp932"))
    assert read_lyrics(path, "ja") == "は る が"
    path.write_text("\n\n")
    with pytest.raises(DataError, match="holds no lyrics"):
        read_lyrics(path, "ja")


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        find_takes(tmp_path / "x")


def test_a_link_to_nothing_and_a_name_of_other_bytes_stop_nobody(tmp_path):
    (tmp_path / "gone.wav").symlink_to(tmp_path / "nowhere.wav")
    os.mkfifo(tmp_path / "pipe.txt")
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/\x89\xcc.wav"))).touch()
    folder = make(tmp_path, "s.wav", "s.mid")
    assert [take.id for take in folder.takes] == ["s"] and len(folder.passed_over) == 3
    assert "no file, or a link to none" in told(folder, "gone.wav") and "no file" in told(folder, "pipe.txt")
    assert sum("its name cannot be written" in line for line in folder.passed_over) == 1
