"""Letters to sounds for words that no dictionary has.

Every letter gives no phone, one or two, by the longest known context of letters around it. Only contexts that
say something else than the shorter one are kept (IGTree: Daelemans and van den Bosch, "Language-independent
data-oriented grapheme-to-phoneme conversion", 1997). ``tools/learn_letters.py`` makes such a table.
"""

from collections.abc import Iterator, Mapping

from nnsvs_lite.score.languages.base import tables

ORDER = (0, 1, -1, 2, -2, 3, -3, 4)
"""Letters looked at, by their distance from the one that is read, the most telling first."""


def contexts(word: str, position: int) -> Iterator[str]:
    """Growing contexts of a letter: the letter, then with each further one of ``ORDER``.

    Outside the word there is ``_``.
    """
    context = ""
    for distance in ORDER:
        place = position + distance
        context += word[place] if 0 <= place < len(word) else "_"
        yield context


def read_letters(name: str) -> dict[str, str]:
    """The table of a file of this package: contexts, of which every letter alone is one, to phones."""
    return {context: phones for phones, keys in tables(name).items() for context in keys.split(" ")}


def sounds(word: str, table: Mapping[str, str]) -> list[str]:
    """Phones of a word in lower case."""
    found: list[str] = []
    for i in range(len(word)):
        # A context that is not listed says what the shorter one says; a longer one may differ.
        said = [table[context] for context in contexts(word, i) if context in table]
        found += said[-1].split() if said else []
    return found
