// What is drawn by chance. Each note and each step has numbers of its own, which hang on the take and nothing else.

const CENTS = 1200 / Math.LN2; // of log F0
const SHORTEST = 0.15; // seconds; a shorter vowel has no vibrato
const RATES = [4, 8.5], WIDEST = 250, LEAST_FADE = 0.03; // Hz, cents, seconds
const UNREST = [0.05, 0.12]; // of single cycles: rate, extent
const HURRY = 0.15, LAST = 0.3; // vibrato hurries towards a note's end, and in how many seconds

const clip = (value, low, high) => Math.min(Math.max(value, low), high);
const sum = (values) => values.reduce((a, b) => a + b, 0);

// Numbers in 0..1 from some whole numbers: their mixture by Murmur3's last step, then mulberry32.
export function uniform(...seeds) {
  let state = seeds.reduce((mixed, seed) => {
    let h = Math.imul((mixed ^ seed) + 0x9e3779b9, 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    return h ^ (h >>> 16);
  }, 0);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

// Standard normal numbers (Box and Muller, 1958).
export function normals(draw, count) {
  const out = new Float32Array(count);
  for (let i = 0; i < count; i += 2) {
    const radius = Math.sqrt(-2 * Math.log(1 - draw())), angle = 2 * Math.PI * draw();
    out[i] = radius * Math.cos(angle);
    if (i + 1 < count) out[i + 1] = radius * Math.sin(angle);
  }
  return out;
}

const times = (row, matrix) => matrix[0].map((_, k) => sum(row.map((value, i) => value * matrix[i][k])));

// One note's vibrato, to be added to log F0; as nnsvs_lite.features.vibrato sings it.
function vibrato(frames, frame, [delay, logRate, logExtent, fadeIn, fadeOut], draw) {
  const rate = clip(Math.exp(logRate), ...RATES), extent = Math.min(Math.exp(logExtent), WIDEST);
  const time = Array.from({ length: frames }, (_, i) => i * frame), last = time[frames - 1];
  const begin = Math.min(delay, 0.6 * frames * frame);
  const [pace, swing] = UNREST.map((unrest) => {
    const knots = normals(draw, Math.ceil(last * rate) + 3).map((value) => clip(value, -2, 2));
    return time.map((t) => {
      const k = Math.floor(t * rate), share = t * rate - k;
      return Math.exp(unrest * (knots[k] + share * (knots[k + 1] - knots[k])));
    });
  });
  time.forEach((t, i) => { pace[i] *= 1 + HURRY * clip(1 - (last - t) / LAST, 0, 1); });
  const on = time.map((t) => t >= begin), mean = sum(pace.filter((_, i) => on[i])) / on.filter(Boolean).length;
  let phase = draw() < 0.5 ? 0 : Math.PI;
  const [up, down] = [fadeIn, fadeOut].map((fade) => Math.max(fade, LEAST_FADE));
  const sines = pace.map((p, i) => Math.sin(phase += on[i] ? 2 * Math.PI * rate * p / mean * frame : 0));
  const fade = time.map((t, i) => (on[i] ? swing[i] * Math.max(0, Math.min(1, (t - begin) / up, (last - t) / down)) : 0));
  // Of few cycles, one more to the one side than to the other would put the note out of tune.
  const centre = sum(fade.map((f, i) => f * sines[i])) / Math.max(sum(fade), 1e-9);
  return fade.map((f, i) => extent / CENTS * f * (sines[i] - centre));
}

// The habit of a singer's vibrato, drawn for each note of a phrase: a number a frame, to be added to log F0.
export function habitWave(facts, phrase, info, singer, seed) {
  const { notes, durations, context, phones } = phrase, out = new Float32Array(sum(durations));
  const [presence, habit, spread] = ["presence", "habit", "spread"].map((name) => facts[name][Math.min(singer, facts[name].length - 1)]);
  const note = (i, name) => context[i][info.columns.note.indexOf(name)];
  let at = 0, phone = 0;
  notes.forEach(({ pitch, phones: own }, i) => {
    let begin = -1, end = -1, first = 0;
    for (let k = 0; k < own.length; k += 1, phone += 1) {
      const id = phones[phone][info.columns.phone.indexOf("phone")];
      if (info.held.includes(id)) {
        if (begin < 0) [begin, first] = [at, id];
        end = at + durations[phone];
      }
      at += durations[phone];
    }
    if (!pitch || begin < 0) return;
    const frames = end - begin, length = frames * info.frame, draw = uniform(seed, phrase.first + i);
    const told = new Array(presence.length).fill(0);
    told[0] = 1;
    // Once there is room for it, vibrato need not grow with the note: two slopes.
    told[1] = 2 * Math.log(clip(length, SHORTEST, 0.7) / 0.4);
    told[2] = Math.log(clip(length, 0.7, 3) / 0.7);
    told[3] = (note(i, "pitch_held") - info.mean_pitch) / 6;
    told[4] = note(i, "next_rest");
    told[5 + first] = 1;
    const chance = draw(), likely = 1 / (1 + Math.exp(-sum(told.map((value, k) => value * presence[k]))));
    if (chance >= likely || length < SHORTEST) return;
    const away = Array.from(normals(draw, spread.length), (value) => clip(value, -2, 2));
    const drawn = times(told, habit).map((usual, k) => usual + sum(spread[k].map((weight, j) => weight * away[j])));
    out.set(vibrato(frames, info.frame, drawn, draw), begin);
  });
  return out;
}
