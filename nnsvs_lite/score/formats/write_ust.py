"""Writes a song as UTAU sequence text, so that UTAU or OpenUtau can go on with it."""

from nnsvs_lite.score.formats.ust import TICKS
from nnsvs_lite.score.song import Song
from nnsvs_lite.score.timeline import NEAR


def ust(song: Song) -> bytes:
    """A song in UTF-8, which its ``Charset`` says; read back, it has the song's notes, their times, and bars.

    Rests are notes called ``R``, breaths ``br``; a note that carries a syllable on is ``-``. Tempo changes
    with notes alone: one in which it changes gets the tempo by which it lasts as long.
    """
    rows: list[tuple[int, int, int, str]] = []
    changes = [round(place * TICKS) for place, _ in song.timeline.tempi]

    def rest(start: int, end: int) -> None:
        cuts = [start, *(tick for tick in changes if start < tick < end), end]
        rows.extend((a, b, 60, "R") for a, b in zip(cuts, cuts[1:]) if a < b)

    at = 0
    for note in song.notes:
        start, end = round(note.at * TICKS), round(note.end * TICKS)
        rest(at, start)
        if end > start:
            rows.append((start, end, note.pitch or 60, note.lyric or "-"))
        at = max(at, end)
    rest(at, round(song.length * TICKS))
    lines = ["[#VERSION]", "UST Version1.2", "Charset=UTF-8", "[#SETTING]"]
    tempo = _tempo(song, *rows[0][:2]) if rows else f"{song.timeline.tempi[0][1]:.2f}"
    lines += [f"Tempo={tempo}", "Tracks=1", f"ProjectName={song.title}"]
    if metres := _metres(song):
        lines.append(f"TimeSignatures={metres}")
    for number, (start, end, pitch, lyric) in enumerate(rows):
        lines += [f"[#{number:04}]", f"Length={end - start}", f"Lyric={lyric}", f"NoteNum={pitch}"]
        if (now := _tempo(song, start, end)) != tempo:
            lines.append(f"Tempo={now}")
            tempo = now
    return "\r\n".join([*lines, "[#TRACKEND]", ""]).encode()


def _tempo(song: Song, start: int, end: int) -> str:
    """The tempo by which what lies between two ticks lasts as long as in the song."""
    first, last = start / TICKS, end / TICKS
    held = song.timeline.tempo(first)
    mean = 60 * (last - first) / (song.timeline.seconds(last) - song.timeline.seconds(first))
    number = f"{held if abs(mean - held) < 1e-6 * held else mean:.6f}".rstrip("0")
    return number + "0" * max(3 - len(number.partition(".")[2]) - 1, 0)


def _metres(song: Song) -> str:
    """Time signatures other than 4/4, by bar from 0."""
    found = [(*metre.signature, metre.number - 1) for metre in song.timeline.metres if metre.into < NEAR]
    return (
        "" if [row[:2] for row in found] == [(4, 4)] else ",".join("({}/{}/{})".format(*row) for row in found)
    )
