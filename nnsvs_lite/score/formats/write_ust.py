"""Writes a song as UTAU sequence text, so that UTAU or OpenUtau can go on with it."""

from nnsvs_lite.score.formats.ust import TICKS
from nnsvs_lite.score.song import Song
from nnsvs_lite.score.timeline import NEAR


def ust(song: Song) -> bytes:
    """A song in UTF-8, which its ``Charset`` says; read back, it has the song's notes, tempi and bars.

    Rests are notes called ``R``, breaths ``br``; a note that carries a syllable on is ``-``.
    """
    rows: list[tuple[int, int, int, str]] = []
    at = 0
    for note in song.notes:
        start, end = round(note.at * TICKS), round(note.end * TICKS)
        if start > at:
            rows.append((at, start, 60, "R"))
        if end > start:
            rows.append((start, end, note.pitch or 60, note.lyric or "-"))
        at = max(at, end)
    if round(song.length * TICKS) > at:
        rows.append((at, round(song.length * TICKS), 60, "R"))
    # A change of tempo holds from the note on in which it falls.
    tempi = {round(place * TICKS): bpm for place, bpm in song.timeline.tempi[1:]}
    lines = ["[#VERSION]", "UST Version1.2", "Charset=UTF-8", "[#SETTING]"]
    lines += [f"Tempo={song.timeline.tempi[0][1]:.2f}", "Tracks=1", f"ProjectName={song.title}"]
    if metres := _metres(song):
        lines.append(f"TimeSignatures={metres}")
    for number, (start, end, pitch, lyric) in enumerate(rows):
        lines += [f"[#{number:04}]", f"Length={end - start}", f"Lyric={lyric}", f"NoteNum={pitch}"]
        lines += [f"Tempo={bpm:.2f}" for place, bpm in tempi.items() if start <= place < end]
    return "\r\n".join([*lines, "[#TRACKEND]", ""]).encode()


def _metres(song: Song) -> str:
    """Time signatures other than 4/4, by bar from 0."""
    found = [(*metre.signature, metre.number - 1) for metre in song.timeline.metres if metre.into < NEAR]
    return (
        "" if [row[:2] for row in found] == [(4, 4)] else ",".join("({}/{}/{})".format(*row) for row in found)
    )
