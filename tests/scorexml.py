"""Writes small MusicXML scores for tests, so that each test shows the music it reads."""

from pathlib import Path

DIVISIONS = 24


def note(text: str) -> str:
    """One note: ``C4 1 は``; ``r 2`` is a rest, ``F#4 0.5`` has no lyric.

    More verses follow after ``|`` (``C4 1 は|ひ``); a trailing ``~`` starts a tie, a
    leading one ends it (``~C4~ 1``); ``g`` before the pitch makes a grace note with a slash, ``G`` one
    without, of a printed length (``GD4 0.5``); ``+`` sounds with the note before it.
    """
    parts = text.split(maxsplit=2)
    pitch, beats, lyric = parts[0], float(parts[1]), parts[2] if len(parts) > 2 else ""
    ties = ""
    if pitch.startswith("~"):
        ties += '<tie type="stop"/>'
        pitch = pitch[1:]
    if pitch.endswith("~"):
        ties += '<tie type="start"/>'
        pitch = pitch[:-1]
    head = tail = ""
    if len(pitch) > 2 and pitch[0] in "gG" and pitch[1].isalpha() and pitch[1] != "b":
        kind = {2: "half", 1: "quarter", 0.5: "eighth", 0.25: "16th"}.get(beats)
        tail += f"<type>{kind}</type>" if kind else ""
        head, pitch = '<grace slash="yes"/>' if pitch[0] == "g" else "<grace/>", pitch[1:]
    if pitch.startswith("+"):
        head, pitch = "<chord/>", pitch[1:]
    if pitch == "r":
        body = "<rest/>"
    else:
        alter = {"#": "<alter>1</alter>", "b": "<alter>-1</alter>"}.get(pitch[1], "")
        body = f"<pitch><step>{pitch[0]}</step>{alter}<octave>{pitch[-1]}</octave></pitch>"
    duration = "" if head.startswith("<grace") else f"<duration>{round(beats * DIVISIONS)}</duration>"
    lyrics = ""
    for verse, word in enumerate(lyric.split("|"), 1):
        if word:
            lyrics += f'<lyric number="{verse}"><syllabic>single</syllabic><text>{word}</text></lyric>'
    return f"<note>{head}{body}{duration}{ties}{tail}{lyrics}</note>"


def measure(text: str, number: int | str = 1) -> str:
    """A measure of comma-separated notes; an item that begins with ``<`` stays as it is."""
    items = [item.strip() for item in text.split(",") if item.strip()]
    body = "".join(item if item.startswith("<") else note(item) for item in items)
    return f'<measure number="{number}">{body}</measure>'


def attributes(beats: int = 4, fifths: int = 0, more: str = "") -> str:
    """Divisions, key and time signature."""
    return (
        f"<attributes><divisions>{DIVISIONS}</divisions><key><fifths>{fifths}</fifths></key>"
        f"<time><beats>{beats}</beats><beat-type>4</beat-type></time>{more}</attributes>"
    )


def tempo(value: float) -> str:
    """A played tempo."""
    return f'<direction><direction-type><words>x</words></direction-type><sound tempo="{value}"/></direction>'


def repeat(direction: str, times: str = "") -> str:
    """A repeat sign on the fitting side of a measure."""
    side = "left" if direction == "forward" else "right"
    times = f' times="{times}"' if times else ""
    return f'<barline location="{side}"><repeat direction="{direction}"{times}/></barline>'


def document(*parts: str, head: str = "") -> str:
    """A score of parts, each a string of measures."""
    names = "".join(
        f'<score-part id="P{i}"><part-name>Part {i}</part-name></score-part>'
        for i in range(1, len(parts) + 1)
    )
    body = "".join(f'<part id="P{i}">{part}</part>' for i, part in enumerate(parts, 1))
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>{head}<score-partwise version="4.0">'
        f"<part-list>{names}</part-list>{body}</score-partwise>"
    )


def song(*measures: str, beats: int = 4, bpm: float | None = 120, fifths: int = 0, more: str = "") -> str:
    """A score of one part; the first measure gets attributes and tempo."""
    start = attributes(beats, fifths, more) + (tempo(bpm) if bpm else "")
    texts = [measure(text, i) for i, text in enumerate(measures, 1)]
    texts[0] = texts[0].replace('<measure number="1">', f'<measure number="1">{start}', 1)
    return document("".join(texts))


def write(folder: Path, text: str, name: str = "score.musicxml") -> Path:
    """Puts a score into a folder."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def contiguous(notes) -> bool:
    """Whether every note ends where the next one starts (to 0.1 ms)."""
    notes = list(notes)
    return all(abs(a.end - b.start) < 1e-4 for a, b in zip(notes, notes[1:]))
