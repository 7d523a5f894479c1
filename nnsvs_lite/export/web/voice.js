// The voice: notes to sound, by the networks of a DiffSinger bank, called as OpenUtau calls them.

const GLIDES = ["semivowel", "liquid"];
const NEAR = 0.02; // seconds; a shorter gap between notes is none
export const HOLD = /^[ー－ｰ\-~〜～–—―_+]*$/;

const round = (values) => values.map((value) => Math.round(value));
const sum = (values) => values.reduce((a, b) => a + b, 0);

// A lyric as phones: its longest parts that the voice knows.
export function phonesOf(lyric, words) {
  const phones = [], text = lyric.trim().normalize("NFC");
  for (let at = 0; at < text.length;) {
    let size = text.length - at;
    while (size && !Object.hasOwn(words, text.slice(at, at + size))) size -= 1;
    if (!size && words[text.toLowerCase()]) return words[text.toLowerCase()];
    if (!size) throw new Error(`This voice cannot sing the lyric “${lyric}”.`);
    phones.push(...words[text.slice(at, at + size)]);
    at += size;
  }
  return phones;
}

// Notes in seconds, { start, end, midi, lyric }, in phrases without gaps: { at, notes: [{ seconds, midi, phones }] }.
export function phrasesOf(notes, info) {
  const phrases = [];
  let end = -Infinity, held = null;
  for (const note of notes) {
    const goesOn = note.start - end < NEAR && phrases.length;
    const isHold = HOLD.test(note.lyric.trim());
    if (isHold && !(goesOn && held)) throw new Error("A note without a lyric has none before it to hold.");
    if (!goesOn) phrases.push({ at: note.start, notes: [] });
    const phrase = phrases[phrases.length - 1];
    if (goesOn) phrase.notes[phrase.notes.length - 1].seconds += note.start - end;
    const phones = isHold ? [held] : phonesOf(note.lyric, info.words);
    held = phones.findLast((phone) => info.kinds[phone] === "vowel") ?? null;
    phrase.notes.push({ seconds: note.end - note.start, midi: note.midi, phones });
    end = note.end;
  }
  return phrases;
}

// Words begin with their vowels, or the glide before; the first begins before the phrase.
export function wordsOf(notes, info) {
  const words = [{ phones: ["SP"], midi: [notes[0].midi], at: -info.padding }];
  let time = 0;
  for (const { seconds, midi, phones } of notes) {
    let begins = phones.findIndex((phone) => info.kinds[phone] === "vowel");
    if (begins < 0) begins = phones.length;
    else if (begins > 1 && GLIDES.includes(info.kinds[phones[begins - 1]])) begins -= 1;
    const last = words[words.length - 1];
    last.phones.push(...phones.slice(0, begins));
    last.midi.push(...Array(begins).fill(midi));
    const own = phones.slice(begins);
    if (own.length) words.push({ phones: own, midi: own.map(() => midi), at: time });
    time += seconds;
  }
  words.push({ phones: ["SP"], midi: [notes[notes.length - 1].midi], at: time });
  return words;
}

// Durations stretched to where words begin: the frames of all phones but the outer silences, and how many of
// them lie before the phrase.
export function stretched(words, found, info) {
  const bounds = [];
  let at = 0;
  words.forEach((word, i) => {
    const own = word.phones.map((_, k) => Math.max(found[at + k], 1e-3));
    at += own.length;
    if (i === 0) {
      own.forEach((_, k) => bounds.push(-info.frame * sum(own.slice(k))));
      return;
    }
    const end = i + 1 < words.length ? words[i + 1].at : word.at + info.padding;
    let inside = 0;
    for (const length of own) {
      bounds.push(word.at + (inside / sum(own)) * (end - word.at));
      inside += length;
    }
  });
  const whole = round(bounds.slice(1).map((seconds) => seconds / info.frame));
  for (let i = 1; i < whole.length; i += 1) whole[i] = Math.max(whole[i], whole[i - 1]);
  return { lengths: whole.slice(1).map((end, i) => end - whole[i]), lead: -whole[0] };
}

export class Voice {
  // ort: onnxruntime-web; info: voice.json; sessions: its networks by name.
  constructor(ort, info, sessions) {
    Object.assign(this, { ort, info, sessions });
  }

  async run(name, inputs) {
    const session = this.sessions[name];
    const given = Object.fromEntries(session.inputNames.map((key) => [key, inputs[key]]));
    return session.run(given);
  }

  long(values) { return new this.ort.Tensor("int64", BigInt64Array.from(values, BigInt), [1, values.length]); }
  real(values) { return new this.ort.Tensor("float32", Float32Array.from(values), [1, values.length]); }
  truth(values) { return new this.ort.Tensor("bool", Uint8Array.from(values, Number), [1, values.length]); }

  // A singer's vector for so many rows.
  shared(singer, count) {
    const vector = this.info.vectors[singer];
    if (!vector) return undefined;
    const values = new Float32Array(count * vector.length);
    for (let i = 0; i < count; i += 1) values.set(vector, i * vector.length);
    return new this.ort.Tensor("float32", values, [1, count, vector.length]);
  }

  tokens(phones) { return this.long(phones.map((phone) => this.info.tokens[phone])); }

  async timed(notes, singer) {
    const words = wordsOf(notes, this.info), phones = words.flatMap((word) => word.phones);
    const last = words[words.length - 1].at + this.info.padding;
    const edges = round([...words.map((word) => word.at), last].map((at) => at / this.info.frame));
    const encoded = await this.run("linguistic", {
      tokens: this.tokens(phones), word_div: this.long(words.map((word) => word.phones.length)),
      word_dur: this.long(edges.slice(1).map((end, i) => end - edges[i])),
    });
    const made = await this.run("dur", {
      ...encoded, ph_midi: this.long(words.flatMap((word) => word.midi)), spk_embed: this.shared(singer, phones.length),
    });
    return { phones: phones.slice(1, -1), ...stretched(words, Object.values(made)[0].data, this.info) };
  }

  // One phrase: its samples, where they begin, its F0 and phones.
  async phrase({ at, notes }, singer) {
    const { around, frame } = this.info;
    const timing = await this.timed(notes, singer);
    const phones = ["SP", ...timing.phones, "SP"], lengths = [around, ...timing.lengths, around];
    const count = sum(lengths), durations = this.long(lengths);
    const steps = new this.ort.Tensor("int64", [10n], [1]);
    let time = 0;
    const edges = round([0, ...notes.map((note) => (time += note.seconds))].map((edge) => edge / frame));
    const rows = notes.map((note, i) => [note.midi, edges[i + 1] - edges[i], false]);
    rows.unshift([notes[0].midi, around + timing.lead, true]);
    rows.push([notes[notes.length - 1].midi, around, true]);
    const { encoder_out } = await this.run("phones", { tokens: this.tokens(phones), ph_dur: durations });
    const melody = await this.run("pitch", {
      encoder_out, ph_dur: durations, steps, spk_embed: this.shared(singer, count),
      note_midi: this.real(rows.map((row) => row[0])), note_dur: this.long(rows.map((row) => row[1])),
      note_rest: this.truth(rows.map((row) => row[2])), pitch: this.real(Array(count).fill(60)),
      retake: this.truth(Array(count).fill(true)),
    });
    const f0 = Array.from(Object.values(melody)[0].data, (midi) => 440 * 2 ** ((midi - 69) / 12));
    const hertz = this.real(f0);
    const spectra = await this.run("acoustic", {
      tokens: this.tokens(phones), durations, f0: hertz, steps, spk_embed: this.shared(singer, count),
    });
    const sound = await this.run("vocoder", { mel: Object.values(spectra)[0], f0: hertz });
    return { start: at - (timing.lead + around) * frame, samples: Object.values(sound)[0].data, f0, phones, lengths };
  }

  // Sings notes in seconds; heard(part) is called with the part that is done, 0 to 1. What begins before
  // time 0, the first consonants, is heard too: offset says how many seconds of sound lie before it.
  async sing(notes, singer = 0, heard = () => {}) {
    const { rate, frame } = this.info, phrases = phrasesOf(notes, this.info), sung = [];
    if (!phrases.length) throw new Error("There is no note to sing.");
    const all = sum(phrases.map((phrase) => sum(phrase.notes.map((note) => note.seconds))));
    let done = 0;
    for (const phrase of phrases) {
      sung.push(await this.phrase(phrase, singer));
      done += sum(phrase.notes.map((note) => note.seconds));
      heard(done / all);
    }
    const offset = Math.max(0, -sung[0].start);
    const ends = sung.map(({ start, samples }) => Math.round((start + offset) * rate) + samples.length);
    const wav = new Float32Array(Math.max(...ends)), f0 = new Float32Array(Math.ceil(wav.length / rate / frame));
    const phones = [];
    for (const one of sung) {
      const first = Math.round((one.start + offset) * rate);
      one.samples.forEach((sample, i) => { wav[first + i] += sample; });
      let at = one.start;
      one.phones.forEach((phone, i) => {
        const name = { SP: "pau", AP: "br" }[phone] ?? phone;
        phones.push([name, at, at + one.lengths[i] * frame]);
        at += one.lengths[i] * frame;
      });
      // Not of the silences around it.
      const begin = Math.round(one.start / frame), inside = one.lengths[0];
      for (let i = inside; i < one.f0.length - one.lengths[one.lengths.length - 1]; i += 1) {
        if (begin + i >= 0) f0[begin + i] = one.f0[i];
      }
    }
    return { wav, rate, offset, result: { f0: [...f0], frame_shift: frame, phones, seconds: wav.length / rate - offset } };
  }
}
