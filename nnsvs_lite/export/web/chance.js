// What is drawn by chance, by a take's number: noise is that of `nnsvs-lite sing --seed`, vibrato is the page's own.

const CENTS = 1200 / Math.LN2; // of log F0
const SHORTEST = 0.15; // seconds; a shorter vowel has no vibrato
const RATES = [4, 8.5], WIDEST = 250, LEAST_FADE = 0.03; // Hz, cents, seconds
const UNREST = [0.05, 0.12]; // of single cycles: rate, extent
const BLOCK = 4096; // rows of running noise that are drawn at once
const HURRY = 0.15, LAST = 0.3; // vibrato hurries towards a note's end, and in how many seconds

const clip = (value, low, high) => Math.min(Math.max(value, low), high);
const sum = (values) => values.reduce((a, b) => a + b, 0);

// What a seed means for one of many (SplitMix64, Steele et al. 2014), as nnsvs_lite.models.example.note_seeds.
export function seedOf(seed, number) {
  const low = (value) => BigInt.asUintN(64, value);
  let state = low(BigInt(seed) + BigInt(number + 1) * 0x9e3779b97f4a7c15n);
  state = low((state ^ (state >> 30n)) * 0xbf58476d1ce4e5b9n);
  state = low((state ^ (state >> 27n)) * 0x94d049bb133111ebn);
  return (state ^ (state >> 31n)) >> 1n;
}

// What a seed means for a name: by its CRC-32.
export function seedOfName(seed, name) {
  let crc = -1;
  for (const byte of new TextEncoder().encode(name)) {
    crc ^= byte;
    for (let k = 0; k < 8; k += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return seedOf(seed, ~crc >>> 0);
}

// Whole numbers of 32 bits (MT19937, Matsumoto and Nishimura 1998) from a seed's last 32 bits.
function twister(seed) {
  const words = new Uint32Array(624);
  words[0] = Number(BigInt.asUintN(32, BigInt(seed)));
  for (let i = 1; i < 624; i += 1) words[i] = Math.imul(words[i - 1] ^ (words[i - 1] >>> 30), 1812433253) + i;
  let at = 624;
  return () => {
    if (at === 624) {
      for (let i = 0; i < 624; i += 1) {
        const both = (words[i] & 0x80000000) | (words[(i + 1) % 624] & 0x7fffffff);
        words[i] = words[(i + 397) % 624] ^ (both >>> 1) ^ (both & 1 ? 0x9908b0df : 0);
      }
      at = 0;
    }
    let word = words[at];
    at += 1;
    word ^= word >>> 11;
    word ^= (word << 7) & 0x9d2c5680;
    word ^= (word << 15) & 0xefc60000;
    return (word ^ (word >>> 18)) >>> 0;
  };
}

const share = (word) => (word & 0xffffff) / 2 ** 24;
const uniform = (seed) => share(twister(seed)());

// So many numbers from 0 to 1.
export function uniforms(count, seed) {
  const draw = twister(seed);
  return Float32Array.from({ length: count }, () => share(draw()));
}

// Standard normal numbers by Box and Muller (1958): those of nnsvs_lite.models.chance.normal.
export function normals(count, seed) {
  const draw = twister(seed), out = new Float32Array(count);
  const radius = (value) => Math.sqrt(-2 * Math.log1p(-value)), angle = (value) => 2 * Math.PI * value;
  if (count < 16) {
    const fine = () => ((draw() & 0x1fffff) * 2 ** 32 + draw()) / 2 ** 53;
    for (let i = 0; i < count; i += 2) {
      const turn = angle(fine()), size = radius(fine());
      out[i] = size * Math.cos(turn);
      if (i + 1 < count) out[i + 1] = size * Math.sin(turn);
    }
    return out;
  }
  // Sixteen at a time; where some are left over the last sixteen are drawn anew.
  const drawn = Float32Array.from({ length: count }, () => share(draw()));
  const pair = (from, values) => {
    for (let i = 0; i < 8; i += 1) {
      const size = radius(values[i]), turn = angle(values[i + 8]);
      out[from + i] = size * Math.cos(turn);
      out[from + i + 8] = size * Math.sin(turn);
    }
  };
  for (let from = 0; from + 16 <= count; from += 16) pair(from, drawn.subarray(from, from + 16));
  if (count % 16) pair(count - 16, Array.from({ length: 16 }, () => share(draw())));
  return out;
}

// Rows of endless noise, from the row `first` on.
export function running(first, rows, size, seed) {
  const out = new Float32Array(rows * size);
  for (let at = first - first % BLOCK; at < first + rows; at += BLOCK) {
    const drawn = normals(BLOCK * size, seedOf(seed, at / BLOCK)), from = Math.max(at, first), until = Math.min(at + BLOCK, first + rows);
    out.set(drawn.subarray((from - at) * size, (until - at) * size), (from - first) * size);
  }
  return out;
}

const times = (row, matrix) => matrix[0].map((_, k) => sum(row.map((value, i) => value * matrix[i][k])));

// One note's vibrato, to be added to log F0; as nnsvs_lite.features.vibrato sings it.
function vibrato(frames, frame, [delay, logRate, logExtent, fadeIn, fadeOut], own) {
  const rate = clip(Math.exp(logRate), ...RATES), extent = Math.min(Math.exp(logExtent), WIDEST);
  const time = Array.from({ length: frames }, (_, i) => i * frame), last = time[frames - 1];
  const begin = Math.min(delay, 0.6 * frames * frame);
  const [pace, swing] = UNREST.map((unrest, number) => {
    const knots = normals(Math.ceil(last * rate) + 3, own(number)).map((value) => clip(value, -2, 2));
    return time.map((t) => {
      const k = Math.floor(t * rate), share = t * rate - k;
      return Math.exp(unrest * (knots[k] + share * (knots[k + 1] - knots[k])));
    });
  });
  time.forEach((t, i) => { pace[i] *= 1 + HURRY * clip(1 - (last - t) / LAST, 0, 1); });
  const on = time.map((t) => t >= begin), mean = sum(pace.filter((_, i) => on[i])) / on.filter(Boolean).length;
  let phase = uniform(own(2)) < 0.5 ? 0 : Math.PI;
  const [up, down] = [fadeIn, fadeOut].map((fade) => Math.max(fade, LEAST_FADE));
  const sines = pace.map((p, i) => Math.sin(phase += on[i] ? 2 * Math.PI * rate * p / mean * frame : 0));
  const fade = time.map((t, i) => (on[i] ? swing[i] * Math.max(0, Math.min(1, (t - begin) / up, (last - t) / down)) : 0));
  // Of few cycles, one more to the one side than to the other would put the note out of tune.
  const centre = sum(fade.map((f, i) => f * sines[i])) / Math.max(sum(fade), 1e-9);
  return fade.map((f, i) => extent / CENTS * f * (sines[i] - centre));
}

// The habit of a singer's vibrato, drawn for each note of a phrase: a number a frame, to be added to log F0.
export function habitWave(facts, phrase, info, singer, seeds) {
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
    const frames = end - begin, length = frames * info.frame, chosen = (number) => seedOf(seeds[i], number);
    const told = new Array(presence.length).fill(0);
    told[0] = 1;
    // Once there is room for it, vibrato need not grow with the note: two slopes.
    told[1] = 2 * Math.log(clip(length, SHORTEST, 0.7) / 0.4);
    told[2] = Math.log(clip(length, 0.7, 3) / 0.7);
    told[3] = (note(i, "pitch_held") - info.mean_pitch) / 6;
    told[4] = note(i, "next_rest");
    told[5 + first] = 1;
    const chance = uniform(chosen(3)), likely = 1 / (1 + Math.exp(-sum(told.map((value, k) => value * presence[k]))));
    if (chance >= likely || length < SHORTEST) return;
    const away = Array.from(normals(spread.length, chosen(4)), (value) => clip(value, -2, 2));
    const drawn = times(told, habit).map((usual, k) => usual + sum(spread[k].map((weight, j) => weight * away[j])));
    out.set(vibrato(frames, info.frame, drawn, chosen), begin);
  });
  return out;
}
