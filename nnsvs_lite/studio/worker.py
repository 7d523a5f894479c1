"""The processes that read and sing: tasks are lines of JSON on standard input, answers on standard output.

They are processes of their own so that the page answers while they work, and so that whatever takes too
long, too much memory, or is no longer wanted can be ended at once.

Answers: ``{"progress": 0.5, "stage": "..."}`` any number of times, then ``{"result": ...}``,
``{"error": ..., "where": ...}`` (a :class:`DataError`) or ``{"fault": ...}`` (a mistake of ours; the
traceback goes to the terminal).
"""

import json
import os
import select
import sys
import threading
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.leftout import listening

READER_MEMORY = 4 * 2**30
"""Bytes of address space for reading a score; what needs more is refused."""
LOADED = 1 << 30
"""Bytes of weights of the voices that are kept loaded; one always is."""

Say = Callable[[dict[str, Any]], None]
Task = Callable[[dict[str, Any], Say], Any]


Prepare = Callable[[dict[str, Any]], tuple[Any, Task]]
"""What gets ready for tasks: from a setup to what it says of itself, and how it does a task."""


def main() -> None:
    """Runs ``reader`` or ``singer``; the next line of input says what to get ready."""
    run_role({"reader": reader, "singer": singer})


def run_role(roles: dict[str, Prepare]) -> None:
    """Runs the role that the command line names, on standard input and output."""
    threading.Thread(target=_end_with_studio, daemon=True).start()
    # Whatever a library prints must not get among the answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    run(roles[sys.argv[1]], sys.stdin, answers)


def _end_with_studio() -> None:
    """Ends this process, whatever it is doing, once nobody holds the other end of its input."""
    if hasattr(select, "poll"):  # not on Windows, where the next answer ends it
        hung_up = select.poll()
        hung_up.register(0, 0)
        hung_up.poll()
        os._exit(0)


def run(prepare: Prepare, tasks: TextIO, answers: TextIO) -> None:
    """Answers tasks until there are no more."""

    def say(value: dict[str, Any]) -> None:
        line = json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n"
        try:
            answers.write(line)
            answers.flush()
        except BrokenPipeError:
            os._exit(0)  # the studio was killed

    def answer(work: Callable[[], Any]) -> bool:
        try:
            say({"result": work()})
        except DataError as error:
            say({"error": error.what, "where": error.where})
        except MemoryError:
            say({"error": "it needs more memory than the studio allows", "where": None})
        except Exception as error:
            traceback.print_exc()
            say({"fault": f"{type(error).__name__}: {error}"})
        else:
            return True
        return False

    task: list[Task] = []

    def begin() -> Any:
        ready, do = prepare(json.loads(tasks.readline()))
        task.append(do)
        return ready

    if answer(begin):
        for line in tasks:
            answer(partial(task[0], json.loads(line), say))


def reader(setup: dict[str, Any]) -> tuple[Any, Task]:
    """Reads score files of any known format, in the language ``setup["lang"]`` where a task names none; and
    writes them.
    """
    _limit_memory()
    from nnsvs_lite.score.formats.assemble import NoLyrics
    from nnsvs_lite.score.formats.readers import read_score
    from nnsvs_lite.score.formats.words import vocalise
    from nnsvs_lite.score.formats.writers import write_score
    from nnsvs_lite.score.phonemize import attach_phones
    from nnsvs_lite.studio.convert import song_of
    from nnsvs_lite.studio.drawn import page_curves
    from nnsvs_lite.studio.sung import written

    def read(task: dict[str, Any]) -> dict[str, Any]:
        path = Path(task["path"])
        with listening() as said:
            options = {"lang": setup["lang"], "phones": False} | task["options"]
            try:
                score = read_score(path, **options)
            except NoLyrics:
                # A tune, whose words are written on the page. It is read again, and warned of again.
                said.clear()
                syllable = vocalise(options["lang"])
                score = read_score(path, **options, lyrics=syllable)
                said.append(f"it has no lyrics: every note has {syllable} until you write them")
            try:
                # A lyric that cannot be read is no reason not to show the notes, where it can be mended.
                if not all(note.phones for note in score.notes):
                    attach_phones(score, where=path)
            except DataError as error:
                said.insert(0, str(error))
        song = song_of(score).to_json()
        curves = page_curves(score)
        return {"song": song | ({"curves": curves} if curves else {}), "warning": "; ".join(said)}

    def write(task: dict[str, Any]) -> dict[str, Any]:
        path = Path(task["write"])
        with listening() as said:
            scores = [written(track) for track in task["tracks"]]
            write_score(path, scores[0] if len(scores) == 1 else scores)
        return {"warning": "; ".join(said)}

    def work(task: dict[str, Any], say: Say) -> dict[str, Any]:
        return write(task) if "write" in task else read(task)

    return {}, work


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # not on Windows
        return
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    limit = READER_MEMORY if most == resource.RLIM_INFINITY else min(READER_MEMORY, most)
    resource.setrlimit(resource.RLIMIT_AS, (limit, most))


def singer(setup: dict[str, Any]) -> tuple[Any, Task]:
    """Sings songs with the voices ``setup["voices"]`` on ``setup["device"]``, and says what each can.

    A voice is loaded when it is needed; those that sang last are kept, as many as there is room for.
    """
    import numpy as np

    from nnsvs_lite.features.audio import resample, write_audio
    from nnsvs_lite.studio.alive import lanes, still
    from nnsvs_lite.studio.options import describe
    from nnsvs_lite.studio.sung import result_of, sing_track
    from nnsvs_lite.studio.voices import FoundVoice, read_voice
    from nnsvs_lite.synthesis.kept import Kept
    from nnsvs_lite.synthesis.singer import Singer
    from nnsvs_lite.synthesis.style import RANGES

    rows = {row[0]: FoundVoice(*row) for row in setup["voices"]}
    loaded, kept = Kept(LOADED), Kept()

    def load(row: FoundVoice) -> Singer:
        if read_voice(row.path).id != row.id:
            raise DataError("the voice has changed since the studio started; start it again", row.path)
        told = (setup.get("trust_code", False), setup.get("runtime", "auto"))
        return Singer.load(row.path, setup["device"], None, *told)

    def voice_of(name: str) -> Singer:
        return loaded.get(name, lambda: load(rows[name]), lambda _: rows[name].size)

    def tell(name: str) -> dict[str, Any]:
        voice = voice_of(name)
        spec = voice.spec
        return {
            "id": name,
            "name": rows[name].name,
            "lang": spec.codes[0],
            "langs": spec.codes,
            "phones": {code: [phone.symbol for phone in spec.phone_set(code).phones] for code in spec.codes},
            "sample_rate": spec.sample_rate,
            "singers": voice.singers,
            "options": describe(RANGES, still(voice)),
            "lanes": lanes(voice),
        }

    def sing(tracks: list[dict[str, Any]], wav: str, say: Say) -> dict[str, Any]:
        def progress(done: float) -> None:
            say({"progress": round(done, 3), "stage": "singing"})

        progress(0.0)
        with listening() as said:
            sung = [
                sing_track(
                    voice_of(track["voice"]),
                    track,
                    kept.under(track["voice"]),
                    lambda part, i=i: progress((i + part) / len(tracks)),
                )
                for i, track in enumerate(tracks)
            ]
        # The first is the one that is edited; it is sung, and drawn, also where it is not heard.
        rate = max(one.song.sample_rate for one in sung)
        wave = np.zeros((max(-(-len(one.song.waveform) * rate // one.song.sample_rate) for one in sung), 2))
        for track, one in zip(tracks, (resample(s.song.waveform, s.song.sample_rate, rate) for s in sung)):
            sides = np.minimum(1, [1 - track["pan"], 1 + track["pan"]])
            wave[: len(one)] += 10 ** (track["gain"] / 20) * track["heard"] * one[:, None] * sides
        aside = any(track["pan"] and track["heard"] for track in tracks)
        gain = write_audio(wav, wave if aside else wave[:, 0], rate)
        unheard = list(dict.fromkeys(name for one in sung for name in one.unheard))
        about = {"seconds": round(len(wave) / rate, 3), "sample_rate": rate, "gain": round(gain, 4)}
        told = {"unheard": unheard, "said": "; ".join(dict.fromkeys(said))}
        return result_of(sung[0]) | about | told

    def work(task: dict[str, Any], say: Say) -> dict[str, Any]:
        return tell(task["describe"]) if "describe" in task else sing(task["tracks"], task["wav"], say)

    return {}, work
