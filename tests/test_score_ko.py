"""Korean lyrics to phones."""

import pytest

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.languages import LyricError, get_language
from nnsvs_lite.score.languages.hangul import CODAS, ONSETS, VOWELS, WORDS, compose, decompose, pronounce
from nnsvs_lite.score.phonemize import attach_phones
from nnsvs_lite.score.types import Note, Score

KO = get_language("ko")

# Examples of the Standard Pronunciation (표준어 규정 제2부 표준 발음법), by article.
STANDARD = {
    "5": "가져 가저|다쳐 다처|희망 히망|띄어쓰기 띠어쓰기|닁큼 닝큼",
    "9": "닦다 닥따|키읔과 키윽꽈|옷 옫|웃다 욷따|있다 읻따|젖 젇|빚다 빋따|꽃 꼳"
    "|쫓다 쫃따|솥 솓|뱉다 밷따|앞 압|덮다 덥따",
    "10": "넋 넉|넋과 넉꽈|앉다 안따|여덟 여덜|넓다 널따|외곬 외골|핥다 할따|값 갑"
    "|없다 업따|밟다 밥따|밟소 밥쏘|밟지 밥찌|밟는 밤는|밟게 밥께|밟고 밥꼬"
    "|넓죽하다 넙쭈카다|넓둥글다 넙뚱글다",
    "11": "닭 닥|흙과 흑꽈|맑다 막따|늙지 늑찌|삶 삼|젊다 점따|읊고 읍꼬|읊다 읍따"
    "|맑게 말께|묽고 물꼬|얽거나 얼꺼나",
    "12": "놓고 노코|좋던 조턴|쌓지 싸치|많고 만코|않던 안턴|닳지 달치|각하 가카"
    "|먹히다 머키다|밝히다 발키다|맏형 마텽|좁히다 조피다|넓히다 널피다"
    "|꽂히다 꼬치다|앉히다 안치다|닿소 다쏘|많소 만쏘|싫소 실쏘|놓는 논는|쌓네 싼네"
    "|않네 안네|않는 안는|뚫네 뚤레|뚫는 뚤른|낳은 나은|놓아 노아|쌓이다 싸이다"
    "|많아 마나|않은 아는|닳아 다라|싫어도 시러도",
    "13": "깎아 까까|옷이 오시|있어 이써|낮이 나지|꽂아 꼬자|꽃을 꼬츨|쫓아 쪼차"
    "|밭에 바테|앞으로 아프로|덮이다 더피다",
    "14": "넋이 넉씨|앉아 안자|닭을 달글|젊어 절머|곬이 골씨|핥아 할타|읊어 을퍼|값을 갑쓸|없어 업써",
    "15": "맛없다 마덥따|값없이 가법씨|겉옷 거돋|헛웃음 허두슴|맛있다 마싣따|멋있다 머싣따",
    "17": "곧이듣다 고지듣따|굳이 구지|미닫이 미다지|땀받이 땀바지|밭이 바치"
    "|벼훑이 벼훌치|굳히다 구치다|닫히다 다치다|묻히다 무치다",
    "18": "먹는 멍는|국물 궁물|깎는 깡는|키읔만 키응만|몫몫이 몽목씨|긁는 긍는|흙만 흥만"
    "|닫는 단는|짓는 진는|옷맵시 온맵씨|있는 인는|맞는 만는|젖멍울 전멍울|쫓는 쫀는"
    "|꽃망울 꼰망울|붙는 분는|놓는 논는|잡는 잠는|밥물 밤물|앞마당 암마당|밟는 밤는"
    "|읊는 음는|없는 엄는",
    "19": "담력 담녁|침략 침냑|강릉 강능|항로 항노|대통령 대통녕|막론 망논|백리 뱅니|협력 혐녁|십리 심니",
    "20": "난로 날로|신라 실라|천리 철리|광한루 광할루|대관령 대괄령|칼날 칼랄"
    "|물난리 물랄리|할는지 할른지|닳는 달른|뚫는 뚤른|핥네 할레|의견란 의견난"
    "|생산량 생산냥",
    "23": "국밥 국빱|깎다 깍따|넋받이 넉빠지|삯돈 삭똔|닭장 닥짱|칡범 칙뻠|뻗대다 뻗때다"
    "|옷고름 옫꼬름|있던 읻떤|꽂고 꼳꼬|꽃다발 꼳따발|낯설다 낟썰다|밭갈이 받까리"
    "|솥전 솓쩐|곱돌 곱똘|덮개 덥깨|옆집 엽찝|넓죽하다 넙쭈카다|읊조리다 읍쪼리다"
    "|값지다 갑찌다",
    "24": "앉고 안꼬|얹다 언따|닮고 담꼬|젊지 점찌|안고 안꼬|굶기다 굼기다|옮기다 옴기다",
    "25": "넓게 널께|핥다 할따|훑소 훌쏘|떫지 떨찌",
    "26": "갈등 갈뜽|발동 발똥|절도 절또|말살 말쌀|갈증 갈쯩|물질 물찔|발전 발쩐|몰상식 몰쌍식",
    "28": "눈동자 눈똥자|길가 길까|발바닥 발빠닥|바람결 바람껼|그믐달 그믐딸"
    "|아침밥 아침빱|초승달 초승딸|등불 등뿔",
    "29": "솜이불 솜니불|한여름 한녀름|색연필 생년필|담요 담뇨|콩엿 콩녇|들일 들릴"
    "|솔잎 솔립|물약 물략|서울역 서울력",
    "30": "냇가 내까|깻잎 깬닙|나뭇잎 나문닙|베갯잇 베갠닏",
}
EXAMPLES = [(article, *row.split()) for article, text in STANDARD.items() for row in text.split("|")]


@pytest.mark.parametrize(("article", "written", "spoken"), EXAMPLES)
def test_standard_pronunciation(article, written, spoken):
    assert pronounce(written) == spoken


# Words of songs; phones by the rules above, transliterated as the module says.
SUNG = {
    "사랑": "s a | r a NG",
    "꽃잎이": "kk o N | n i | p i",
    "하늘": "h a | n eu L",
    "별빛": "b y eo L | pp i T",
    "괜찮아": "g w ae N | ch a | n a",
    "좋아해": "j o | a | h ae",
    "끝없이": "kk eu | d eo P | ss i",
    "의미": "ui | m i",
    "외로워": "w e | r o | w eo",
    "귀": "g w i",
    "영원히": "y eo NG | w eo N | h i",
    "봄날": "b o M | n a L",
    "설날": "s eo L | r a L",
}


@pytest.mark.parametrize(("word", "phones"), SUNG.items())
def test_words_become_phones(word, phones):
    readings = KO.read_phrase(list(word))
    assert " | ".join(" ".join(p for unit in r.units for p in unit) for r in readings) == phones


@pytest.mark.parametrize(
    ("lyrics", "phones"),
    [
        (["꽃", "이", "피", "네"], "kk o | ch i | p i | n e"),  # no marks: one word
        (["꽃-", "이", "안", "피-", "네"], "kk o | ch i | a N | p i | n e"),
        (["꽃", "안", "피-", "네"], "kk o T | a N | p i | n e"),  # marked: no link between words
        (["꽃 안"], "kk o T a N"),
        (["밥을", "먹는다"], "b a b eu L | m eo NG n eu N d a"),
        (["사-", "랑,", "해!"], "s a | r a NG | h ae"),
    ],
)
def test_words_are_told_by_marks(lyrics, phones):
    readings = KO.read_phrase(lyrics)
    assert " | ".join(" ".join(p for unit in r.units for p in unit) for r in readings) == phones


def test_syllables_are_arithmetic():
    for syllable in "가각힣뷁꿱":
        assert compose(*decompose(syllable)) == syllable
    assert decompose("ㄱ") is None and decompose("a") is None
    assert len(ONSETS) * len(VOWELS) * len(CODAS) == 11172


def test_every_syllable_and_pair_is_readable():
    """Every coda before every onset gives one of the seven codas and a known onset."""
    for coda in CODAS:
        for onset in ONSETS:
            for vowel in "ㅏㅣㅕ":
                spoken = pronounce(compose("ㄱ", "ㅏ", coda) + compose(onset, vowel))
                assert len(spoken) == 2 and decompose(spoken[0])[2] in ("", *"ㄱㄴㄷㄹㅁㅂㅇ")
    for number in range(0, 11172, 7):
        [[*phones]] = KO.units(chr(0xAC00 + number))
        assert all(phone in KO for phone in phones)


def test_listed_words_keep_their_length():
    assert all(len(written) == len(spoken) for written, spoken in WORDS.items())


def test_phones():
    assert len({KO.classes(phone) for phone in KO.phones}) == len(KO.phones)
    assert KO.onset_count(("kk", "w", "ae", "N")) == 2 and KO.coda_count(("kk", "w", "ae", "N")) == 1


def test_unreadable_lyrics_are_named():
    with pytest.raises(LyricError, match="'l'.*Hangul") as caught:
        KO.read_phrase(["사", "랑", "love"])
    assert caught.value.index == 2
    score = Score((Note(0, 1, 60, "사"), Note(1, 2, 62, "愛", beat=1.0)), "ko")
    with pytest.raises(DataError, match="measure 1, beat 2: cannot read lyric '愛'"):
        attach_phones(score)


def test_a_coda_waits_for_the_last_note():
    score = Score((Note(0, 1, 60, "꽃"), Note(1, 2, 62, slur=True), Note(2, 3, 0)), "ko")
    assert [note.phones for note in attach_phones(score).notes] == [("kk", "o"), ("o", "T"), ("pau",)]
