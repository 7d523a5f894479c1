"""Which corpora are mixed, and their data dirs under ids that can stand side by side."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from nnsvs_lite.corpora import prepare
from nnsvs_lite.corpus.datadir import DataDir, sort_ids
from nnsvs_lite.corpus.prepare import PARTS
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.settings import Within, read_settings
from nnsvs_lite.io.tables import bad_id
from nnsvs_lite.score.languages import get_language

Sets = Mapping[str, Mapping[str, DataDir]]
"""Corpus to set to data dir."""


@dataclass(frozen=True)
class Source:
    """A corpus of a mixture.

    Attributes:
        data: folder of its data dirs, as stage 0 of its recipe, or stage 1, made them.
        db_root: in its place the corpus itself, which is prepared here. corpus: its name there, if not that
            of the source. options: those of ``nnsvs-lite prepare``, with underscores.
        language: the one that is taken; all, if not given.
        singer: another id for its only singer. singers: other ids for several, by their own.
    """

    data: str = ""
    db_root: str = ""
    corpus: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    language: str = ""
    singer: str = ""
    singers: dict[str, str] = field(default_factory=dict)

    @property
    def named(self) -> set[str]:
        """Ids that are given to singers here."""
        return {self.singer, *self.singers.values()} - {""}


@dataclass(frozen=True)
class Mixture:
    """What to mix.

    Attributes:
        corpora: by the names that their ids will hold.
        phones: ``prefixed``, every language has its own; ``shared``, those with the same phonetic features
            are one, whatever languages call them.
        sample_rate: Hz; that of no recording may be lower.
        loudness: LUFS (ITU-R BS.1770-4) that each singer of each corpus is brought to, in what is sung; none
            leaves all as they are.
    """

    corpora: dict[str, Source]
    phones: Literal["prefixed", "shared"] = "prefixed"
    sample_rate: Annotated[int, Within(8000, 192000)] = 24000
    loudness: Annotated[float, Within(-70, 0)] | None = -20.0


def read_mixture(path: Path, out: Path) -> tuple[Mixture, dict[str, dict[str, DataDir]]]:
    """A mixture and the data dirs of its corpora, with ids that begin with singer and corpus.

    Folders are from that of the file. A corpus that is prepared here goes to ``out/of/<name>``.

    Raises DataError for unknown keys and folders, corpora without scores, phone times or the language that is
    asked for, unknown languages, and one id for singers of two corpora where both do not say so.
    """
    settings = read_settings(path)
    mixture: Mixture = settings.build(Mixture)
    if not mixture.corpora:
        raise settings.fault("corpora must name at least one", ("corpora",))
    found: dict[str, dict[str, DataDir]] = {}
    of_singer: dict[str, str] = {}
    for name, source in mixture.corpora.items():
        try:
            found[name] = _read(name, source, path.parent, out)
            for singer in sort_ids({spk for data in found[name].values() for spk in data.speakers}):
                other = of_singer.setdefault(singer, name)
                if other != name and singer not in source.named & mixture.corpora[other].named:
                    hint = "give another id with singer, or this one in both if they are one"
                    raise DataError(f"{singer!r} is a singer of {other} too: {hint}")
        except DataError as error:
            if error.where is None:
                raise settings.fault(f"{name}: {error.what}", ("corpora", name)) from None
            raise
    for part in PARTS:
        if not any(part in sets for sets in found.values()):
            raise settings.fault(f"no corpus has a set {part!r}", ("corpora",))
    return mixture, found


def _read(name: str, source: Source, beside: Path, out: Path) -> dict[str, DataDir]:
    """The sets of a corpus that have something. Raises DataError, without a place for what the file says."""
    if what := next((what for what in map(bad_id, (name, *source.named)) if what), ""):
        raise DataError(what)
    if bool(source.data) == bool(source.db_root):
        raise DataError("either data or db_root is needed")
    folder = beside / Path(source.data or source.db_root).expanduser()
    if not folder.is_dir():
        more = "; run stage 0 of its recipe first" if source.data else ""
        raise DataError(f"no such folder: {folder}{more}")
    if source.db_root:
        made = out / "of" / name
        prepare(source.corpus or name, folder, made, source.options)
        folder = made
    if source.language:
        get_language(source.language)
    whole = {part: DataDir.read(folder / part) for part in PARTS if (folder / part).is_dir()}
    if not whole:
        raise DataError(f"no data dir {', '.join(PARTS)} in {folder}")
    singers = _singers(source, {spk for data in whole.values() for spk in data.speakers})
    sets = {part: _own(data, name, source.language, singers, folder.parent) for part, data in whole.items()}
    if not any(data.utts for data in sets.values()):
        codes = ", ".join(sorted({code for data in whole.values() for code in data.utt2lang.values()}))
        raise DataError(f"nothing in it is in {source.language!r}; it is in {codes}")
    return {part: data for part, data in sets.items() if data.utts}


def _singers(source: Source, own: Collection[str]) -> dict[str, str]:
    """The ids of singers by those that they have in their corpus."""
    names = ", ".join(sort_ids(own))
    if source.singer and len(own) > 1:
        raise DataError(f"has several singers, {names}: name them in singers")
    if unknown := sort_ids(set(source.singers) - set(own)):
        raise DataError(f"has no singer {unknown[0]!r}; there are {names}")
    return {spk: source.singers.get(spk, source.singer or spk) for spk in own}


def _own(data: DataDir, name: str, lang: str, singers: Mapping[str, str], recipe: Path) -> DataDir:
    """The utterances of a set that are taken, under their ids in the mixture."""
    if not data.scores:
        raise DataError("has no score, which a mixture needs", data.path)
    if not data.labels:
        raise DataError("has no phone times: run its recipe to the end of stage 1 first", data.path)
    for utt in data.utts:
        try:
            get_language(data.utt2lang.get(utt, ""))
        except DataError as error:
            raise DataError(f"{utt}: {error.what}", data.path / "utt2lang") from None
    # Stage 1 leaves out of align.ctm the phrases that it does not trust.
    data = data.subset(u for u in data.utts if data.labels.get(u) and lang in ("", data.utt2lang[u]))
    # Paths that are not whole are from the folder of the recipe, or else from the working folder.
    places = {rec: recipe / wav for rec, wav in data.wavs.items()}
    data = replace(data, wavs={rec: p if p.is_file() else data.wavs[rec] for rec, p in places.items()})
    segments = data.segments or {utt: (utt, 0.0, data.duration(utt)) for utt in data.utts}

    old = data.utt2spk | {rec: data.utt2spk[utt] for utt, (rec, _, _) in segments.items()}
    ids = {own: _id(name, own, spk, singers[spk]) for own, spk in old.items()}
    for table in (data.utt2spk, data.wavs):
        if len({ids[own] for own in table}) < len(table):
            raise DataError(
                f"two of its ids would be one beside the others: {', '.join(sorted(table)[:3])}", data.path
            )

    def named(table: Mapping[str, Any]) -> dict[str, Any]:
        return {ids[key]: value for key, value in table.items()}

    return DataDir(
        path=data.path,
        wavs=named(data.wavs),
        utt2spk=named({utt: singers[spk] for utt, spk in data.utt2spk.items()}),
        segments=named({utt: (ids[rec], start, end) for utt, (rec, start, end) in segments.items()}),
        text=named(data.text),
        scores=named(data.scores),
        utt2lang=named(data.utt2lang),
        labels=named(data.labels),
    )


def _id(name: str, own: str, old: str, new: str) -> str:
    """An id that begins with the singer, as all do, and names the corpus."""
    rest = own.removeprefix(f"{old}_")
    return f"{new}_{rest}" if new == name else f"{new}_{name}_{rest}"
