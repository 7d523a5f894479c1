"""Settings: names, overlays, types, and faults with their line."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import pytest

from nnsvs_lite.bin.main import main
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.settings import (
    CONF,
    Settings,
    Within,
    config_names,
    find_config,
    parse_settings,
    plain,
    read_settings,
)


@dataclass(frozen=True)
class Part:
    size: Annotated[int, Within(1, 8)] = 4
    rate: Annotated[float, Within(0, below=1)] = 0.5


@dataclass(frozen=True)
class Whole:
    name: str
    way: Literal["up", "down"] = "up"
    part: Part = Part()
    maybe: Part | None = None
    sizes: Sequence[int] = (1, 2)
    words: list[str] = field(default_factory=list)
    parts: dict[str, Part] | None = None
    limit: Annotated[float | None, Within(above=0)] = None
    on: bool = True
    ema_decay: float = 0.0


def read(text: str) -> Whole:
    return (settings := parse_settings(text, "x.yaml")).build(Whole, settings.value)


def test_every_kind_of_value_is_read_and_written_back():
    made = read(
        "name: no\nway: down\npart: {size: 3}\nmaybe:\n  rate: 1e-5\nsizes: [4]\nwords: [a, b]\n"
        "parts: {a: {}, b: {size: 8}}\nlimit: null\non: false\n".replace("no\n", "'no'\n", 1)
    )
    assert made.maybe == Part(rate=1e-5) and made.parts == {"a": Part(), "b": Part(size=8)}
    assert (made.sizes, made.words, made.on, made.way) == ((4,), ["a", "b"], False, "down")
    assert parse_settings("", "x").build(Whole, plain(made)) == made


@pytest.mark.parametrize(
    "text, line, message",
    [
        ("name: a\nprat: {}\n", 2, "unknown key prat (did you mean 'part'?)"),
        ("name: a\npart:\n  sise: 3\n", 3, "unknown key part.sise (did you mean 'size'?)"),
        ("name: a\naverage: 0.5\n", 2, "unknown key average (now ema_decay)"),
        ("name: a\nbudget: 5\n", 2, "unknown key budget"),
        ("name: 3\n", 1, "name must be text, not 3"),
        ("name: a\non: 1\n", 2, "on must be true or false, not 1"),
        ("name: a\npart: {size: 1.5}\n", 2, "part.size must be a whole number, not 1.5"),
        ("name: a\npart: {size: true}\n", 2, "part.size must be a whole number, not True"),
        ("name: a\npart:\n  size: 9\n", 3, "part.size must be within 1..8, not 9"),
        ("name: a\npart:\n  rate: 1\n", 3, "part.rate must be at least 0 and less than 1, not 1.0"),
        ("name: a\nlimit: 0\n", 2, "limit must be more than 0, not 0.0"),
        ("name: a\npart:\n  rate: .inf\n", 3, "part.rate must be a number, not .inf"),
        ("name: a\npart:\n  rate: '1e999'\n", 3, "part.rate must be a number, not '1e999'"),
        ("name: a\nway: upp\n", 2, "way must be one of up, down, not 'upp' (did you mean 'up'?)"),
        ("name: a\nsizes: [1,\n  b]\n", 2, "sizes.1 must be a whole number, not 'b'"),
        ("name: a\nwords: b\n", 2, "words must be a list, not 'b'"),
        ("name: a\npart: [1]\n", 2, "part must be a mapping"),
        ("name: a\nparts: {a: {size: 0}}\n", 2, "parts.a.size must be within 1..8, not 0"),
        ("way: up\n", None, "name is missing"),
        ("name: a\nname: b\n", 2, "key 'name' stands twice"),
        ("a: [1\n", 2, "not YAML"),
        ("[a]: 1\n", 1, "a key must be a word"),
        ("a: !!python/object/apply:os.system ['true']\n", 1, "not YAML of plain values: it has the tag"),
        ("a: !!python/name:os.system ''\n", 1, "not YAML of plain values: it has the tag"),
        ("a: " + "[" * 30 + "]" * 30, 1, "nested more than"),
        ("a: " + "[" * 3000 + "]" * 3000, None, "not YAML that can be read"),
        ("a: &a [1, *a]\n", 1, "nested more than"),
        ("a: " + "9" * 5000, None, "not YAML that can be read"),
    ],
)
def test_faults_are_named_with_their_line(text, line, message):
    with pytest.raises(DataError) as caught:
        read(text)
    assert message in caught.value.what
    assert caught.value.where == ("x.yaml" if line is None else f"x.yaml:{line}")


def test_aliases_that_unfold_to_too_much_are_refused():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    with pytest.raises(DataError, match="more than .* values"):
        parse_settings("\n".join(lines), "x.yaml")


def test_values_that_cannot_be_shown_are_refused_in_short():
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    for key in (10**5000, "k" * 10**6, (1, 2)):
        with pytest.raises(DataError, match="unknown key") as caught:
            Settings({"name": "a", key: 1}, "here").build(Whole)
        assert len(str(caught.value)) < 200
    for value in (deep, 10**5000, -(10**5000), "x" * 10**6, {"a": deep}, [1.5] * 10**5):
        for key in ("name", "way", "part", "sizes", "words", "parts", "limit", "on"):
            if not (key == "name" and isinstance(value, str)):
                with pytest.raises(DataError) as caught:
                    Settings({"name": "a", key: value}, "here").build(Whole)
                assert key in caught.value.what and len(str(caught.value)) < 200


def test_a_large_file_is_refused(tmp_path):
    (tmp_path / "x.yaml").write_text("# " + "x" * (1 << 20))
    with pytest.raises(DataError, match="x.yaml: larger than"):
        read_settings(tmp_path / "x.yaml")


@pytest.fixture
def files(tmp_path):
    def write(**texts: str) -> Any:
        for name, text in texts.items():
            (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
        return tmp_path

    return write


def test_an_overlay_merges_mappings_and_replaces_all_else(files):
    folder = files(
        one="name: a\npart:\n  size: 2\n  rate: 0.1\nsizes: [1, 2, 3]\n",
        more="part: {rate: 0.2}\nway: down\n",
        mine="base: [one, more.yaml]\nmaybe: {size: 5}\npart:\n  size: 3\nsizes: [7]\n",
    )
    whole = read_settings(folder / "mine.yaml")
    made = whole.build(Whole)
    assert made.part == Part(3, 0.2) and made.sizes == (7,) and made.way == "down" and made.name == "a"
    assert list(whole.value) == ["name", "part", "sizes", "way", "maybe"]
    assert whole.places["part", "size"] == f"{folder}/mine.yaml:4"
    assert whole.places["part", "rate"] == f"{folder}/more.yaml:1"


@pytest.mark.parametrize(
    "mine, message",
    [
        ("base: one\n", "one.yaml:3: part.size must be within"),
        ("base: mine\n", "mine.yaml:1: base 'mine' leads back"),
        ("base: two\n", "two.yaml:1: base 'mine' leads back"),
        ("base: onne\n", "mine.yaml:1: there is no base 'onne' .did you mean 'one'"),
        ("base: {a: 1}\n", "mine.yaml:1: base must be the name of a file, or a list of names"),
        ("base: [one, one, one, one]\n", "one.yaml:3: part.size"),
        ("- 1\n", "a mapping of keys to values is needed"),
    ],
)
def test_faults_of_overlays_name_the_file_they_are_in(files, mine, message):
    folder = files(one="name: a\npart:\n  size: 99\n", two="base: mine\n", mine=mine)
    with pytest.raises(DataError, match=message):
        read_settings(folder / "mine.yaml").build(Whole)


def test_a_base_may_be_one_that_comes_with_the_toolkit(files):
    folder = files(mine="base: world_24k\ndither: 0\n", other="base: features/world_24k\n")
    assert read_settings(folder / "mine.yaml", ["features"]).value["sample_rate"] == 24000
    assert read_settings(folder / "other.yaml").value["sample_rate"] == 24000


def test_configurations_are_found_by_name_and_by_path(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert find_config("acoustic", "sinsy_tiny").samefile(CONF / "acoustic" / "sinsy_tiny.yaml")
    assert find_config("align", "viter").samefile(CONF / "mfa" / "viter.yaml")
    (tmp_path / "own.yaml").write_text("")
    assert str(find_config("features", "own.yaml")) == "own.yaml"
    assert "world_24k" in config_names("features")
    assert main(["config", "features", "world_24k"]) == 0
    assert capsys.readouterr().out == f"{(CONF / 'features' / 'world_24k.yaml').resolve()}\n"
    assert main(["config", "timelag"]) == 0
    assert "vp_mdn\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    "kind, name, message",
    [
        ("acoustic", "sinsi_tiny", "no acoustic configuration 'sinsi_tiny' .did you mean 'sinsy_tiny'"),
        ("acoustic", "conf/acoustic/sinsi.yaml", "conf/acoustic/sinsi.yaml: no such file.*'sinsy'"),
        ("acustic", "sinsy", "no kind of configuration 'acustic' .did you mean 'acoustic'"),
        ("acoustic", "../duration/mdn", "no such file"),
        ("acoustic", "", "no acoustic configuration"),
    ],
)
def test_a_name_that_is_not_there_names_the_nearest(kind, name, message, capsys):
    with pytest.raises(DataError, match=message):
        find_config(kind, name)
    assert main(["config", kind, name]) == 1
    assert "error" in capsys.readouterr().err
