// The voice: a song to sound, by its networks, phrase by phrase, as `nnsvs-lite sing` does it.

import { habitWave, normals, running, seedOf, seedOfName, uniforms } from "./chance.js";
import { noteContext, phoneContext } from "./context.js";
import { notesOf, phrasesOf } from "./score.js";
import { phoneFrames, whole } from "./timing.js";

const FADE = 0.01, LONGEST_FADE = 0.3, NEAR = 1.4, BLOCK = 0.005; // seconds
const QUIET = 1e-4; // of the loudest block near an end: below it lies a rest's noise

const sum = (values) => values.reduce((a, b) => a + b, 0);

// Lets a phrase swell from one of its ends, within its rest; way(i) is the place of its i-th sample from there.
function fade(wav, rate, way) {
  const block = Math.round(BLOCK * rate), blocks = Math.floor(Math.min(wav.length, Math.round(NEAR * rate)) / block);
  const power = Array.from({ length: blocks }, (_, k) => {
    let total = 0;
    for (let i = k * block; i < (k + 1) * block; i += 1) total += wav[way(i)] ** 2;
    return total;
  });
  const loudest = Math.max(0, ...power), rest = block * Math.max(0, power.findIndex((value) => value > QUIET * loudest));
  const size = Math.min(Math.max(rest, Math.round(FADE * rate)), Math.round(LONGEST_FADE * rate), Math.floor(wav.length / 2));
  for (let i = 0; i < size; i += 1) wav[way(i)] *= 0.5 - 0.5 * Math.cos(Math.PI * (i + 0.5) / size);
}

export class Voice {
  // ort: onnxruntime-web; info: voice.json; sessions: its networks by name.
  constructor(ort, info, sessions) {
    Object.assign(this, { ort, info, sessions });
  }

  async run(name, inputs) {
    const session = this.sessions[name];
    return session.run(Object.fromEntries(session.inputNames.map((key) => [key, inputs[key]])));
  }

  long(values, shape = [1, values.length]) { return new this.ort.Tensor("int64", BigInt64Array.from(values, BigInt), shape); }
  real(values, shape) { return new this.ort.Tensor("float32", Float32Array.from(values), shape); }
  rows(values) { return this.real(values.flat(), [1, values.length, values[0].length]); }

  // What every network may be told of a phrase.
  told(phrase, language, singer) {
    const { info } = this, { notes } = phrase;
    phrase.context = noteContext(notes, language, info.columns.note);
    phrase.phones = phoneContext(notes, language, info.columns.phone);
    return {
      note_context: this.rows(phrase.context), phone_context: this.rows(phrase.phones),
      note_index: this.long(notes.flatMap(({ phones }, i) => phones.map(() => i))),
      note_frames: this.rows(notes.map(({ start, end }) => [start / info.frame, end / info.frame])),
      note_seed: this.long(notes.map(() => 0)), singer: this.long([singer], [1]),
      language: this.long([info.languages.indexOf(language)], [1]), temperature: this.real([1], []),
    };
  }

  // What a network asks for that is drawn by chance.
  drawn({ draws, habit }, phrase, singer, take) {
    const { durations, notes, first } = phrase, frames = sum(durations);
    const seeds = notes.map((_, i) => seedOf(take, first + i)), name = `phrase${String(first).padStart(4, "0")}`;
    let phone = 0;
    const lengths = notes.map(({ phones }) => sum(durations.slice(phone, phone += phones.length)));
    const kinds = {
      habit: () => habitWave(habit, phrase, this.info, singer, seeds),
      note: (size) => lengths.flatMap((length, i) => [...normals(length * size, seeds[i])]),
      frame: (size, step) => normals(frames * size, seedOf(seedOfName(take, name), step)),
    };
    return Object.fromEntries(draws.map(({ what, size, step }, i) => [`draw${i}`, this.real(kinds[what](size, step), [1, frames, size])]));
  }

  // What a piece of sound that begins at a frame asks for that is drawn by chance.
  drawnFor({ what, size, step, rows }, first, take) {
    if (what === "uniform") return this.real(uniforms(size, take), [1, 1, size]);
    const from = Math.floor(first * step / this.info.wave.frames);
    return this.real(running(from, rows, size, take), [1, rows, size]);
  }

  // The sound of a phrase's streams, a piece at a time; frames around one are not heard.
  async sound(streams, total, take) {
    const { info } = this, { frames, around, inputs, mel } = info.wave, { draws } = info.networks.vocoder;
    const samples = (count) => whole(count * info.frame * info.rate), out = new Float32Array(samples(total));
    const told = Object.fromEntries(inputs.map((name) => [name, streams[name]]));
    // The vocoder may know another logarithm.
    if (mel) told.mel = this.real(told.mel.data.map((value) => Math.max(value * mel[0], mel[1])), told.mel.dims);
    if (this.sessions.running) Object.assign(told, await this.run("running", told));
    for (let done = 0; done < total;) {
      const first = Math.max(done - around, 0), last = Math.min(first + frames, total), until = last === total ? total : last - around;
      const piece = Object.fromEntries(Object.entries(told).map(([name, { type, dims, data }]) => {
        const size = dims[2], part = new data.constructor(frames * size);
        part.set(data.subarray(first * size, last * size));
        return [name, new this.ort.Tensor(type, part, [1, frames, size])];
      }));
      const drawn = draws.map((draw, i) => [`draw${i}`, this.drawnFor(draw, first, take)]);
      const { wav } = await this.run("vocoder", { ...piece, ...Object.fromEntries(drawn), frames: this.long([last - first], [1]) });
      const from = samples(first); // halves of samples are rounded in the song's own numbers
      out.set(wav.data.subarray(samples(done) - from, samples(until) - from), samples(done));
      done = until;
    }
    return out;
  }

  // One phrase: its sound, F0, and lengths of phones in frames.
  async phrase(phrase, language, singer, take) {
    const { info } = this, facts = info.networks.acoustic, told = this.told(phrase, language, singer);
    const { time_lag } = await this.run("timelag", told), lengths = await this.run("duration", told);
    const [mean, variance] = [lengths.mean, lengths.variance].map((tensor) => tensor && Array.from(tensor.data));
    phrase.durations = phoneFrames(phrase.notes, Array.from(time_lag.data), mean, variance, language, info.frame);
    const owners = phrase.durations.flatMap((length, i) => Array(length).fill(i));
    const free = Object.fromEntries(facts.curves.map((name) => [`told_${name}`, this.real(owners.map(() => NaN), [1, owners.length, 1])]));
    const streams = await this.run("acoustic", {
      ...told, ...free, ...this.drawn(facts, phrase, singer, take), duration: this.long(phrase.durations), phone: this.long(owners),
    });
    const sound = await this.sound(streams, owners.length, take), last = sound.length - 1;
    fade(sound, info.rate, (i) => i);
    fade(sound, info.rate, (i) => last - i);
    const voiced = streams.vuv.data;
    return { ...phrase, sound, f0: Array.from(streams.lf0.data, (lf0, t) => (voiced[t] > 0.5 ? Math.exp(lf0) : 0)) };
  }

  // Sings a song of the page; heard(part) is called with the part that is done, 0 to 1.
  async sing(song, singer = 0, take = 0, heard = () => {}) {
    const { rate, frame, languages } = this.info, language = languages.find(({ code }) => code === song.lang);
    if (!song.notes.some(({ pitch }) => pitch)) throw new Error("There is no note to sing.");
    const notes = notesOf(song, language), phrases = phrasesOf(notes), { end } = notes[notes.length - 1], sung = [];
    for (const phrase of phrases) {
      sung.push(await this.phrase(phrase, language, singer, take));
      const { notes: own } = phrase;
      heard((phrase.start + own[own.length - 1].end) / end);
    }
    const ends = sung.map(({ start, sound }) => whole(start * rate) + sound.length);
    const wav = new Float32Array(Math.max(whole(end * rate), ...ends)), f0 = new Float32Array(Math.ceil(wav.length / rate / frame));
    const phones = [];
    for (const one of sung) {
      one.sound.forEach((sample, i) => { wav[whole(one.start * rate) + i] += sample; });
      one.f0.forEach((hertz, i) => { f0[whole(one.start / frame) + i] ||= hertz; });
      let at = one.start;
      one.notes.flatMap(({ phones: own }) => own).forEach((phone, i) => {
        phones.push([phone, at, at += one.durations[i] * frame]);
      });
    }
    return { wav, rate, result: { f0: [...f0], frame_shift: frame, phones, seconds: wav.length / rate } };
  }
}
