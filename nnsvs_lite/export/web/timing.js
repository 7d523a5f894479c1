// From predicted time lags and lengths to whole frames that fill each note, as nnsvs_lite.score.timing has it.

const MAX_LAG = 0.1, MAX_LAG_REST = 0.2; // seconds
const LEAST_SUNG = 2 / 3, LEAST_VOWEL = 0.5; // parts of a note's length in the score

const sum = (values) => values.reduce((a, b) => a + b, 0);

// To the nearest whole number, halves to the even one.
export function whole(value) {
  const near = Math.round(value);
  return near - value === 0.5 && near % 2 ? near - 1 : near;
}

// Moves whole boundaries so that interval k has at least gaps[k]; the last stays if it fits.
function spread(bounds, gaps) {
  const b = [...bounds], last = b.length - 1;
  for (let k = 0; k < last; k += 1) b[k + 1] = Math.max(b[k + 1], b[k] + gaps[k]);
  b[last] = Math.max(bounds[last], b[0] + sum(gaps));
  for (let k = last - 1; k > 0; k -= 1) b[k] = Math.min(b[k], b[k + 1] - gaps[k]);
  return b;
}

// Lengths of the phones of one note.
function fill(mean, variance, length, vowels, least) {
  const slack = variance ? sum(variance) : 0;
  let durations = slack > 0 ? mean.map((m, i) => m + (length - sum(mean)) / slack * variance[i]) : [0];
  if (durations.some((d) => d <= 0)) durations = mean.map((m) => length * m / sum(mean));
  const held = sum(durations.filter((_, i) => vowels[i])), others = vowels.filter((vowel) => !vowel).length;
  const most = Math.min(least, length - others);
  if (others && others < mean.length && held < most) {
    const rest = sum(durations) - held;
    durations = durations.map((d, i) => d * (vowels[i] ? most / held : (length - most) / rest));
  }
  let end = 0;
  const bounds = [0, ...durations.map((d) => whole(end += d))];
  bounds[bounds.length - 1] = length;
  const settled = spread(bounds, mean.map(() => 1));
  return settled.slice(1).map((b, i) => b - settled[i]);
}

// Frames of each phone of a phrase; lags of notes in frames, mean and variance (or null) of phones' lengths.
export function phoneFrames(notes, lags, mean, variance, language, frame) {
  const limited = lags.map((lag, i) => {
    const limit = (notes[i].pitch ? MAX_LAG : MAX_LAG_REST) / frame;
    return i ? Math.min(Math.max(lag, -limit), limit) : 0;
  });
  const starts = notes.map((note, i) => (i ? note.start / frame + limited[i] : 0));
  const least = notes.map(({ pitch, start, end, phones }) =>
    Math.max(phones.length, pitch ? Math.trunc((end - start) / frame * LEAST_SUNG) : 0));
  const bounds = spread([...starts, notes[notes.length - 1].end / frame].map(whole), least);
  let at = 0;
  return notes.flatMap(({ phones, start, end }, i) => {
    const own = [at, at += phones.length];
    const vowels = phones.map((phone) => language.vowels.includes(phone));
    const spreads = variance && variance.slice(...own);
    return fill(mean.slice(...own), spreads, bounds[i + 1] - bounds[i], vowels, (end - start) / frame * LEAST_VOWEL);
  });
}
