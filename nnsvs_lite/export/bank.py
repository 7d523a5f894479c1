"""A DiffSinger bank for OpenUtau: the files of a folder, from a voice of 44.1 kHz mel spectra."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from nnsvs_lite import __version__
from nnsvs_lite.export import dictionary, graphs
from nnsvs_lite.export.onnxfile import write_onnx
from nnsvs_lite.export.vocoders import VocoderGraph
from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.atomic import write_bytes, write_text
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.pack import terms_of

RATE = 44100
"""Hz: OpenUtau mixes what banks make without resampling it."""
ACOUSTIC, DURATION, PITCH, VOCODER = "acoustic.onnx", "dsdur", "dspitch", "dsvocoder"


@dataclass(frozen=True)
class Credits:
    """What a bank says of itself.

    Attributes:
        name: of the singer. author: who made the bank. licence: terms of the voice, as a text.
        image: a picture of the singer, PNG or JPEG; none if None.
    """

    name: str
    author: str = ""
    licence: str = ""
    image: Path | None = None

    @property
    def terms(self) -> str:
        """What is written beside it."""
        return (self.licence.strip() or "The terms of this voice are not known.") + "\n"


def credits_of(
    voice: str | os.PathLike, spec: Spec, name: str | None, author: str, image: str | os.PathLike | None
) -> Credits:
    """Those of a voice, packed or an exp dir; its first singer's name, or its own, if none is given."""
    told = name or (spec.speakers[0] if spec.speakers else Path(voice).stem)
    return Credits(told, author, terms_of(voice, set(spec.speakers)), Path(image) if image else None)


def check_spec(spec: Spec, rate: int | None = RATE) -> None:
    """Raises DataError for features that no bank can have, or of another rate than ``rate`` in Hz."""
    config = spec.feature_config
    if config.mel is None:
        raise DataError("a bank needs mel spectra: train on conf/features/mel_44k.yaml")
    if rate and config.sample_rate != rate:
        raise DataError(
            f"a voice of {config.sample_rate} Hz: OpenUtau plays {RATE} Hz alone and resamples nothing; "
            "train on conf/features/mel_44k.yaml"
        )
    hop = config.frame_shift * config.sample_rate
    if abs(hop - round(hop)) > 1e-6 or config.mel.power != 1 or config.mel.scale == "linear":
        raise DataError("a bank's spectra are magnitudes in mel bands, a whole number of samples apart")


def mel_settings(spec: Spec) -> dict[str, Any]:
    """The analysis, in the keys of ``dsconfig.yaml`` and ``vocoder.yaml``."""
    config, mel = spec.feature_config, spec.feature_config.mel
    return {
        "sample_rate": config.sample_rate,
        "hop_size": round(config.frame_shift * config.sample_rate),
        "win_size": mel.win_size,
        "fft_size": mel.fft_size,
        "num_mel_bins": mel.bins,
        "mel_fmin": mel.fmin,
        "mel_fmax": mel.fmax,
        "mel_base": "e" if mel.log == "natural" else "10",
        "mel_scale": mel.scale,
    }


def modules(acoustic: graphs.DividedSinger, vocoder: VocoderGraph) -> dict[str, Any]:
    """Every network of a bank by the path of its file."""
    return {
        ACOUSTIC: graphs.Acoustic(acoustic),
        f"{DURATION}/linguistic.onnx": graphs.WordLinguistic(acoustic.spec),
        f"{DURATION}/dur.onnx": graphs.Duration(acoustic.spec),
        f"{PITCH}/linguistic.onnx": graphs.Linguistic(acoustic),
        f"{PITCH}/pitch.onnx": graphs.Pitch(acoustic),
        f"{VOCODER}/vocoder.onnx": vocoder,
    }


def write_bank(folder: Path, networks: dict[str, Any], credits: Credits) -> None:
    """Writes all files of a bank; ``networks`` as :func:`modules` gives them."""
    acoustic = networks[ACOUSTIC].model
    spec, hidden = acoustic.spec, acoustic.embedding.tables["phone"].embedding_dim
    for name, module in networks.items():
        write_onnx(module, folder / name, B=spec.feature_config.mel.bins, H=hidden, E=graphs.TIMES)
    tokens = {name: i for i, name in enumerate(graphs.tokens_of(spec))}
    words = {"symbols": dictionary.symbols(spec), "entries": dictionary.entries(spec)}
    speakers = _write_speakers(folder, acoustic)
    common = {"phonemes": "phonemes.json", "hidden_size": hidden, "use_lang_id": False}
    common |= {"use_continuous_acceleration": True} | speakers
    predicts = dict.fromkeys([f"predict_{n}" for n in ("energy", "breathiness", "voicing", "tension")], False)
    analysis = mel_settings(spec)
    switches = [
        f"use_{n}_embed" for n in ("key_shift", "speed", "energy", "breathiness", "voicing", "tension")
    ]
    configs = {
        ".": {"acoustic": ACOUSTIC, "vocoder": VOCODER, "use_variable_depth": False, "max_depth": 0.0}
        | dict.fromkeys(switches, False),
        DURATION: {"linguistic": "linguistic.onnx", "dur": "dur.onnx", "predict_dur": True} | predicts,
        PITCH: {"linguistic": "linguistic.onnx", "pitch": "pitch.onnx", "predict_dur": False}
        | {"use_expr": False, "use_note_rest": True}
        | predicts,
    }
    for place, own in configs.items():
        write_text(folder / place / "phonemes.json", json.dumps(tokens, ensure_ascii=False, indent=1) + "\n")
        write_yaml(folder / place / "dsconfig.yaml", common | own | analysis)
        if place != ".":
            write_yaml(folder / place / "dsdict.yaml", words)
    player = {"name": "vocoder", "model": "vocoder.onnx"} | analysis | {"pitch_controllable": True}
    write_yaml(folder / VOCODER / "vocoder.yaml", player)
    kind = {"singer_type": "diffsinger", "default_phonemizer": dictionary.phonemizer(spec.codes[0])}
    write_character(folder, credits, kind, spec.speakers)


def _write_speakers(folder: Path, acoustic: graphs.DividedSinger) -> dict[str, Any]:
    """The vectors of several singers, in each folder whose networks take one, and the key that lists them."""
    names = acoustic.spec.speakers
    if len(names) < 2:
        return {}
    vectors = acoustic.conditions.singer.weight.detach().cpu().numpy().astype("<f4")
    for place in (".", DURATION, PITCH):
        (folder / place).mkdir(parents=True, exist_ok=True)
        for name, vector in zip(names, vectors):
            write_bytes(folder / place / f"{name}.emb", np.ascontiguousarray(vector).tobytes())
    return {"speakers": list(names)}


def write_character(folder: Path, credits: Credits, kind: dict[str, str], singers: Sequence[str]) -> None:
    """The files by which OpenUtau knows a singer: ``kind`` names type and phonemizer, ``singers`` are colours
    of the voice, if it has several.
    """
    # OpenUtau finds singers by character.txt, and reads it as character.yaml says.
    name, image = _one_line(credits.name), {}
    if credits.image is not None:
        suffix = credits.image.suffix.lower()
        if suffix not in (".png", ".jpg", ".jpeg"):
            raise DataError("a picture is a .png or .jpg", credits.image)
        write_bytes(folder / f"image{suffix}", credits.image.read_bytes())
        image = {"image": f"image{suffix}"}
    about = {"name": name, "author": _one_line(credits.author), "version": __version__} | image
    write_text(folder / "character.txt", "".join(f"{key}={value}\n" for key, value in about.items()))
    subbanks = [
        {"color": "" if i == 0 else one, "prefix": "", "suffix": one, "tone_ranges": ["C1-B7"]}
        for i, one in enumerate(singers)
    ]
    more = {"subbanks": subbanks} if len(singers) > 1 else {}
    settings = kind | {"text_file_encoding": "utf-8", "portrait_opacity": 0.67}
    write_yaml(folder / "character.yaml", about | settings | more)
    write_text(folder / "LICENCE.txt", credits.terms)


def files_of(folder: Path) -> Iterator[tuple[str, bytes]]:
    """What to zip of a folder, under its name."""
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        yield f"{folder.name}/{path.relative_to(folder).as_posix()}", path.read_bytes()


def file_name(text: str) -> str:
    """A name that every system takes as a folder's."""
    return "".join(c if c.isalnum() or c in " ._-" else "_" for c in text).strip(" .")[:80] or "voice"


def _one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:200]


def write_yaml(path: Path, value: dict[str, Any]) -> None:
    """A mapping in its order, in a folder that is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, yaml.safe_dump(value, allow_unicode=True, sort_keys=False, width=100))
