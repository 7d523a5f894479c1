"""The voices of a studio: found when it starts, loaded when one is to sing."""

import contextlib
import hashlib
import os
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from nnsvs_lite import BOXED_VOICE
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.leftout import left_out
from nnsvs_lite.models.pack import SUFFIX, Pack, find_voice
from nnsvs_lite.studio.jobs import START_SECONDS, Cancelled, Worker

MAX_VOICES = 200


class FoundVoice(NamedTuple):
    """A voice that can be chosen.

    Attributes:
        id: of its weights: a packed voice and the exp dir that it was packed from have one, a voice that was
            trained anew another. name: for people; no other voice of the studio has it.
        path: exp dir or packed voice. size: bytes of its weights.
        langs, singers: as a packed voice says; of an exp dir they are not known until it is loaded.
    """

    id: str
    name: str
    path: str
    size: int
    langs: list[str] | None = None
    singers: list[str] | None = None


def read_voice(path: str | os.PathLike) -> FoundVoice:
    """A voice as it lies there. Raises DataError where it is none, or is damaged."""
    told: tuple[Any, ...] = ()
    if Path(path).is_file():
        pack = Pack.read(path)
        names = {family: pack.manifest["models"][family]["file"] for family in pack.families}
        # Reading has compared the sums with what is there.
        sums = {family: pack.manifest["files"][name]["sha256"] for family, name in names.items()}
        size = sum(len(pack.files[name]) for name in names.values())
        told = (pack.manifest["languages"], pack.manifest["singers"])
    else:
        files = find_voice(path)
        sums = {family: hashlib.sha256(file.read_bytes()).hexdigest() for family, file in files.items()}
        size = sum(file.stat().st_size for file in files.values())
    digest = hashlib.sha256()
    for family in sorted(sums):
        digest.update(f"{family} {sums[family]}\n".encode())
    name = Path(path).resolve().stem if Path(path).is_file() else Path(path).resolve().name
    return FoundVoice(digest.hexdigest()[:16], name, os.fspath(path), size, *told)


def find_voices(
    models: Iterable[str | os.PathLike], folders: Iterable[str | os.PathLike] = ()
) -> list[FoundVoice]:
    """Voices by themselves, those packed in folders, and the one in the box; each once, the first first.

    A damaged file of a folder is left out with a warning. Raises DataError where one of ``models`` is no
    voice, or a folder cannot be listed.
    """
    found = [read_voice(path) for path in models]
    damaged = []
    for folder in folders:
        if not Path(folder).is_dir():
            raise DataError("no such folder", folder)
        for path in sorted(Path(folder).glob(f"*{SUFFIX}")):
            try:
                found.append(read_voice(path))
            except DataError as error:
                damaged.append(str(error))
    left_out("files that are no packed voices are left out", damaged)
    if BOXED_VOICE.is_file():
        found.append(read_voice(BOXED_VOICE))
    by_id: dict[str, FoundVoice] = {}
    for voice in found:
        by_id.setdefault(voice.id, voice)
    once = list(by_id.values())
    if len(once) > MAX_VOICES:
        raise DataError(f"{len(once)} voices are too many for a studio; it takes {MAX_VOICES}")
    named: list[FoundVoice] = []
    for voice in once:
        same = sum(voice.name == other.name for other in once[: len(named)])
        named.append(voice._replace(name=f"{voice.name} ({same + 1})") if same else voice)
    return named


class KnownVoices:
    """The voices of a studio, of which ``singer`` sings; the first is sung with where none is named."""

    def __init__(self, voices: Sequence[FoundVoice], singer: Worker):
        self.singer = singer
        self._rows = {voice.id: voice for voice in voices}
        self._told: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()

    def find(self, name: Any) -> str:
        """The id of a voice, which is given by it; of the first for None. Raises DataError for others."""
        if name is None:
            return next(iter(self._rows))
        if not isinstance(name, str) or name not in self._rows:
            raise DataError(f"no voice {str(name)[:40]!r} here; /api/voices lists them")
        return name

    def told(self, name: str) -> dict[str, Any]:
        """What a voice says of itself, for the page; it is loaded for that, once.

        Raises DataError where it cannot be loaded.
        """
        # Without the lock, which is held while another voice is loaded.
        if name in self._told:
            return self._told[name]
        with self._lock:
            # A song that is cancelled ends the process that would have told.
            for _ in range(3):
                if name in self._told:
                    break
                with contextlib.suppress(Cancelled):
                    self._told[name] = self.singer.call({"describe": name}, START_SECONDS)
            if name not in self._told:
                raise DataError(f"the voice {self._rows[name].name} could not be loaded; try again")
            return self._told[name]

    def rows(self) -> list[dict[str, Any]]:
        """All voices in their order, as far as they are known."""
        rows = []
        for voice in self._rows.values():
            told = self._told.get(voice.id, {"langs": voice.langs, "singers": voice.singers})
            rows.append({"id": voice.id, "name": voice.name, **{k: told[k] for k in ("langs", "singers")}})
        return rows
