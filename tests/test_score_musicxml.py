"""MusicXML as written to notes as sung, on scores small enough to check by hand."""

import zipfile

import pytest
from scorexml import attributes, contiguous, document, measure, repeat, song, tempo, write

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.formats.musicxml import read_musicxml
from nnsvs_lite.score.formats.readers import read_score


def read(tmp_path, text, **options):
    return read_musicxml(write(tmp_path, text), **options)


def rows(score):
    """(pitch, seconds, lyric) of each note, ``~`` for a slur."""
    return [(n.pitch, round(n.duration, 6), "~" if n.slur else n.lyric) for n in score.notes]


def lyrics(score):
    return "".join("~" if n.slur else n.lyric for n in score.notes)


def test_notes_rests_and_times(tmp_path):
    score = read(tmp_path, song("r 1, C4 1 か, D4 2 き", "r 4", "r 2, F#4 2 く"))
    assert rows(score) == [(0, 0.5, ""), (60, 0.5, "か"), (62, 1.0, "き"), (0, 3.0, ""), (66, 1.0, "く")]
    assert [n.start for n in score.notes] == [0.0, 0.5, 1.0, 2.0, 5.0]
    assert contiguous(score.notes)
    assert [n.measure for n in score.notes] == [1, 1, 1, 2, 3]
    assert [n.beat for n in score.notes] == [0.0, 1.0, 2.0, 0.0, 2.0]
    assert score.notes[3].beats == 6.0
    assert score.lang == "ja"


def test_tempo_changes_where_it_stands_inside_a_note_too(tmp_path):
    # Half a beat at 60, then the rest of a two-beat note at 120.
    change = f"<forward><duration>12</duration></forward>, {tempo(120)}"
    back = "<backup><duration>12</duration></backup>"
    score = read(tmp_path, song(f"{change}, {back}, C4 2 か, D4 2 き", bpm=60))
    assert rows(score) == [(60, 0.5 + 0.75, "か"), (62, 1.0, "き")]
    assert [n.tempo for n in score.notes] == [60.0, 120.0]


def test_tempo_of_another_part_counts(tmp_path):
    voice = measure(f"{attributes()}, C4 2 か, D4 2 き")
    piano = measure(f"{attributes()}, {tempo(60)}, C3 2, {tempo(120)}, D3 2")
    assert rows(read(tmp_path, document(piano, voice))) == [(60, 2.0, "か"), (62, 1.0, "き")]


def test_played_tempo_goes_before_printed_one(tmp_path):
    printed = (
        "<direction><direction-type><metronome><beat-unit>half</beat-unit><per-minute>{}</per-minute>"
        "</metronome></direction-type>{}</direction>"
    )
    note = ", C4 4 か"
    assert read(tmp_path, song(printed.format(60, "") + note, bpm=None)).duration == 2.0
    assert read(tmp_path, song(printed.format(60, '<sound tempo="60"/>') + note, bpm=None)).duration == 4.0
    # A played tempo that is the printed one with a rounding error gives the printed one.
    score = read(tmp_path, song(printed.format(60, '<sound tempo="119.9998"/>') + note, bpm=None))
    assert score.notes[0].tempo == 120.0


PRINTED = (
    "<direction><direction-type><metronome><beat-unit>quarter</beat-unit><per-minute>{}</per-minute>"
    "</metronome></direction-type></direction>"
)


@pytest.mark.parametrize(
    ("piano", "seconds"), [(PRINTED.format(30), 4), (tempo(30), 8), (PRINTED.format(60), 4)]
)
def test_played_tempo_goes_before_what_another_part_prints(tmp_path, piano, seconds):
    parts = (measure(f"{attributes()}, {tempo(60)}, C4 4 か"), measure(f"{attributes()}, {piano}, C3 4"))
    assert read(tmp_path, document(*parts)).duration == seconds


@pytest.mark.parametrize(("bar", "starts"), [(1, [0, 4, 8, 12]), (2, [0, 4, 8, 12]), (3, [0, 2, 4, 8])])
def test_first_tempo_mark_holds_from_the_beginning_if_it_stands_there(tmp_path, caplog, bar, starts):
    measures = [f"{tempo(60) if i == bar else ''}, C4 4 {lyric}" for i, lyric in enumerate("かきくけ", 1)]
    assert [n.start for n in read(tmp_path, song(*measures, bpm=None)).notes] == starts
    assert ("no tempo to begin with" in caplog.text) == (bar == 3)


def test_score_without_tempo(tmp_path, caplog):
    text = song("C4 4 か", bpm=None)
    assert read(tmp_path, text).duration == 2.0
    assert "no tempo" in caplog.text
    assert read(tmp_path, text, tempo=60).duration == 4.0


def test_ties_make_one_note_across_measures(tmp_path):
    score = read(tmp_path, song("C4 2 か, D4~ 2 き", "~D4~ 4", "~D4 1, D4 3 く"))
    assert rows(score) == [(60, 1.0, "か"), (62, 3.5, "き"), (62, 1.5, "く")]
    assert score.notes[1].beats == 7.0


def test_tied_note_with_the_vowel_again_is_held_and_with_another_syllable_is_not(tmp_path):
    assert rows(read(tmp_path, song("C4~ 2 か, ~C4 2 あ"))) == [(60, 2.0, "か")]
    assert rows(read(tmp_path, song("C4~ 2 か, ~C4 2 い"))) == [(60, 1.0, "か"), (60, 1.0, "い")]


@pytest.mark.parametrize("sign", ["", " ー", " -", " —", " ～"])
def test_melisma(tmp_path, sign):
    path = write(tmp_path, song(f"C4 1 きっ, D4 1{sign}, E4 1{sign}, F4 1 か"))
    score = read_score(path)
    assert lyrics(score) == "きっ~~か"
    assert [n.phones for n in score.notes] == [("k", "i"), ("i",), ("i", "cl"), ("k", "a")]


def test_empty_lyric_with_an_extension_line_is_a_melisma(tmp_path):
    plain = song("C4 1 か, D4 1 X, r 2")
    text = plain.replace("<syllabic>single</syllabic><text>X</text>", '<extend type="stop"/>')
    assert lyrics(read(tmp_path, text)) == "か~"


def test_chord_is_sung_on_its_highest_note(tmp_path, caplog):
    score = read(tmp_path, song("C4 2 か, +E4 2, G3 2 き"))
    assert rows(score) == [(64, 1.0, "か"), (55, 1.0, "き")]
    assert "chords are sung on their highest note: 1" in caplog.text


def test_grace_notes_take_time_from_the_note_they_lead_to(tmp_path):
    score = read(tmp_path, song("C4 1 か, gD4 0, gE4 0, F4 1 き, r 2", bpm=60))
    assert rows(score) == [(60, 1, "か"), (62, 0.125, "き"), (64, 0.125, "~"), (65, 0.75, "~"), (0, 2, "")]


@pytest.mark.parametrize(
    ("graces", "lengths"),
    [
        ("GD4 0.5", [0.5, 0.5]),  # an eighth before a quarter
        ("GD4 0", [0.5, 0.5]),
        ("GD4 0.25, GE4 0.25", [0.25, 0.25, 0.5]),
        ("GD4 0.5, GE4 0.5, GD4 0.5", [1 / 6, 1 / 6, 1 / 6, 0.5]),
        ("gD4 0.5", [0.125, 0.875]),
        ("gD4 0.5, GE4 0.5", [0.125, 0.125, 0.75]),
    ],
)
def test_grace_notes_without_a_slash_take_their_half(tmp_path, graces, lengths):
    score = read(tmp_path, song(f"{graces}, C4 1 か, r 3", bpm=60))
    assert [round(n.duration, 6) for n in score.notes[:-1]] == pytest.approx(lengths, abs=1e-6)
    assert [n.lyric for n in score.notes if not n.is_rest] == ["か", *[""] * (len(lengths) - 1)]


def test_many_grace_notes_leave_half_of_a_short_note(tmp_path):
    score = read(tmp_path, song("gD4 0, gE4 0, F4 0.25 き, r 3.75", bpm=60))
    assert [round(n.duration, 6) for n in score.notes[:3]] == [0.0625, 0.0625, 0.125]


def test_grace_notes_after_the_last_note(tmp_path):
    score = read(tmp_path, song("C4 2 か, gD4 0, r 2", bpm=60))
    assert rows(score) == [(60, 1.875, "か"), (62, 0.125, "~"), (0, 2.0, "")]


def test_pick_up_measure(tmp_path):
    score = read(tmp_path, song("C4 1 か", "D4 4 き"))
    assert [(n.beat, n.measure_beats, n.start) for n in score.notes] == [(3.0, 4.0, 0.0), (0.0, 4.0, 0.5)]


WHOLE_REST = '<note><rest measure="yes"/><duration>{}</duration>{}</note>'


@pytest.mark.parametrize(
    ("bar", "beats"),
    [
        (WHOLE_REST.format(24, ""), 1),  # a short bar, as it says
        ("r 1", 1),
        (WHOLE_REST.format(120, ""), 5),
        (WHOLE_REST.format(96, "<type>whole</type>"), 4),
        (WHOLE_REST.format(0, ""), 4),
        ("<forward><duration>48</duration></forward>", 2),
        ("", 4),
    ],
)
def test_bar_lasts_what_it_holds(tmp_path, bar, beats):
    score = read(tmp_path, song("C4 4 か", bar, "D4 4 き", bpm=60))
    assert [(n.start, n.lyric) for n in score.notes] == [(0, "か"), (4, ""), (4 + beats, "き")]


@pytest.mark.parametrize(("beats", "rest"), [(3, 96), (2, 96), (6, 192)])
def test_sign_of_a_whole_rest_stands_for_a_shorter_bar(tmp_path, beats, rest):
    sign = f"<note><rest/><duration>{rest}</duration><type>{'whole' if rest == 96 else 'breve'}</type></note>"
    score = read(tmp_path, song(f"C4 {beats} か", sign, f"D4 {beats} き", beats=beats, bpm=60))
    assert [n.start for n in score.notes] == [0, beats, 2 * beats]


def test_upbeat_of_one_part_is_that_of_a_part_without_notes_there(tmp_path):
    voice = measure(attributes(), 0) + measure("D4 4 き", 1)
    piano = measure(f"{attributes()}, C3 1", 0) + measure("C3 4", 1)
    score = read(tmp_path, document(voice, piano), tempo=60)
    assert [(n.start, n.beat) for n in score.notes] == [(0, 3), (1, 0)]


def test_split_bar_counts_on(tmp_path):
    score = read(tmp_path, song("C4 4 か", "D4 3 き", "E4 1 く", "F4 4 け", bpm=60))
    assert [(n.start, n.beat) for n in score.notes] == [(0, 0), (4, 0), (7, 3), (8, 0)]


def test_key_and_time_signatures(tmp_path):
    change = attributes(beats=3, fifths=-3)
    score = read(tmp_path, song("C4 4 か", f"{change}, D4 3 き", fifths=2))
    assert [(n.key, n.measure_beats) for n in score.notes] == [(2, 4.0), (-3, 3.0)]


def test_dynamics_hold_until_the_next(tmp_path):
    loud = "<direction><direction-type><dynamics><f/></dynamics></direction-type></direction>"
    soft = loud.replace("<f/>", "<p/>")
    score = read(tmp_path, song(f"C4 1 か, {loud}, C4 1 き, {soft}, C4 2 く", "C4 4 け"))
    assert [round(n.velocity, 2) for n in score.notes] == [0.5, 0.7, 0.35, 0.35]


def test_breath_marks_and_breath_lyrics(tmp_path):
    mark = "<notations><articulations><breath-mark/></articulations></notations>"
    text = song("C4 2 か, r 1, r 1 br", "D4 3 X, E4 1 br").replace(
        '<lyric number="1"><syllabic>single</syllabic><text>X',
        mark + '<lyric number="1"><syllabic>single</syllabic><text>き',
    )
    score = read_score(write(tmp_path, text))
    assert [n.phones for n in score.notes] == [("k", "a"), ("pau",), ("br",), ("k", "i"), ("br",)]
    assert [n.breath for n in score.notes] == [False, False, False, True, False]
    assert score.notes[4].is_rest


def test_transposing_instrument_is_read_as_it_sounds(tmp_path):
    # A clarinet in B flat: written C sounds B flat below; one flat less in its key.
    clarinet = "<transpose><diatonic>-1</diatonic><chromatic>-2</chromatic></transpose>"
    score = read(tmp_path, song("C4 4 か", fifths=2, more=clarinet))
    assert [(n.pitch, n.key) for n in score.notes] == [(58, 0)]


def test_octave_lines_are_only_drawn(tmp_path):
    line = '<direction><direction-type><octave-shift type="{}" size="8"/></direction-type></direction>'
    score = read(tmp_path, song(f"{line.format('down')}, C6 4 か, {line.format('stop')}"))
    assert score.notes[0].pitch == 84


def test_cue_notes_are_left_out(tmp_path):
    score = read(
        tmp_path, song("C4 2 か, D4 2").replace("<note><pitch><step>D", "<note><cue/><pitch><step>D")
    )
    assert rows(score) == [(60, 1.0, "か"), (0, 1.0, "")]


@pytest.mark.parametrize(
    ("lyric", "sung"),
    [("", [(60, "か"), (62, "き")]), ("か", [(60, "か"), (62, "き")]), ("|さ", [(64, "さ")])],
)
def test_cue_notes_with_words_of_a_further_verse_are_sung_in_it(tmp_path, lyric, sung):
    text = two_voices("C4 2 か|, D4 2 き|し", f"E4 4 {lyric}")
    text = text.replace("<note><pitch><step>E", "<note><cue/><pitch><step>E")
    assert [(n.pitch, n.lyric) for n in read(tmp_path, text).notes] == [(60, "か"), (62, "き")]
    if lyric.startswith("|"):
        text = text.replace("し", "", 1).replace("<text></text>", "")
        assert [(n.pitch, n.lyric) for n in read(tmp_path, text, verse=2).notes] == sung


def test_rests_of_no_length_are_dropped(tmp_path):
    score = read(tmp_path, song("C4 2 か, r 0, D4 2 き"))
    assert rows(score) == [(60, 1.0, "か"), (62, 1.0, "き")]


def test_gaps_are_rests(tmp_path):
    score = read(tmp_path, song("C4 1 か, <forward><duration>24</duration></forward>, D4 2 き"))
    assert rows(score) == [(60, 0.5, "か"), (0, 0.5, ""), (62, 1.0, "き")]


def test_short_measure_of_a_part_is_as_long_as_the_others(tmp_path):
    voice = measure(f"{attributes()}, C4 1 か", 1) + measure("D4 4 き", 2)
    piano = measure(f"{attributes()}, C3 4", 1) + measure("C3 4", 2)
    score = read(tmp_path, document(voice, piano), tempo=60)
    assert rows(score) == [(60, 1.0, "か"), (0, 3.0, ""), (62, 4.0, "き")]


def test_part_is_the_first_with_lyrics_or_the_one_asked_for(tmp_path):
    parts = [measure(f"{attributes()}, {tempo(120)}, {notes}") for notes in ("C4 4", "D4 4 か", "E4 4 き")]
    path = write(tmp_path, document(*parts))
    assert lyrics(read_musicxml(path)) == "か"
    assert lyrics(read_musicxml(path, part=3)) == "き"
    assert lyrics(read_musicxml(path, part="Part 3")) == "き"
    assert lyrics(read_musicxml(path, part="P2")) == "か"
    with pytest.raises(DataError, match="no part 'Part 4'.*did you mean 'Part .'.*2 Part 2"):
        read_musicxml(path, part="Part 4")


@pytest.mark.parametrize("kept", [None, "<part-list/>", ""])
def test_part_list_may_be_missing(tmp_path, kept):
    text = song("C4 4 か")
    if kept is not None:
        text = text.partition("<part-list>")[0] + kept + text.partition("</part-list>")[2]
    assert lyrics(read(tmp_path, text)) == "か"


def two_voices(first, second):
    """A measure with two voices of four beats."""
    upper = measure(first).replace("</note>", "<voice>1</voice></note>")
    lower = measure(second).replace("</note>", "<voice>2</voice></note>")
    inner = lower.removeprefix('<measure number="1">').removesuffix("</measure>")
    both = (
        upper.removesuffix("</measure>") + "<backup><duration>96</duration></backup>" + inner + "</measure>"
    )
    return document(both.replace("<note>", attributes() + tempo(120) + "<note>", 1))


def test_voice_with_lyrics_is_sung(tmp_path):
    assert rows(read(tmp_path, two_voices("C4 2, D4 2", "E4 4 か"))) == [(64, 2.0, "か")]
    assert rows(read(tmp_path, two_voices("C4 2 か, D4 2 き", "E4 4"))) == [(60, 1.0, "か"), (62, 1.0, "き")]


def test_voice_may_be_chosen(tmp_path):
    path = write(tmp_path, two_voices("C4 2 か, D4 2 き", "E4 4 く"))
    assert lyrics(read_musicxml(path, voice="2")) == "く"
    with pytest.raises(DataError, match="no voice '3'; there are: 1, 2"):
        read_musicxml(path, voice="3")


def test_voices_that_take_turns_are_both_sung(tmp_path):
    score = read(tmp_path, two_voices("C4 2 か, r 2", "r 2, E4 2 き"))
    assert rows(score) == [(60, 1.0, "か"), (64, 1.0, "き")]


def test_verses(tmp_path):
    path = write(tmp_path, song("C4 1 か|さ, D4 1 き|, E4 1 く|す, F4 1 け"))
    assert lyrics(read_musicxml(path)) == "かきくけ"
    # Verse 2 holds its first syllable until its next, and shares the end with verse 1.
    assert lyrics(read_musicxml(path, verse=2)) == "さ~すけ"
    with pytest.raises(DataError, match="no verse 3; there are: 1, 2"):
        read_musicxml(path, verse=3)


def test_passage_numbered_as_verse_2_only_is_sung(tmp_path):
    assert lyrics(read(tmp_path, song("C4 2 か, D4 2 き", "C4 2 |さ, D4 2 |し"))) == "かきさし"


def test_verse_of_the_pass(tmp_path):
    text = song(f"{repeat('forward')}, C4 2 か|さ|た, D4 2 き|し|ち, {repeat('backward', '3')}", "E4 4 あ")
    assert lyrics(read(tmp_path, text)) == "かきさしたちあ"
    assert lyrics(read(tmp_path, text, verse=2)) == "さしさしさしあ"


@pytest.mark.parametrize("number", ["", ' number="part1verse1"', ' number="1" name="verse"', ' name="x"'])
def test_names_of_verses(tmp_path, number):
    assert (
        lyrics(read(tmp_path, song("C4 2 か, D4 2 き").replace(' number="1"><syl', f"{number}><syl")))
        == "かき"
    )


def test_lyrics_on_one_staff_of_several(tmp_path):
    upper = measure("C5 4 か").replace("</note>", "<staff>1</staff></note>")
    lower = measure("C3 4").replace("</note>", "<staff>2</staff></note>")
    lower = lower.partition(">")[2].removesuffix("</measure>")
    both = upper.replace("</measure>", f"<backup><duration>96</duration></backup>{lower}</measure>")
    head = attributes(more="<staves>2</staves>") + tempo(120)
    assert rows(read(tmp_path, document(both.replace("<note>", head + "<note>", 1)))) == [(72, 2.0, "か")]


def test_tempo_outside_a_direction(tmp_path):
    text = song('C4 2 か, <sound tempo="60"/>, D4 2 き')
    assert rows(read(tmp_path, text)) == [(60, 1.0, "か"), (62, 2.0, "き")]


def test_time_signature_in_eighths(tmp_path):
    text = song("C4 1.5 か, D4 1.5 き").replace(
        "<beats>4</beats><beat-type>4", "<beats>6</beats><beat-type>8"
    )
    assert [n.measure_beats for n in read(tmp_path, text).notes] == [3.0, 3.0]


def test_triplets_add_up(tmp_path):
    text = song("C4 1 か, D4 1 き, E4 1 く, F4 1 け").replace("<duration>24", "<duration>32", 3)
    score = read(tmp_path, text)
    assert [n.beats for n in score.notes] == pytest.approx([4 / 3, 4 / 3, 4 / 3, 1.0])


def test_verse_number_before_a_syllable_is_dropped(tmp_path):
    assert lyrics(read(tmp_path, song("C4 2 1.か, D4 2 ２．き"))) == "かき"


@pytest.mark.parametrize(
    ("text", "lyric"),
    [
        ("[2.] Er", "Er"),
        ("1-4. Dein", "Dein"),
        ("1-3 mög", "mög"),
        ("1 &amp; 2. Be", "Be"),
        ("4. « Je", "« Je"),
        ("[1. Dé", "Dé"),
        ("bé.1]", "bé"),
        ("te\u035cà", "te à"),
        ("1.", ""),
        ("2001", "2001"),
    ],
)
def test_verse_marks(tmp_path, text, lyric):
    assert read(tmp_path, song(f"C4 2 la, D4 2 {text}"), lang="fr").notes[1].lyric == lyric


def test_grace_note_before_a_rest_belongs_to_the_note_before(tmp_path):
    score = read(tmp_path, song("C4 2 か, gD4 0, r 1, E4 1 き", bpm=60))
    assert rows(score) == [(60, 1.875, "か"), (62, 0.125, "~"), (0, 1.0, ""), (64, 1.0, "き")]


def test_syllables_of_a_word_are_joined_by_hyphens_where_words_are_spelt(tmp_path):
    text = song("C4 2 son, D4 2 ne")
    text = text.replace("single</syllabic><text>son", "begin</syllabic><text>son")
    text = text.replace("single</syllabic><text>ne", "end</syllabic><text>ne")
    assert [n.lyric for n in read(tmp_path, text, lang="de").notes] == ["son-", "ne"]
    assert [n.lyric for n in read(tmp_path, text, lang="ja").notes] == ["son", "ne"]


def test_two_texts_on_one_note(tmp_path):
    text = song("C4 4 か").replace(
        "<text>か</text>",
        "<text>か</text><elision>\u203f</elision><syllabic>single</syllabic><text>い</text>",
    )
    assert read_score(write(tmp_path, text)).phones == ["k", "a", "i"]


def test_packed_and_by_measures(tmp_path):
    text = song("C4 4 か", "D4 4 き")
    packed = tmp_path / "score.mxl"
    with zipfile.ZipFile(packed, "w") as archive:
        container = '<container><rootfiles><rootfile full-path="music/a.xml"/></rootfiles></container>'
        archive.writestr("META-INF/container.xml", container)
        archive.writestr("other.xml", "<html/>")
        archive.writestr("music/a.xml", text)
    assert read_musicxml(packed).notes == read(tmp_path, text).notes
    rows = "".join(
        f'<measure number="{i}"><part id="P1">{body.partition(">")[2]}</part></measure>'
        for i, body in enumerate(text.partition('<part id="P1">')[2].split("</measure>")[:2], 1)
    )
    by_measures = text.partition("<part id=")[0] + rows + "</score-partwise>"
    by_measures = by_measures.replace("score-partwise", "score-timewise")
    assert read(tmp_path, by_measures).notes == read(tmp_path, text).notes


def test_utf16(tmp_path):
    path = tmp_path / "score.xml"
    path.write_bytes(song("C4 4 か").replace('encoding="UTF-8"', 'encoding="UTF-16"').encode("utf-16"))
    assert lyrics(read_musicxml(path)) == "か"


def test_reading_twice_gives_the_same(tmp_path):
    path = write(tmp_path, song("C4 1 か, D4 3 き"))
    assert read_score(path).to_json() == read_score(path).to_json()


@pytest.mark.parametrize(
    "text",
    [
        song("C4 1 か, D4~ 3 き", "~D4 1, Eb4 0.333333 く, F#4 0.666667 け, r 2", "r 4", bpm=90),
        song("G4 1 か", "A4 1.5 き, B4 1.5 く", f"C5 1 け, {tempo(50)}, D5 2 こ", beats=3, fifths=-2),
        song("r 1, C4 3 か", f"{attributes(3)}, D4 3 き", "E4 2 く, F4 1"),
    ],
)
def test_music21_hears_the_same_notes(tmp_path, text):
    from music21 import converter, note

    stream = converter.parseData(text, format="musicxml").stripTies()
    theirs = [
        (row["element"].pitch.midi, row["offsetSeconds"], row["endTimeSeconds"])
        for row in stream.flatten().secondsMap
        if isinstance(row["element"], note.Note)
    ]
    ours = [(n.pitch, n.start, n.end) for n in read(tmp_path, text).notes if not n.is_rest]
    assert [n[0] for n in ours] == [n[0] for n in theirs]
    assert [t for n in ours for t in n[1:]] == pytest.approx([t for n in theirs for t in n[1:]], abs=1e-5)


def syllabic(*syllables):
    """A bar of quarters, each with a (place in its word, text)."""
    bar = song(", ".join(f"C4 1 s{i}" for i in range(len(syllables))))
    for i, (place, text) in enumerate(syllables):
        plain = f"<syllabic>single</syllabic><text>s{i}</text>"
        bar = bar.replace(plain, f"<syllabic>{place}</syllabic><text>{text}</text>")
    return bar


def test_english_words_in_japanese_keep_their_parts_together(tmp_path):
    bar = syllabic(("begin", "hel"), ("end", "lo"), ("begin", "ka"), ("end", "ze"))
    score = read_score(write(tmp_path, bar))
    assert [n.lyric for n in score.notes] == ["hel-", "lo", "ka", "ze"]
    assert [" ".join(n.phones) for n in score.notes] == ["h a", "r o o", "k a", "z e"]
    # Nothing is done to what other languages without blanks between words spell with letters.
    pinyin = read(tmp_path, syllabic(("begin", "ni"), ("end", "hao")), lang="zh")
    assert [n.lyric for n in pinyin.notes if n.pitch] == ["ni", "hao"]


@pytest.mark.parametrize(("kind", "seconds"), [("", 12.0), ("<type>eighth</type>", 0.25)])
def test_part_without_divisions_takes_them_from_its_notes(tmp_path, caplog, kind, seconds):
    text = song("r 1, C4 1 か").replace("<divisions>24</divisions>", "")
    text = text.replace("<duration>24</duration><lyric", f"<duration>24</duration>{kind}<lyric")
    sung = next(n for n in read(tmp_path, text).notes if n.pitch)
    assert sung.duration == seconds
    assert f"no <divisions>: a duration of {48 if kind else 1} is" in caplog.text
    with pytest.raises(DataError, match="measure 1: duration of 'x' is not a number"):
        read(tmp_path, text.replace("<duration>24", "<duration>x"))
