"""TextGrids: the aligner's real files, Praat's encodings, damage."""

import pytest

from nnsvs_lite.align.units import fit_to_score
from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.textgrid import read_textgrid, write_textgrid
from nnsvs_lite.score.types import Note, Score


def test_reads_what_mfa_wrote(shared_data):
    path = shared_data / "mfa_run" / "textgrids" / "utt000.TextGrid"
    phones = read_textgrid(path)
    assert len(phones) == 27
    assert phones[:3] == [Segment(0.0, 1.08, ""), Segment(1.08, 1.09, "ky"), Segment(1.09, 1.19, "o")]
    assert phones[-1] == Segment(3.87, 4.69, "")
    assert [s.label for s in read_textgrid(path, "words")] == ["", "utt000p0", ""]


def test_every_mfa_textgrid_has_the_phones_of_its_dictionary(shared_data):
    run = shared_data / "mfa_run"
    words = dict(line.split("\t") for line in (run / "dictionary.dict").read_text().splitlines())
    for path in sorted((run / "textgrids").glob("*.TextGrid")):
        spoken = tuple(words[(run / "corpus" / f"{path.stem}.lab").read_text().strip()].split())
        found = read_textgrid(path)
        end = found[-1].end
        notes = [Note(0.0, 1.0, 0, "", ("pau",)), Note(1.0, 3.0, 60, "x", spoken)]
        score = Score((*notes, Note(3.0, end, 0, "", ("pau",))))
        labels = fit_to_score(found, score, end, str(path))
        assert [s.label for s in labels] == ["pau", *spoken, "pau"]
        assert labels[0].start == 0.0 and labels[-1].end == end
        assert all(a.end == b.start and a.end > a.start for a, b in zip(labels, labels[1:]))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_written_file_reads_back(tmp_path, encoding):
    rows = [Segment(0.1, 0.25, "sh"), Segment(0.25, 0.7, "あ"), Segment(0.8, 0.8, "k")]
    path = tmp_path / "x.TextGrid"
    write_textgrid(path, {"words": [], "phones": rows}, 1.0)
    path.write_bytes(path.read_text(encoding="utf-8").encode(encoding))
    assert read_textgrid(path, "Phones") == [
        Segment(0.0, 0.1, ""), *rows[:2], Segment(0.7, 1.0, ""),
    ]  # fmt: skip


def test_speaker_prefixed_tiers_are_found(tmp_path):
    write_textgrid(tmp_path / "x.TextGrid", {"anna - phones": [Segment(0.0, 1.0, "a")]}, 1.0)
    assert read_textgrid(tmp_path / "x.TextGrid") == [Segment(0.0, 1.0, "a")]


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "no such file"), ("", "not a TextGrid"), ("File type = rubbish\n", "not a TextGrid")],
)
def test_damage_is_named(tmp_path, content, message):
    path = tmp_path / "x.TextGrid"
    if content is not None:
        path.write_text(content)
    with pytest.raises(DataError, match=message) as error:
        read_textgrid(path)
    assert error.value.where == str(path)


def test_truncated_file_is_named(tmp_path, shared_data):
    whole = (shared_data / "mfa_run" / "textgrids" / "utt000.TextGrid").read_text()
    path = tmp_path / "x.TextGrid"
    path.write_text(whole[: len(whole) // 3])
    with pytest.raises(DataError):
        read_textgrid(path)


def test_missing_tier_names_those_there(tmp_path):
    write_textgrid(tmp_path / "x.TextGrid", {"notes": [Segment(0.0, 1.0, "a")]}, 1.0)
    with pytest.raises(DataError, match="no tier named 'phones'; it has notes"):
        read_textgrid(tmp_path / "x.TextGrid")
