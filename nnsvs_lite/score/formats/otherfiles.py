"""What is said of a file that no reader takes: what it is, and how a score comes of it."""

import contextlib
import zipfile
from collections.abc import Iterable
from pathlib import Path

from nnsvs_lite.io.errors import nearest
from nnsvs_lite.score.formats.limits import MAX_BYTES

_HEAD = 1 << 16  # bytes by which a file is known
_MUSESCORE = "a MuseScore file: in MuseScore, File, Export makes MusicXML of it"
_RECORDING = "a recording: 'nnsvs-lite transcribe' writes its notes"
_PRINTED = "a printed score, of which no notes are read: export it as MusicXML where it was written"
_OTHER = "save it as MusicXML or MIDI in its editor, or convert it"
_TEXT = "text, which has no notes"
_ADVICE = {
    **dict.fromkeys((".mscz", ".mscx"), _MUSESCORE),
    **dict.fromkeys((".pdf", ".png", ".jpg", ".jpeg", ".gif", ".tif", ".tiff", ".svg"), _PRINTED),
    **dict.fromkeys((".wav", ".flac", ".mp3", ".ogg", ".m4a", ".aif", ".aiff", ".wma", ".opus"), _RECORDING),
    **dict.fromkeys((".vsq", ".s5p", ".ccs", ".abc", ".krn", ".mei", ".ly", ".sib", ".mus", ".musx"), _OTHER),
    **dict.fromkeys((".dorico", ".gp", ".gp3", ".gp4", ".gp5", ".gpx", ".cpr", ".als", ".flp"), _OTHER),
    **dict.fromkeys((".txt", ".doc", ".docx", ".odt", ".rtf", ".htm", ".html", ".lrc", ".srt"), _TEXT),
}
_WORDS = {
    ".musicxml": ("<score-partwise", "<score-timewise"),
    ".vsqx": ("<vsq3", "<vsq4"),
    ".mscx": ("<museScore",),
    ".ust": ("[#VERSION]", "[#SETTING]"),
    ".ustx": ("\nustx_version:", "\nvoice_parts:"),
    ".ds": ('"ph_seq"',),
    ".svp": ('"mainGroup"',),
}
"""Of each form of text what the beginning of its files, and of no others', holds."""


def advice(suffix: str, known: Iterable[str]) -> str:
    """A hint what to do with a file of a suffix that no reader takes, or an empty string."""
    return f" ({_ADVICE[suffix]})" if suffix in _ADVICE else nearest(suffix, known, 0.7)


def kind(path: Path) -> str | None:
    """The suffix that a file should have by its contents; None where these do not tell."""
    with contextlib.suppress(OSError, ValueError, NotImplementedError, zipfile.BadZipFile):
        if path.is_file() and path.stat().st_size <= MAX_BYTES:
            with path.open("rb") as file:
                head = file.read(_HEAD)
            if head[:2] == b"PK":
                with zipfile.ZipFile(path) as archive:
                    return _packed(archive.namelist())
            return _plain(head)
    return None


def _plain(head: bytes) -> str | None:
    if head[:4] == b"MThd" or (head[:4] == b"RIFF" and head[8:12] == b"RMID"):
        # VOCALOID 2 keeps its notes in texts of a MIDI file that has no notes.
        return ".vsq" if b"DM:0000:" in head else ".mid"
    wide = head[:2] in (b"\xff\xfe", b"\xfe\xff")
    text = "\n" + head.decode("utf-16" if wide else "latin-1", "ignore")
    return next((suffix for suffix, words in _WORDS.items() if any(word in text for word in words)), None)


def _packed(names: list[str]) -> str | None:
    if any(name.endswith(".mscx") for name in names):
        return ".mscz"
    if any(name.replace("\\", "/") == "Project/sequence.json" for name in names):
        return ".vpr"
    return ".mxl" if "META-INF/container.xml" in names else None
