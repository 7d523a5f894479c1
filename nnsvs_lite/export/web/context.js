// What networks are told of a phrase: a row of numbers for each note and each phone, in the voice's columns.

const MIN_SECONDS = 0.01;
const isRest = (note) => !note.pitch;

function heldPitch(notes) {
  const middle = (note) => (note.start + note.end) / 2;
  const sung = notes.flatMap((note, i) => (isRest(note) ? [] : [i]));
  return notes.map((note, i) => {
    const before = sung.findLast((k) => k < i), after = sung.find((k) => k > i), at = middle(note);
    let held = note.pitch;
    if (isRest(note)) {
      const [a, b] = [notes[before ?? after], notes[after ?? before]];
      if (!a) return { pitch_held: 0, interval_prev: 0, interval_next: 0 };
      held = a === b ? a.pitch : a.pitch + (b.pitch - a.pitch) * (at - middle(a)) / (middle(b) - middle(a));
    }
    return {
      pitch_held: held,
      interval_prev: before === undefined ? 0 : held - notes[before].pitch,
      interval_next: after === undefined ? 0 : notes[after].pitch - held,
    };
  });
}

// Places between the rests around, in notes and seconds.
function places(notes) {
  const out = [];
  for (let first = 0; first < notes.length;) {
    let last = first + 1;
    while (last < notes.length && !isRest(notes[first]) && !isRest(notes[last])) last += 1;
    for (let i = first; i < last; i += 1) {
      out.push({
        phrase_index: i - first, phrase_left: last - 1 - i,
        phrase_elapsed: notes[i].start - notes[first].start, phrase_remaining: notes[last - 1].end - notes[i].end,
      });
    }
    first = last;
  }
  return out;
}

const onsetOf = (phones, { nuclei }) => Math.max(0, phones.findIndex((phone) => nuclei.includes(phone)));

export function noteContext(notes, language, columns) {
  const { numbers } = language, held = heldPitch(notes), place = places(notes);
  const length = (note) => note.end - note.start, log = (note) => Math.log(note ? Math.max(length(note), MIN_SECONDS) : MIN_SECONDS);
  return notes.map((note, i) => {
    const before = notes[i - 1], after = notes[i + 1], onset = onsetOf(note.phones, language);
    const values = {
      ...held[i], ...place[i],
      pitch: note.pitch, tempo: note.tempo, measure_beats: note.measureBeats, length_beats: note.beats,
      beat_fraction: note.measureBeats > 0 ? note.beat / note.measureBeats : 0, velocity: note.velocity,
      phone_count: note.phones.length, onset_phones: onset,
      length: length(note), prev_length: before ? length(before) : 0, next_length: after ? length(after) : 0,
      log_length: log(note), log_prev_length: log(before), log_next_length: log(after),
      slur: note.slur, next_slur: after?.slur ?? false, is_rest: isRest(note), breath: note.breath,
      prev_rest: !before || isRest(before), next_rest: !after || isRest(after), prev_breath: before?.breath ?? false,
      key: Math.min(Math.max(note.key, -7), 7) + 8, key_degree: isRest(note) ? 0 : (((note.pitch - 7 * note.key) % 12) + 12) % 12 + 1,
      first_phone: numbers[note.phones[0]], nucleus: numbers[note.phones[onset]],
      prev_last_phone: before ? numbers[before.phones[before.phones.length - 1]] : 0, tone: note.tone,
    };
    return columns.map((name) => Number(values[name]));
  });
}

export function phoneContext(notes, language, columns) {
  const { numbers, classes, vowels, silences } = language, symbols = notes.flatMap((note) => note.phones);
  const number = (i) => numbers[symbols[i]] ?? 0;
  let i = -1;
  return notes.flatMap(({ phones }) => phones.map((symbol, k) => {
    i += 1;
    const values = {
      phone: number(i), prev_phone: number(i - 1), next_phone: number(i + 1), prev2_phone: number(i - 2), next2_phone: number(i + 2),
      note_phone_index: k, note_phone_left: phones.length - 1 - k,
      is_vowel: vowels.includes(symbol), is_onset: k < onsetOf(phones, language), is_silence: silences.includes(symbol),
    };
    return columns.map((name) => Number(values[name] ?? classes[symbol].includes(name.replace("class_", ""))));
  }));
}
