"""Songs in the public domain, on which the demo is tested.

Written down from the tunes as they are commonly sung, with rests where one
breathes; no printed edition was copied. Who wrote them and when, and since when
they are free, stands with each; terms are those of Japan, where a work was free
fifty years after the end of the year of its author's death, if that year was
before 1968.
"""

from __future__ import annotations

from dataclasses import dataclass

from nnsvs_lite.virtual.melody import Melody, parse


@dataclass(frozen=True)
class Song:
    """A melody and what makes it free.

    Attributes:
        melody: the song.
        part: ``dev`` or ``eval``.
        rights: authors and years, one sentence.
    """

    melody: Melody
    part: str
    rights: str


_SAKURA = """
R/4 | !mp A4/1=さ A4/1=く B4/1.5=ら R/.5 | A4/1=さ A4/1=く B4/1.5=ら R/.5
| A4/1=や B4/1=よ C5/1=い B4/1=の | A4/1=そ B4/.5=ら A4/.5 F4/1.5=は R/.5
| !mf E4/1=み C4/1=わ E4/1=た F4/1=す | E4/1=か E4/.5=ぎ C4/.5 B3/1.5=り R/.5
| A4/1=か B4/1=す C5/1=み B4/1=か | A4/1=く B4/.5=も A4/.5 F4/1.5=か R/.5
| E4/1=に C4/1=お E4/1=い F4/1=ぞ | E4/1=い E4/.5=ず C4/.5 B3/1.5=る R/.5
| !f A4/1=い A4/1=ざ B4/1.5=や R/.5 | A4/1=い A4/1=ざ B4/1.5=や R/.5
| !mp @66 E4/1=み F4/1=に B4/.5=ゆ A4/.5 F4/1=か | E4/3=ん R/1
"""

_KOJO = """
R/4 | !mp E4/1=は E4/1=る A4/1=こ B4/1=う | C5/1=ろ B4/1=う A4/1.5=の R/.5
| F4/1=は F4/1=な E4/1=の D#4/1=え | E4/2.5=ん R/1.5
| E4/1=め E4/1=ぐ A4/1=る B4/1=さ | C5/1=か B4/1=ず A4/1.5=き R/.5
| F4/1=か D4/1=げ E4/1=さ E4/1=し | A3/2.5=て R/1.5
| !mf C5/1=ち C5/1=よ B4/1=の A4/1=ま | F4/1=つ F4/1=が E4/1.5=え R/.5
| D4/1=わ E4/1=け F4/1=い D4/1=で | E4/2.5=し R/1.5
| !mp E4/1=む E4/1=か A4/1=し B4/1=の | C5/1=ひ B4/1=か A4/1.5=り R/.5
| F4/1=い D4/1=ま E4/1=い E4/1=ず | A3/2.5=こ R/1.5
"""

_HARU_NO_OGAWA = """
R/4 | !mf E4/1=は G4/1=る A4/1=の G4/1 | E4/1=お G4/1=が C5/1=わ C5/.5=は R/.5
| A4/1=さ A4/1=ら G4/1=さ E4/1=ら | C4/1=な D4/1=が E4/1.5=る R/.5
| E4/1=き G4/1=し A4/1=の G4/1 | E4/1=す G4/1=み C5/1=れ C5/.5=や R/.5
| A4/1=れ A4/1=ん G4/1=げ E4/1=の | D4/1=は E4/1=な C4/1.5=に R/.5
| !mp D4/1=に E4/1=お D4/1=い G4/1=め | A4/1=で A4/1=た G4/1.5=く R/.5
| C5/1=い C5/1=ろ B4/1=う A4/1=つ | G4/1=く G4/1=し E4/1.5=く R/.5
| !mf E4/1=さ G4/1=け A4/1=よ G4/1 | E4/1=さ G4/1=け C5/1=よ C5/.5=と R/.5
| A4/1=さ A4/1=さ G4/1=や E4/1=く | D4/1=ご E4/1=と C4/1.5=く R/.5
"""

_HARU_GA_KITA = """
R/4 | !mf F4/1=は D4/.5=る Eb4/.5=が F4/1=き G4/1=た | F4/1=は D4/.5=る Eb4/.5=が F4/1=き Bb4/.5=た R/.5
| G4/1=ど F4/1=こ D4/1.5=に Bb3/.5=き | C4/3=た R/1
| F4/1=や G4/.5=ま F4/.5=に D4/1=き F4/1=た | !f Bb4/1=さ C5/.5=と Bb4/.5=に G4/1=き Bb4/.5=た R/.5
| F4/1=の D5/1=に C5/1.5=も F4/.5=き | Bb4/3=た R/1
| !mp F4/1=は D4/.5=な Eb4/.5=が F4/1=さ G4/1=く | F4/1=は D4/.5=な Eb4/.5=が F4/1=さ Bb4/.5=く R/.5
| G4/1=ど F4/1=こ D4/1.5=に Bb3/.5=さ | C4/3=く R/1
| !mf F4/1=や G4/.5=ま F4/.5=に D4/1=さ F4/1=く | Bb4/1=さ C5/.5=と Bb4/.5=に G4/1=さ Bb4/.5=く R/.5
| F4/1=の D5/1=に C5/1.5=も F4/.5=さ | Bb4/3=く R/1
"""

_CHOCHO = """
R/4 | !mf G4/1=ちょ E4/1=う E4/.5=ちょ E4/1=う R/.5 | F4/1=ちょ D4/1=う D4/.5=ちょ D4/1=う R/.5
| C4/1=な D4/1=の E4/1=は F4/1=に | G4/1=と G4/1=ま G4/1.5=れ R/.5
| G4/1=な E4/1=の E4/1=は E4/1=に | F4/1=あ D4/1=い D4/1=た D4/.5=ら R/.5
| !mp C4/1=さ E4/1=く G4/1=ら G4/1=に | E4/1=と E4/1=ま E4/1.5=れ R/.5
| !mf D4/1=さ D4/1=く D4/1=ら D4/1=の | D4/1=は E4/1=な F4/1.5=の R/.5
| E4/1=さ E4/1=か E4/1=ゆ E4/1=る | E4/1=み F4/1=よ G4/1.5=に R/.5
| !f G4/1=と E4/1=ま E4/1=れ E4/1=よ | F4/1=あ D4/1=そ D4/1.5=べ R/.5
| C4/1=あ E4/1=そ G4/1=べ G4/1=よ | E4/1=と E4/1=ま E4/1.5=れ R/.5
"""

_HOTARU_KOI = """
R/2 | !mf A4/.5=ほ A4/1=う R/.5 | A4/.5=ほ A4/1=う R/.5 | A4/.5=ほ A4/.5=た A4/.5=る B4/.5=こ | A4/1.5=い R/.5
| G4/.5=あっ A4/.5=ち A4/.5=の G4/.5=み | A4/.5=ず A4/1=は R/.5
| B4/.5=に A4/.5=が G4/.5=い A4/.5=ぞ | A4/1=お R/1
| !mp G4/.5=こっ A4/.5=ち A4/.5=の G4/.5=み | A4/.5=ず A4/1=は R/.5
| B4/.5=あ A4/.5=ま G4/.5=い A4/.5=ぞ | A4/1=お R/1
| !mf A4/.5=ほ A4/1=う R/.5 | A4/.5=ほ A4/1=う R/.5 | A4/.5=ほ A4/.5=た A4/.5=る B4/.5=こ | A4/1.5=い R/.5
"""


def _song(name: str, title: str, fifths: int, tempo: float, text: str, **more) -> Melody:
    beats = more.pop("beats", 4)
    return Melody(name, title, fifths, beats, 4, tempo, parse(text), **more)


SONGS = (
    Song(
        _song("chocho", "ちょうちょう", 0, 112, _CHOCHO, composer="trad. (German)", lyricist="野村秋足"),
        "dev",
        "Tune: German folk song (Hänschen klein, 19th century). Words: Nomura Akitari (1819-1902), the "
        "verse of 1881; free since 1953 at the latest. The second half sung since 1947 is not used.",
    ),
    Song(
        _song("hotarukoi", "ほたるこい", 0, 92, _HOTARU_KOI, beats=2, composer="わらべうた (trad.)"),
        "dev",
        "Traditional children's song; tune and words have no known author and have always been free.",
    ),
    Song(
        _song("sakura", "さくらさくら", 0, 76, _SAKURA, composer="日本古謡 (trad.)", minor=True),
        "eval",
        "Traditional tune of the Edo period; words as printed in the koto collection of 1888, author "
        "unknown; always free.",
    ),
    Song(
        _song("kojonotsuki", "荒城の月", 0, 72, _KOJO, composer="瀧廉太郎", lyricist="土井晩翠", minor=True),
        "eval",
        "Tune: Taki Rentaro (1879-1903), 1901; free since 1954 at the latest. Words: Doi Bansui "
        "(1871-1952); free since 1 January 2003.",
    ),
    Song(
        _song("harunoogawa", "春の小川", 0, 116, _HARU_NO_OGAWA, composer="岡野貞一", lyricist="高野辰之"),
        "eval",
        "Tune: Okano Teiichi (1878-1941); free since 1 January 1992. Words: Takano Tatsuyuki (1876-1947), "
        "the verse of 1912; free since 1 January 1998. The words of 1942 are not used: their author "
        "died in 1974.",
    ),
    Song(
        _song("harugakita", "春が来た", -2, 108, _HARU_GA_KITA, composer="岡野貞一", lyricist="高野辰之"),
        "eval",
        "Tune: Okano Teiichi (1878-1941), 1910; free since 1 January 1992. Words: Takano Tatsuyuki "
        "(1876-1947); free since 1 January 1998.",
    ),
)
