"""Stage 6: features to waveforms, in parallel, and phrases joined to songs."""

import os
from collections import defaultdict
from pathlib import Path

from nnsvs_lite.corpus.datadir import parse_place
from nnsvs_lite.features.audio import read_wav, write_audio
from nnsvs_lite.features.spec import LATENT, Spec
from nnsvs_lite.io.atomic import read_json, write_json
from nnsvs_lite.io.done import Done
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.jobs import run_jobs
from nnsvs_lite.io.tables import read_table, write_table
from nnsvs_lite.models.config import vocoder_by_name
from nnsvs_lite.models.pack import assemble
from nnsvs_lite.synthesis.decode import COPIED, copy_tables
from nnsvs_lite.synthesis.joining import join
from nnsvs_lite.training.run import checkpoint_of

VOCODING = 1
"""Number of the way from features to songs; raised whenever the same features would give other samples."""
SHARED = (*COPIED, "schema.json", "pred.ctm", "lf0.scp", "vuv.scp")
"""Tables of a decode dir that waveforms made elsewhere are read with."""


def vocode(
    folder: str | os.PathLike,
    nj: int = 1,
    vocoder: str | os.PathLike | None = None,
    device: str = "cpu",
    trust_code: bool = False,
    out: str | os.PathLike | None = None,
    voice: str | os.PathLike | None = None,
) -> bool:
    """Waveforms of a decode dir.

    Writes ``wav/<utt>.wav``, ``wav.scp``, ``songs/<song>.wav`` where a ``segments`` table gives the phrases'
    places, ``vocoder.json``, what made them, and adds ``vocoder_seconds`` to ``timing.json``.

    Args:
        folder: decode dir. nj: processes.
        vocoder: checkpoint or exp dir of a trained one, or the name of one that learns nothing; see
            :func:`~nnsvs_lite.synthesis.vocoder.choose_vocoder` for what is taken without.
        device: torch's name, of a trained one. trust_code: as
            :func:`nnsvs_lite.models.checkpoint.load_model`.
        out: where to write, with copies of the small tables, if not in ``folder``: waveforms of several
            vocoders stand side by side.
        voice: acoustic exp dir whose features these are: it gets a copy of the vocoder, to sing with it; an
            end-to-end model makes their waveforms itself, whatever vocoder is given.

    Returns False where everything was up to date. Raises DataError for missing tables, or features of which
    no waveform can be made.
    """
    folder = Path(folder)
    out = folder if out is None else Path(out)
    spec = Spec.read(folder, stats=False)
    is_own = LATENT in spec.streams
    if is_own and voice is None:
        raise DataError(
            "features of an end-to-end model: only that makes waveforms; name it by --voice", folder
        )
    named = None if is_own or vocoder is None else vocoder_by_name(vocoder)
    model = None if named else checkpoint_of(voice) if is_own else vocoder and checkpoint_of(vocoder)
    inputs = [folder / "schema.json", folder / "segments", *([model] if model else [])]
    inputs += [folder / f"{name}.ark" for name in spec.streams]
    inputs += [] if out == folder else [folder / "timing.json", folder / "pred.ctm"]
    done = Done(out, "vocode", inputs, {"vocoding": VOCODING} | ({"vocoder": str(vocoder)} if named else {}))
    if done.is_current():
        return False
    # torch is slow to import; a finished stage must not wait for it.
    from nnsvs_lite.models.checkpoint import load_model, model_bytes
    from nnsvs_lite.synthesis.vocoder import FolderVocoder

    work = FolderVocoder(folder, out, spec, vocoder if named else model, device, trust_code)
    utts = work.utts
    done.clear()
    outputs = [] if out == folder else copy_tables(folder, out, SHARED)
    samples, seconds = 0, 0.0
    for more, took in run_jobs(work, work.batches(), nj if device == "cpu" else 1):
        samples, seconds = samples + more, seconds + took
    write_table(out / "wav.scp", {utt: str(out / "wav" / f"{utt}.wav") for utt in utts})
    outputs += [out / "wav.scp", *(out / "wav" / f"{utt}.wav" for utt in utts)]
    if (out / "segments").exists():
        outputs += _join_songs(out, spec.sample_rate)
    timing = read_json(folder / "timing.json") if (folder / "timing.json").exists() else {}
    timing |= {"audio_seconds": samples / spec.sample_rate, "vocoder_seconds": seconds}
    write_json(out / "timing.json", timing)
    name = "" if model is None else model.resolve().parent.name
    write_json(out / "vocoder.json", {"class": type(work.model).__name__, "experiment": name})
    outputs += [out / "vocoder.json"]
    if voice is not None and named:
        spec = load_model(voice, "acoustic", trust_code=trust_code).spec
        outputs += assemble(voice, vocoder=(str(vocoder), model_bytes(named.build(spec), named)))
    elif voice is not None and model is not None and not is_own:
        outputs += assemble(voice, vocoder=model)
    done.set(outputs)
    return True


def _join_songs(folder: Path, sample_rate: int) -> list[Path]:
    songs: dict[str, list[tuple[float, str]]] = defaultdict(list)
    waves = read_table(folder / "wav.scp")
    for utt, value in read_table(folder / "segments").items():
        if utt in waves:
            song, start, _ = parse_place(value, f"{folder / 'segments'}: {utt}")
            songs[song].append((start, waves[utt]))
    paths = []
    for song, phrases in sorted(songs.items()):
        paths.append(folder / "songs" / f"{song}.wav")
        pieces = [(start, read_wav(wave)[0]) for start, wave in phrases]
        write_audio(paths[-1], join(pieces, sample_rate), sample_rate)
    return paths
