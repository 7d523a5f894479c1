"""A singer for OpenUtau that an ENUNU server sings: what the editor reads of it, and no network."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from nnsvs_lite.export.bank import credits_of, file_name, files_of, write_character, write_yaml
from nnsvs_lite.export.dictionary import entries
from nnsvs_lite.export.frames import loaded
from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.atomic import write_text, write_zip
from nnsvs_lite.io.errors import DataError

KIND = {"singer_type": "enunu", "default_phonemizer": "OpenUtau.Core.Enunu.EnunuPhonemizer"}
TABLE, QUESTIONS = "lyrics.table", "phones.hed"


def export_enunu(
    voice: str | os.PathLike,
    out: str | os.PathLike,
    *,
    name: str | None = None,
    author: str = "",
    image: str | os.PathLike | None = None,
    trust_code: bool = False,
) -> Path:
    """Writes a zip to be dropped on OpenUtau, whose singer ``nnsvs-lite serve --enunu`` sings.

    Arguments: as of :func:`~nnsvs_lite.export.openutau.export_openutau`. Raises DataError where ``out`` is no
    ``.zip``, or as :meth:`~nnsvs_lite.synthesis.singer.Singer.load`.
    """
    out = Path(out)
    if out.suffix != ".zip":
        raise DataError("a singer for OpenUtau is named *.zip", out)
    singer = loaded(voice, trust_code=trust_code)
    spec = singer.spec
    credits = credits_of(voice, spec, name, author, image)
    with tempfile.TemporaryDirectory(prefix="nnsvs-lite-export-") as folder:
        root = Path(folder) / file_name(credits.name)
        root.mkdir()
        write_character(root, credits, KIND, spec.speakers)
        write_singer(root, spec, singer.vocoder.name == "World")
        write_zip(out, files_of(root), compressed=True)
    return out


def write_singer(folder: Path, spec: Spec, has_world: bool) -> None:
    """What OpenUtau reads of phones, lyrics and frames. It makes waveforms of WORLD's numbers itself, and has
    all others made by the server.
    """
    config = {"table_path": TABLE, "question_path": QUESTIONS, "sample_rate": spec.sample_rate}
    config |= {"frame_period": spec.frame_shift * 1000, "feature_type": "world" if has_world else "melf0"}
    config |= {} if has_world else {"extensions": {"wav_synthesizer": "synthe"}}
    write_yaml(folder / "enuconfig.yaml", config)
    phones = spec.languages[0].language.phones
    lines = [f'QS "C-Phone_{p}" {{*-{p}+*}}\n' for p in phones]
    write_text(folder / QUESTIONS, "".join(lines))
    words = (f"{row['grapheme']} {' '.join(row['phonemes'])}\n" for row in entries(spec))
    write_text(folder / TABLE, "".join(words))
