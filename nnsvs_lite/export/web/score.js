// From the song on the page to phrases of notes with phones, as `nnsvs-lite sing` reads and cuts them.

import { parted } from "./lyrics.js";
import { rowAt, secondsAt } from "./song.js";

const NEAR = 1e-4; // quarters
const MIN_REST = 0.2, MIN_LENGTH = 2, MAX_LENGTH = 15, MARGIN = 0.3, SHORTEST_GAP = 0.06; // seconds
export const HOLD = /^[ー－ｰ\-~〜～–—―_+]*$/;

const rounded = (value, places) => Math.round(value * 10 ** places) / 10 ** places;
const isRest = (note) => !note.pitch;
const holds = (note) => !isRest(note) && HOLD.test(note.lyric.trim());

// A lyric as phones: those that it says itself, か[k a], or its longest parts that the voice knows, phones and blanks
// among them. In a language with tones a number behind it is its tone.
export function phonesOf(lyric, language) {
  const { words, tones } = language, known = (text) => Object.hasOwn(words, text);
  const [given, hint] = parted(lyric.trim().normalize("NFC"), language.code);
  if (hint.length && hint.every((phone) => Object.hasOwn(language.numbers, phone))) return { phones: hint, tone: 0 };
  const [, text, digit] = tones ? /^(.*?)([0-5]?)$/s.exec(given) : [given, given];
  const tone = digit ? Number(digit) || 5 : 0, phones = [];
  for (let at = 0; at < text.length;) {
    let size = text.length - at;
    if (text[at] === " ") {
      at += 1;
      continue;
    }
    while (size && !known(text.slice(at, at + size))) size -= 1;
    if (!size && known(text.toLowerCase())) return { phones: words[text.toLowerCase()], tone };
    if (!size) throw new Error(`This voice cannot sing the lyric “${lyric}”.`);
    phones.push(...words[text.slice(at, at + size)]);
    at += size;
  }
  return { phones, tone };
}

// The syllable that so many notes share: きっ over two is k i, i cl.
function carried(phones, count, { vowels }) {
  if (count === 1) return [phones];
  const last = phones.findLastIndex((phone) => vowels.includes(phone));
  const end = last < 0 ? phones.length : last + 1;
  const middle = Array.from({ length: count - 2 }, () => [phones[end - 1]]);
  return [phones.slice(0, end), ...middle, [phones[end - 1], ...phones.slice(end)]];
}

// All notes from 0 on, with rests between them.
function contiguous(song) {
  const notes = [];
  const add = (at, beats, note) => {
    const [begin, , size, into] = rowAt(song.bars, at), from = Math.max(into, at - begin + into);
    notes.push({
      pitch: 0, lyric: "", breath: false, velocity: 0.5, ...note,
      start: rounded(secondsAt(song, at), 7), end: rounded(secondsAt(song, at + beats), 7), beats: rounded(beats, 6),
      beat: rounded(Math.max(0, from - Math.floor((from + NEAR) / size) * size), 6), measureBeats: size,
      tempo: rowAt(song.tempi, at)[1], key: rowAt(song.keys, at)[1],
    });
  };
  let at = 0;
  for (const note of song.notes) {
    if (note.at > at + NEAR) add(at, note.at - at);
    add(Math.max(note.at, at), note.beats, note);
    at = note.at + note.beats;
  }
  if (song.length > at + NEAR) add(at, song.length - at);
  notes.forEach((note, i) => { if (notes[i + 1]) note.end = notes[i + 1].start; });
  return notes;
}

export function notesOf(song, language) {
  const notes = contiguous(song);
  notes.forEach((note, i) => {
    note.tone = 0;
    note.slur = holds(note);
    if (isRest(note)) note.phones = [note.lyric === "br" ? "br" : "pau"];
    else if (!note.slur) {
      let count = 1;
      while (notes[i + count] && holds(notes[i + count])) count += 1;
      const { phones, tone } = phonesOf(note.lyric, language);
      carried(phones, count, language).forEach((own, k) => Object.assign(notes[i + k], { phones: own, tone }));
    } else if (!i || isRest(notes[i - 1])) throw new Error("A note without a lyric has none before it to hold.");
  });
  return notes;
}

// A rest with other times; its beats follow.
function clipped(note, start, end) {
  let beat = Math.max(note.beat + (start - note.start) * note.tempo / 60, 0);
  while (beat >= note.measureBeats) beat -= note.measureBeats;
  return { ...note, start, end, beats: rounded((end - start) * note.tempo / 60, 6), beat: rounded(beat, 6) };
}

// The rests to cut at; those at both ends of the song, perhaps of no length, are among them.
function cuts(notes) {
  const last = notes.length - 1, { end } = notes[last];
  const gaps = notes.flatMap((note, i) => isRest(note)
    ? [{ note: i, start: i ? note.start : 0, end: note.end, outer: !i || i === last }] : []);
  if (gaps[0]?.note !== 0) gaps.unshift({ note: -1, start: 0, end: 0, outer: true });
  if (gaps[gaps.length - 1].note !== last || gaps.length === 1) gaps.push({ note: last + 1, start: end, end, outer: true });
  const chosen = [gaps[0]];
  for (const gap of gaps.slice(1, -1)) {
    const long = gap.end - gap.start >= MIN_REST - 1e-6;
    if (long && gap.start - chosen[chosen.length - 1].end >= MIN_LENGTH) chosen.push(gap);
  }
  chosen.push(gaps[gaps.length - 1]);
  const size = chosen.length;
  if (size > 2 && chosen[size - 1].start - chosen[size - 2].end < MIN_LENGTH) chosen.splice(size - 2, 1);
  for (let i = 0; i + 1 < chosen.length;) {
    const [left, right] = chosen.slice(i, i + 2), middle = (left.end + right.start) / 2;
    const inside = gaps.filter((gap) => left.note < gap.note && gap.note < right.note && gap.end - gap.start >= SHORTEST_GAP);
    if (right.start - left.end <= MAX_LENGTH || !inside.length) {
      i += 1;
      continue;
    }
    // The longest silence; of equal ones that nearest to the middle.
    const worth = (gap) => [rounded(gap.end - gap.start, 2), -Math.abs(gap.start - middle)];
    const better = (a, b) => worth(a)[0] - worth(b)[0] || worth(a)[1] - worth(b)[1];
    chosen.splice(i + 1, 0, inside.reduce((best, gap) => (better(gap, best) > 0 ? gap : best)));
  }
  return chosen;
}

// Phrases: where each starts in the song, the number of its first note, and its notes, time 0 at that start.
export function phrasesOf(notes) {
  const chosen = cuts(notes), half = (gap) => rounded((gap.start + gap.end) / 2, 3);
  return chosen.slice(1).map((right, i) => {
    const left = chosen[i], first = Math.max(left.note, 0);
    const start = Math.max(rounded(left.end - MARGIN, 3), left.outer ? left.start : half(left));
    const end = Math.min(rounded(right.start + MARGIN, 3), right.outer ? right.end : half(right));
    const own = notes.slice(first, right.note + 1), last = own.length - 1;
    if (isRest(own[0])) own[0] = clipped(own[0], start, own[0].end);
    if (isRest(own[last])) own[last] = clipped(own[last], own[last].start, end);
    const moved = own.map((note) => ({ ...note, start: rounded(note.start - start, 7), end: rounded(note.end - start, 7) }));
    return { start, first, notes: moved };
  });
}
