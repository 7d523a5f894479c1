"""Text tables, CTM and feature tables; damage to them is named, never a traceback."""

import hashlib
import os
import struct
import subprocess
import zlib
from pathlib import Path

import kaldiio
import numpy as np
import pytest

from nnsvs_lite.io.ctm import Segment, read_ctm, write_ctm
from nnsvs_lite.io.done import Done, digest, stamp
from nnsvs_lite.io.errors import DataError, nearest
from nnsvs_lite.io.tables import FeatureReader, FeatureWriter, parse_ark_ref, read_table, write_table

RNG = np.random.default_rng(0)


def put(path: Path, data: bytes | str) -> Path:
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def test_tables_are_sorted_by_bytes(tmp_path):
    table = {"b": "2", "a": "1 x", "B": "3", "é": "か", "a_1": "", "a-1": "4"}
    write_table(tmp_path / "t", table)
    keys = [line.split()[0] for line in (tmp_path / "t").read_text(encoding="utf-8").splitlines()]
    sort = subprocess.run(
        ["sort"], input="\n".join(table), env={"LC_ALL": "C"}, capture_output=True, text=True
    )
    assert keys == sort.stdout.splitlines()
    assert read_table(tmp_path / "t", ids=False) == table


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"a 1\nb 2\na 3\n", "t:3: duplicate id 'a'"),
        (b"a 1\r\n", "t:1: CRLF or CR line end"),
        (b"a 1\rb 2\n", "t:1: CRLF or CR line end"),
        (b"a 1\nb 2\x003\n", "t:2: NUL character; nnsvs-lite data fix"),
        (b"a 1\n../b 2\n", "t:2: '../b' is no id: at most 200 of"),
        (b"/etc/x 2\n", "t:1: '/etc/x' is no id"),
        (b".a 2\n", "t:1: '.a' is no id"),
        (b"-a 2\n", "t:1: '-a' is no id"),
        (b"a" * 201 + b" 2\n", r"t:1: 'a+...' is no id: at most 200"),
        ("a\u200eb 2\n".encode(), r"t:1: 'a.u200eb' is no id"),
        ("a\u3000b 2\n".encode(), r"t:1: 'a.u3000b' is no id"),
        (b"\xef\xbb\xbfa 1\n\xef\xbb\xbfb 2\n", r"t:2: '.ufeffb' is no id"),
        (b"a 1\n\nb 2\n", "t:2: empty line"),
        (b"a 1\nb \xff\n", "t:2: not UTF-8 text"),
    ],
)
def test_faulty_tables_name_the_line(tmp_path, data, message):
    put(tmp_path / "t", data)
    with pytest.raises(DataError, match=message):
        read_table(tmp_path / "t")


def test_an_empty_table_and_a_missing_last_line_end(tmp_path):
    assert read_table(put(tmp_path / "t", "")) == {}
    assert read_table(put(tmp_path / "t", "a 1\nb\t2  3 ")) == {"a": "1", "b": "2  3"}


def test_ctm_round_trip_keeps_neighbours(tmp_path):
    times = np.cumsum(RNG.uniform(0.001, 0.5, 200))
    rows = [Segment(round(a, 7), round(b, 7), "p") for a, b in zip(times, times[1:], strict=False)]
    write_ctm(tmp_path / "c", {"u2": rows, "u1": [Segment(0, 1, "a")]})
    again = read_ctm(tmp_path / "c")
    assert list(again) == ["u1", "u2"]
    assert list(again["u2"]) == rows
    assert all(a.end == b.start for a, b in zip(again["u2"], again["u2"][1:], strict=False))
    first = (tmp_path / "c").read_bytes()
    write_ctm(tmp_path / "c", again)
    assert (tmp_path / "c").read_bytes() == first


@pytest.mark.parametrize(
    "line", ["u 1 0 1", "u 1 zero 1 a", "u 1 0 1 a b", "u", "u 1 nan 1 a", "u 1 0 inf a"]
)
def test_malformed_ctm(tmp_path, line):
    put(tmp_path / "c", f"t 1 0 1 a\n{line}\n")
    with pytest.raises(DataError, match="c:2: malformed line, 'utt 1 start duration label'"):
        read_ctm(tmp_path / "c")


def write(folder: Path, values: dict[str, np.ndarray], name: str = "mgc") -> Path:
    with FeatureWriter(folder, name) as writer:
        for utt, value in values.items():
            writer.write(utt, value)
    return folder / f"{name}.scp"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(7, 3), (1, 1), (5,), (1, 60)])
def test_features_come_back_exactly(tmp_path, dtype, shape):
    value = RNG.normal(size=shape).astype(dtype)
    reader = FeatureReader(write(tmp_path, {"a": value, "b": value * 2}))
    assert list(reader) == ["a", "b"] and len(reader) == 2 and "a" in reader and "c" not in reader
    np.testing.assert_array_equal(reader["b"], value * 2)
    assert reader["a"].dtype == dtype
    # Kaldi's own reader agrees.
    theirs = kaldiio.load_scp(str(tmp_path / "mgc.scp"))
    np.testing.assert_array_equal(theirs["b"], value * 2)


def test_ints_are_stored_as_floats(tmp_path):
    reader = FeatureReader(write(tmp_path, {"a": np.arange(6).reshape(3, 2)}))
    assert reader["a"].dtype == np.float32
    np.testing.assert_array_equal(reader["a"], np.arange(6).reshape(3, 2))


def test_same_values_same_bytes(tmp_path):
    value = RNG.normal(size=(5, 4))
    write(tmp_path / "x", {"a": value})
    write(tmp_path / "y", {"a": value})
    assert (tmp_path / "x" / "mgc.ark").read_bytes() == (tmp_path / "y" / "mgc.ark").read_bytes()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"b": np.zeros((2, 2)), "a": np.zeros((2, 2))}, "a written out of order"),
        ({"a": np.full((2, 2), np.nan)}, "mgc of a holds NaN or infinity"),
        ({"a": np.full((2, 2), 1e300).astype(np.float64), "b": np.array([[np.inf]])}, "mgc of b holds NaN"),
    ],
)
def test_what_must_not_be_written_is_refused(tmp_path, values, message):
    with pytest.raises(ValueError, match=message):
        write(tmp_path, values)
    assert list(tmp_path.iterdir()) == []


def test_a_truncated_ark_is_named_at_every_length(tmp_path):
    scp = write(tmp_path, {"a": np.ones((4, 3)), "b": np.ones((4, 3))})
    ark = tmp_path / "mgc.ark"
    whole = ark.read_bytes()
    for length in range(len(whole)):
        ark.write_bytes(whole[:length])
        with pytest.raises(DataError, match=r"mgc.scp:2: (archive .*mgc.ark|points to byte|no Kaldi matrix)"):
            FeatureReader(scp)["b"]


def test_no_damage_to_an_ark_raises_anything_but_a_data_error(tmp_path):
    scp = write(tmp_path, {"a": np.ones((4, 3))})
    ark = tmp_path / "mgc.ark"
    whole = ark.read_bytes()
    for at in range(len(whole) - 48):
        for byte in (0, 1, 4, 0x42, 0x7F, 0x80, 0xFF):
            ark.write_bytes(whole[:at] + bytes([byte]) + whole[at + 1 :])
            try:
                FeatureReader(scp)["a"]
            except DataError as error:
                assert str(error).startswith(f"{scp}:1: ")


def test_sizes_that_cannot_be_are_not_allocated(tmp_path):
    """A damaged header may state a matrix of 2^62 bytes."""
    header = b"a \0BFM \4" + struct.pack("<i", 2**31 - 1) + b"\4" + struct.pack("<i", 2**31 - 1)
    put(tmp_path / "mgc.ark", header + b"\0" * 100)
    put(tmp_path / "mgc.scp", f"a {tmp_path}/mgc.ark:2\n")
    with pytest.raises(DataError, match="truncated or damaged"):
        FeatureReader(tmp_path / "mgc.scp")["a"]
    header = b"a \0BFM \4" + struct.pack("<i", -1) + b"\4" + struct.pack("<i", 3)
    put(tmp_path / "mgc.ark", header + b"\0" * 100)
    with pytest.raises(DataError, match="truncated or damaged"):
        FeatureReader(tmp_path / "mgc.scp")["a"]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("touch {0}/pwned |", "a shell pipe is not run here"),
        ("| touch {0}/pwned", "a shell pipe is not run here"),
        ("{0}/mgc.ark", "malformed archive reference"),
        ("{0}/mgc.ark:-5", "malformed archive reference"),
        ("{0}/mgc.ark:2[0:1]", "malformed archive reference"),
        ("{0}/other.ark:2", "archive .*other.ark does not exist"),
        ("{0}/mgc.ark:4000", "points to byte 4000 of .*mgc.ark, which has"),
        ("{0}/mgc.ark:3", "no Kaldi matrix at byte 3"),
        ("{0}:3", "truncated or damaged|is a folder|no Kaldi"),
    ],
)
def test_places_that_hold_no_matrix(tmp_path, value, message):
    write(tmp_path, {"a": np.ones((4, 3))})
    put(tmp_path / "x.scp", f"a {value.format(tmp_path)}\n")
    with pytest.raises(DataError, match=message) as error:
        FeatureReader(tmp_path / "x.scp")["a"]
    assert f"{tmp_path}/x.scp:1: " in str(error.value)
    assert not (tmp_path / "pwned").exists()


def test_other_formats_in_an_ark_are_not_opened(tmp_path):
    """kaldiio would unpack audio, npy and pickles found at the place."""
    for data in (b"RIFF\0\0\0\0WAVEfmt ", b"\x93NUMPY\1\0", b"\x80\4\x95", b"AUDIO\1", b"NPY\1", b"PKL\1"):
        put(tmp_path / "mgc.ark", b"a " + data + b"\0" * 50)
        put(tmp_path / "mgc.scp", f"a {tmp_path}/mgc.ark:2\n")
        with pytest.raises(DataError, match="no Kaldi matrix at byte 2"):
            FeatureReader(tmp_path / "mgc.scp")["a"]


def test_a_moved_dump_still_opens(tmp_path):
    write(tmp_path / "old", {"a": np.ones((2, 2))})
    (tmp_path / "old").rename(tmp_path / "new")
    np.testing.assert_array_equal(FeatureReader(tmp_path / "new" / "mgc.scp")["a"], np.ones((2, 2)))


def test_relative_paths_are_taken_from_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(Path("dump"), {"a": np.ones((2, 2))})
    assert (tmp_path / "dump" / "mgc.scp").read_text() == "a dump/mgc.ark:2\n"
    assert FeatureReader("dump/mgc.scp")["a"].shape == (2, 2)
    monkeypatch.chdir("/")
    assert FeatureReader(tmp_path / "dump" / "mgc.scp")["a"].shape == (2, 2)


def test_an_unknown_id_and_a_repeated_one(tmp_path):
    scp = write(tmp_path, {"a": np.ones((2, 2))})
    with pytest.raises(DataError, match="mgc.scp: no entry for 'b'"):
        FeatureReader(scp)["b"]
    put(scp, scp.read_text() * 2)
    with pytest.raises(DataError, match="mgc.scp:2: duplicate id 'a'"):
        FeatureReader(scp)


def test_a_path_with_a_colon_and_blanks():
    ref = parse_ark_ref("/a b/c:d.ark:17", "x.scp:1", Path("/"))
    assert (ref.path, ref.offset) == (Path("/a b/c:d.ark"), 17)


def test_done_follows_inputs_options_and_outputs(tmp_path):
    put(tmp_path / "in", "1")
    (tmp_path / "out").mkdir()
    put(tmp_path / "out" / "x", "")

    def done(**options) -> Done:
        return Done(tmp_path / "out", "stage", [tmp_path / "in", tmp_path / "missing"], options)

    assert not done(a=1).is_current()
    done(a=1).set([tmp_path / "out" / "x"])
    assert done(a=1).is_current()
    assert not done(a=2).is_current()
    put(tmp_path / "in", "2")
    assert not done(a=1).is_current()
    put(tmp_path / "in", "1")
    assert done(a=1).is_current()
    put(tmp_path / "missing", "")
    assert not done(a=1).is_current()
    (tmp_path / "missing").unlink()
    (tmp_path / "out" / "x").unlink()
    assert not done(a=1).is_current()
    put(tmp_path / "out" / "x", "")
    assert done(a=1).is_current()
    done(a=1).clear()
    assert not done(a=1).is_current()
    for damage in (b"", b"[1]", b'{"outputs": 3}', b"\xff"):
        put(tmp_path / "out" / ".done.stage", damage)
        assert not done(a=1).is_current()


@pytest.mark.parametrize("damage", [b"", b"abcdefgx", b"abcdefghi", None])
def test_a_marker_is_not_believed_against_its_outputs(tmp_path, damage, capsys):
    out = tmp_path / "out"
    (out / "sub").mkdir(parents=True)
    put(out / "sub" / "x", "abcdefgh")
    put(out / "shared", "1")
    Done(out, "stage", [], {}).set([out / "sub" / "x"], [out / "shared"])
    put(out / "shared", "2")
    assert Done(out, "stage", [], {}).is_current()
    times = (out / "sub" / "x").stat()
    if damage is None:
        (out / "sub" / "x").unlink()
    else:
        put(out / "sub" / "x", damage)
        os.utime(out / "sub" / "x", ns=(times.st_atime_ns, times.st_mtime_ns))
    done = Done(out, "stage", [], {})
    assert not done.is_current() and done.damaged == ["sub/x"]
    assert "sub/x is not as it was written" in capsys.readouterr().out


def test_inputs_count_as_they_were_when_a_stage_began(tmp_path):
    put(tmp_path / "in", "1")
    done = Done(tmp_path, "stage", [tmp_path / "in"], {})
    done.clear()
    put(tmp_path / "in", "2")
    done.set([])
    assert not Done(tmp_path, "stage", [tmp_path / "in"], {}).is_current()


def test_a_marker_moves_with_its_working_folder(tmp_path, monkeypatch):
    here, there = tmp_path / "here", tmp_path / "there"
    (here / "exp").mkdir(parents=True)
    monkeypatch.chdir(here)
    put(here / "in", "1")
    put(here / "exp" / "x", "1")
    Done("exp", "stage", [here / "in"], {}).set([here / "exp" / "x"])
    assert Done(here / "exp", "stage", ["in"], {}).is_current()
    here.rename(there)
    monkeypatch.chdir(there)
    assert Done("exp", "stage", ["in"], {}).is_current()
    # What lies elsewhere is another input where its path is another, whatever it holds.
    put(tmp_path / "a", "1")
    put(tmp_path / "b", "1")
    assert stamp(tmp_path / "a")[0] != stamp(tmp_path / "b")[0]


def test_the_hash_of_a_folder_leaves_out_what_is_hidden(tmp_path):
    (tmp_path / "d" / "sub").mkdir(parents=True)
    put(tmp_path / "d" / "sub" / "a", "1")
    before = digest(tmp_path / "d")
    (tmp_path / "d" / ".data.host.1.tmp").mkdir()
    put(tmp_path / "d" / ".data.host.1.tmp" / "x", "1")
    put(tmp_path / "d" / ".done.x", "1")
    assert digest(tmp_path / "d") == before
    (tmp_path / "d" / "sub" / "a").rename(tmp_path / "d" / "sub" / "b")
    assert digest(tmp_path / "d") != before


def test_errors_are_one_line_with_their_place():
    error = DataError("what\n  is wrong", Path("a/b"))
    assert str(error) == "a/b: what is wrong"
    assert str(DataError("alone")) == "alone"
    assert nearest("trian", ["train", "eval"]) == " (did you mean 'train'?)"
    assert nearest("xyz", ["train", "eval"]) == ""


def test_a_stamp_changes_with_the_contents_alone(tmp_path):
    path = tmp_path / "a.wav"
    assert stamp(path) == [str(path), "missing"]
    path.write_bytes(b"abc")
    os.utime(path, ns=(7, 7))
    before = stamp(path)
    assert before == [str(path), hashlib.sha256(b"abc").hexdigest()]
    os.utime(path, ns=(0, 0))
    assert stamp(path) == before
    path.write_bytes(b"abd")
    os.utime(path, ns=(7, 7))
    assert stamp(path) != before
    path.unlink()
    os.mkfifo(path)
    assert stamp(path) == [str(path), "missing"]


def test_every_flipped_bit_of_an_ark_is_noticed(tmp_path):
    values = {utt: RNG.normal(size=(3, 2)).astype(np.float32) for utt in "ab"}
    scp, ark = write(tmp_path, values), tmp_path / "mgc.ark"
    whole = ark.read_bytes()
    for at in range(8 * len(whole)):
        broken = bytearray(whole)
        broken[at // 8] ^= 1 << at % 8
        ark.write_bytes(broken)
        reader, refused = FeatureReader(scp), 0
        for utt, value in values.items():
            try:
                # Ids in the archive are not read.
                np.testing.assert_array_equal(reader[utt], value)
            except DataError as error:
                refused += 1
                assert "mgc.scp" in str(error) and "\n" not in str(error)
        assert refused == (at // 8 % (len(whole) // 2) > 1)
    ark.write_bytes(whole)
    scp.write_text(scp.read_text().replace("a ", "c ").replace("b ", "a ").replace("c ", "b "))
    with pytest.raises(DataError, match="mgc.ark is truncated or damaged: a is not as it was .*; remove it"):
        FeatureReader(scp)["a"]


def test_an_archive_of_other_programs_has_no_sums(tmp_path):
    scp = write(tmp_path, {"a": np.ones((4, 3))})
    whole = (tmp_path / "mgc.ark").read_bytes()
    assert (tmp_path / "mgc.crc").read_text() == f"a {zlib.crc32(b'a' + whole[2:]):08x}\n"
    (tmp_path / "mgc.crc").unlink()
    kaldiio.save_ark(str(tmp_path / "mgc.ark"), {"a": np.zeros((4, 3), np.float32)}, scp=str(scp))
    np.testing.assert_array_equal(FeatureReader(scp)["a"], np.zeros((4, 3)))
    write(tmp_path, {"a": np.ones((4, 3))})
    for damage in (b"a 00000000\n", b"a\n", b"\xff\n", b"a 1\na 1\n"):
        put(tmp_path / "mgc.crc", damage)
        with pytest.raises(DataError, match="mgc.crc|a is not as it was written"):
            FeatureReader(scp)["a"]
