// The song being edited: notes, undo, and the way between beats and seconds.

import { CELLS, erased, moved } from "./curves.js";

const UNDO_STEPS = 200;
const NEAR = 1e-4;
export const SHORTEST = 1 / 64;
export const LOW = 24;
export const HIGH = 108;

export function emptySong(lang) {
  return {
    title: "", lang, length: 0,
    tempi: [[0, 100]], bars: [[0, 1, 4, 0]], keys: [[0, 0]], notes: [],
    curves: {}, options: {},
  };
}

export function rowAt(rows, beat) {
  let found = rows[0];
  for (const row of rows) {
    if (row[0] > beat + NEAR) break;
    found = row;
  }
  return found;
}

export function secondsAt(song, beat) {
  let total = 0;
  song.tempi.forEach(([start, tempo], i) => {
    const end = i + 1 < song.tempi.length ? song.tempi[i + 1][0] : Infinity;
    total += Math.max(Math.min(beat, end) - start, 0) * 60 / tempo;
  });
  return total;
}

// A function from seconds to beats; made once for the many points of a curve.
export function beatsOf(song) {
  const starts = song.tempi.map(([beat]) => secondsAt(song, beat));
  return (seconds) => {
    let i = starts.length - 1;
    while (i > 0 && starts[i] > seconds) i -= 1;
    return song.tempi[i][0] + (seconds - starts[i]) * song.tempi[i][1] / 60;
  };
}

// Bar lines up to a beat: [beat, number, quarters in the bar].
export function barLines(song, end) {
  const lines = [];
  song.bars.forEach(([start, number, beats, into], i) => {
    const stop = i + 1 < song.bars.length ? song.bars[i + 1][0] : end;
    if (start < stop) lines.push([start, number, beats, into]);
    let at = start + beats - into;
    for (let n = number + 1; at < stop - NEAR; at += beats, n += 1) lines.push([at, n, beats, 0]);
  });
  return lines;
}

export function placeOf(song, beat) {
  const [start, number, beats, into] = rowAt(song.bars, beat);
  const from = Math.max(0, beat - start) + into;
  const passed = Math.floor((from + NEAR) / beats);
  return { bar: number + passed, beat: Math.round((from - passed * beats) * 1000) / 1000 + 1 };
}

// The tempo at a beat, its time signature, and where its bar begins.
export function timeAt(song, beat) {
  const [start, , beats, into, unit = 4] = rowAt(song.bars, beat);
  const passed = Math.floor((Math.max(0, beat - start) + into + NEAR) / beats);
  const whole = Number.isInteger(beats * unit / 4) ? unit : 16;
  const bar = Math.max(start, start - into + passed * beats);
  return { tempo: rowAt(song.tempi, beat)[1], metre: `${Math.round(beats * whole / 4)}/${whole}`, bar };
}

const NAMES = ["C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B"];
export const isBlack = (pitch) => NAMES[pitch % 12].length > 1;
export const pitchName = (pitch) => NAMES[pitch % 12] + (Math.floor(pitch / 12) - 1);

export class Editor {
  // changed(song): called after every change; song is false where only the selection changed.
  constructor(song, changed) {
    this.changed = changed;
    this.nextId = 1;
    this.loads = 0;
    this.past = [];
    this.edits = new Set(); // loads whose songs were changed
    this.selected = new Set();
    this.version = 0;
    this.load(song);
  }

  // Another song takes the place of this one; that can be undone. Each keeps the number of its load.
  load(song) {
    const draft = { curves: {}, options: {}, ...structuredClone(song), load: this.loads += 1 };
    for (const track of [draft, ...(draft.others || [])]) for (const note of track.notes) note.id = this.nextId++;
    this._keep();
    this._set(draft);
  }

  // The song as it is can be had again by undoing what comes now.
  _keep() {
    if (this.song) this.past.push(this.song);
    if (this.past.length > UNDO_STEPS) this.past.shift();
    this.future = [];
  }

  // The song as the server takes it.
  plain() {
    const { load, ...song } = structuredClone(this.song);
    for (const note of song.notes) delete note.id;
    return song;
  }

  // Changes the song by a function of a copy; false, and nothing is changed, where notes would stand
  // on top of each other. Of notes that overlap the earlier one is cut short.
  // Curves and other tracks are not copied: who changes them puts new ones in their place.
  edit(change) {
    const { curves, others, ...rest } = this.song;
    const draft = { ...structuredClone(rest), curves: { ...curves }, ...(others ? { others: [...others] } : {}) };
    if (change(draft) === false || !settle(draft)) return false;
    // The silence after the last note stays as long as it was, a beat at least.
    draft.length = tidy(endOf(draft) + Math.max(1, this.song.length - endOf(this.song)));
    this._keep();
    this.edits.add(draft.load);
    this._set(draft);
    return true;
  }

  undo() { this._step(this.past, this.future); }
  redo() { this._step(this.future, this.past); }

  _step(from, to) {
    if (!from.length) return;
    to.push(this.song);
    this._set(from.pop());
  }

  // Whether the song was ever changed since it was loaded.
  get edited() { return this.edits.has(this.song.load); }

  _set(song) {
    this.song = song;
    this.version += 1;
    const ids = new Set(song.notes.map((note) => note.id));
    for (const id of this.selected) if (!ids.has(id)) this.selected.delete(id);
    this.changed(true);
  }

  select(ids) {
    this.selected = new Set(ids);
    this.changed(false);
  }

  note(id) { return this.song.notes.find((note) => note.id === id); }
  chosen() { return this.song.notes.filter((note) => this.selected.has(note.id)); }
  sung() { return this.song.notes.filter((note) => note.pitch > 0); }

  // Adds a note and selects it; null where there is no room.
  add(at, beats, pitch, lyric) {
    const id = this.nextId++;
    const rest = placeFree(this.song, at, beats);
    if (rest < SHORTEST) return null;
    const done = this.edit((song) => { song.notes.push({ id, at, beats: rest, pitch, lyric }); });
    if (!done) return null;
    this.select([id]);
    return id;
  }

  remove() {
    const ids = this.selected;
    if (!ids.size) return;
    const notes = this.song.notes;
    const next = notes.find((n, i) => !ids.has(n.id) && i > 0 && ids.has(notes[i - 1].id));
    const last = [...notes].reverse().find((n) => !ids.has(n.id));
    this.edit((song) => {
      for (const { at, beats } of this.chosen()) song.curves.pitch = erased(song.curves.pitch, at, at + beats - 1 / CELLS);
      song.notes = song.notes.filter((note) => !ids.has(note.id));
    });
    this.select([next || last].filter(Boolean).map((n) => n.id));
  }

  // Moves and lengthens the selected notes; all numbers in beats and semitones.
  shift(beats, pitch, longer, ids = this.selected) {
    return this.edit((song) => {
      const chosen = song.notes.filter((note) => ids.has(note.id));
      const sung = chosen.filter((note) => note.pitch);
      if (!chosen.length) return false;
      if (sung.some((n) => n.pitch + pitch < LOW || n.pitch + pitch > HIGH)) return false;
      if (chosen.some((n) => n.at + beats < -NEAR || n.beats + longer < SHORTEST)) return false;
      // What is drawn over notes goes with them.
      const spans = chosen.map((note) => [note.at, note.at + note.beats, beats]);
      if (beats || pitch) song.curves.pitch = moved(song.curves.pitch, spans, pitch);
      for (const note of chosen) {
        note.at = tidy(Math.max(0, note.at + beats));
        note.beats = tidy(note.beats + longer);
        if (note.pitch) note.pitch += pitch;
      }
      return true;
    });
  }

  setLyric(id, lyric) {
    if (this.note(id).lyric === lyric) return;
    this.edit((song) => {
      const note = song.notes.find((n) => n.id === id);
      note.lyric = lyric;
      delete note.phones;
      delete note.starts;
    });
  }

  // Changes the chosen notes by a function of each.
  set(change) {
    const ids = this.selected;
    return this.edit((song) => song.notes.filter((note) => ids.has(note.id)).forEach(change));
  }

  setCurve(name, runs) { return this.edit((song) => { song.curves[name] = runs; }); }

  // From a beat on, to the next change.
  setTempoFrom(at, tempo) {
    this.edit((song) => {
      const rows = [...song.tempi.filter(([beat]) => beat < at - NEAR), [tidy(at), tempo], ...song.tempi.filter(([beat]) => beat > at + NEAR)];
      song.tempi = rows.filter(([, value], i) => !i || value !== rows[i - 1][1]);
    });
  }

  // Bars of `upper`/`lower` from a bar line on, to the next change; without one, throughout.
  setMetre(upper, lower, at = null) {
    this.edit((song) => {
      const here = at ?? 0, beats = upper * 4 / lower;
      // A bar that is not whole, as a pick-up, ends where it did.
      const [start, , whole, into] = rowAt(song.bars, here);
      const gone = into && start > here - NEAR ? ((into - whole) % beats + beats) % beats : 0;
      const before = song.bars.filter(([beat]) => beat < here - NEAR);
      const after = at === null ? [] : song.bars.filter(([beat]) => beat > here + NEAR);
      const rows = [...before, [tidy(here), song.bars[0][1], beats, gone, lower], ...after];
      rows.forEach((row, i) => {
        if (!i) return;
        // Bars are counted on from the change before.
        const [start, number, beats, into] = rows[i - 1];
        rows[i] = [row[0], number + Math.ceil((row[0] - start + into) / beats - NEAR), ...row.slice(2)];
      });
      song.bars = rows;
    });
  }

  // All later tempi keep their ratio to the first.
  setTempo(tempo) {
    const factor = tempo / this.song.tempi[0][1];
    this.edit((song) => {
      song.tempi = song.tempi.map(([at, value]) =>
        [at, Math.min(1000, Math.max(10, Math.round(value * factor * 1000) / 1000))]);
    });
  }
}

export const tidy = (beats) => Math.round(beats * 1e6) / 1e6;

// How long a note at a beat can be: up to the next one, 0 where a note begins just there.
function placeFree(song, at, beats) {
  let room = beats;
  for (const note of song.notes) {
    if (Math.abs(note.at - at) < NEAR) return 0;
    if (note.at > at) room = Math.min(room, note.at - at);
  }
  return tidy(room);
}

function settle(song) {
  const notes = song.notes;
  notes.sort((a, b) => a.at - b.at);
  for (let i = 0; i + 1 < notes.length; i += 1) {
    const room = notes[i + 1].at - notes[i].at;
    if (room < SHORTEST) return false;
    if (notes[i].beats > room) notes[i].beats = tidy(room);
  }
  return true;
}

// Where the last note of any track ends.
function endOf(song) {
  return Math.max(...[song, ...(song.others || [])].map(({ notes }) => {
    const last = notes[notes.length - 1];
    return last ? last.at + last.beats : 0;
  }));
}
