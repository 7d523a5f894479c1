"""Looks for words that are spelt letter by letter in many lyrics of a language.

    .venv/bin/python tools/spelt.py es verses.txt songs/*.musicxml

Reads scores of any known format, and text files with a phrase a line. A word counts as spelt where it has
more vowels, or more phones, than letters to write them with. Prints how many lyrics were read, the words that
seem spelt, and what could not be read.
"""

import logging
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.formats.readers import read_score
from nnsvs_lite.score.languages import LyricError, get_language
from nnsvs_lite.score.languages.words import SpelledLanguage, vowel_letters, words_of
from nnsvs_lite.score.phonemize import continues

LONG = "xzj"
"""Letters that may stand for two phones."""


def phrases_of(path: Path, lang: str) -> Iterator[list[str]]:
    """The lyrics between two rests of a score, or a line of text."""
    if path.suffix == ".txt":
        yield from (line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
        return
    phrase: list[str] = []
    for note in read_score(path, lang=lang, phones=False).notes:
        if note.is_rest and phrase:
            yield phrase
            phrase = []
        if not note.is_rest and not continues(note):
            phrase.append(note.lyric)
    if phrase:
        yield phrase


def spelt(phrase: Sequence[str], language: SpelledLanguage) -> list[str]:
    """The words of a phrase that seem spelt, with their phones."""
    words = words_of(phrase, language.joined)
    found = []
    for word, (phones, *_) in zip(words, language.pronounce(words), strict=True):
        vowels = sum(phone in language.nuclei for phone in phones)
        letters = sum(1 + (letter in LONG) for letter in word.text if letter != "'")
        if vowels > vowel_letters(word.text) or len(phones) > letters:
            found.append(f"{word.text}: {' '.join(phones)}")
    return found


def main(lang: str, *paths: str) -> None:
    language, lyrics, kinds = get_language(lang), 0, set()
    unread: Counter[str] = Counter()
    found: Counter[str] = Counter()
    for path in map(Path, paths):
        try:
            phrases = list(phrases_of(path, lang))
        except DataError as error:
            unread[str(error)] += 1
            continue
        for phrase in phrases:
            try:
                found.update(spelt(phrase, language))
                lyrics, kinds = lyrics + len(phrase), kinds | set(phrase)
            except LyricError as error:
                unread[str(error)] += 1
    print(f"{lyrics} lyrics, {len(kinds)} different; {found.total()} seem spelt, {unread.total()} not read")
    for what, count in (*found.most_common(50), *unread.most_common(20)):
        print(f"{count:5} {what}")


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    main(*sys.argv[1:])
