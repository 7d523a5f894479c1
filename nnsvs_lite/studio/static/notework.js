// Copy, cut, paste, split, join and quantise.

import { cellAt, cellsOf, moved, runsOf } from "./curves.js";
import { tidy } from "./song.js";

const CLIP = "nnsvs-lite studio clipboard";
const CURVES = ["pitch", "loudness", "breathiness", "tension", "gender"];

export function copy(editor) {
  const notes = editor.chosen();
  if (!notes.length) return 0;
  const from = notes[0].at, last = notes[notes.length - 1], beats = tidy(last.at + last.beats - from);
  const curves = {};
  for (const name of CURVES) {
    const cells = [...cellsOf(editor.song.curves[name])];
    const over = cells.filter(([cell]) => cell >= cellAt(from) && cell < cellAt(from + beats));
    if (over.length) curves[name] = runsOf(new Map(over));
  }
  const clip = {
    from, beats, curves, notes: notes.map(({ id, chance, ...note }) => note),
  };
  localStorage.setItem(CLIP, JSON.stringify(clip));
  return notes.length;
}

// What was copied, at a beat; what begins there already gives way. The number of notes.
export function paste(editor, at) {
  let clip;
  try { clip = JSON.parse(localStorage.getItem(CLIP)); } catch { clip = null; }
  if (!clip) return 0;
  const by = at - clip.from;
  const notes = clip.notes.map((note) => ({ ...note, id: editor.nextId++, at: tidy(note.at + by) }));
  const done = editor.edit((song) => {
    song.notes = song.notes.filter((note) => note.at < at - 1e-4 || note.at > at + clip.beats - 1e-4);
    song.notes.push(...notes);
    for (const [name, runs] of Object.entries(clip.curves)) {
      const cells = cellsOf(song.curves[name]);
      for (const [cell, value] of cellsOf(runs)) cells.set(cell + cellAt(by), value);
      song.curves[name] = runsOf(cells);
    }
  });
  if (!done) return 0;
  editor.select(notes.map((note) => note.id));
  return notes.length;
}

// At a beat that lies within the chosen note, else in its middle, by the grid where that is within.
export function split(editor, beat, grid) {
  const chosen = editor.chosen().filter((note) => note.pitch && note.beats >= 1 / 32);
  const placeIn = ({ at, beats }) => {
    const within = (x) => x > at + 1 / 64 && x < at + beats - 1 / 64;
    const middle = Math.round((at + beats / 2) / grid) * grid;
    return chosen.length === 1 && within(beat) ? beat : within(middle) ? middle : at + beats / 2;
  };
  const places = new Map(chosen.map((note) => [note.id, tidy(placeIn(note))]));
  return chosen.length && editor.edit((song) => {
    for (const note of song.notes.filter(({ id }) => places.has(id))) {
      const at = places.get(note.id);
      const { starts, chance, ...like } = note;
      song.notes.push({ ...like, id: editor.nextId++, at, beats: tidy(note.at + note.beats - at), lyric: "" });
      note.beats = tidy(at - note.at);
      delete note.phones;
      delete note.breath;
    }
  });
}

// The first of the chosen notes lasts to the end of the last.
export function join(editor) {
  const chosen = editor.chosen().filter((note) => note.pitch);
  if (chosen.length < 2) return false;
  const [first] = chosen, last = chosen[chosen.length - 1];
  const gone = new Set(chosen.slice(1).map((note) => note.id));
  return editor.edit((song) => {
    song.notes = song.notes.filter((note) => !gone.has(note.id) && !(note.at > first.at && note.at < last.at));
    song.notes.find((note) => note.id === first.id).beats = tidy(last.at + last.beats - first.at);
  });
}

// The chosen notes, or all, begin and end on the grid.
export function quantise(editor, grid) {
  const all = !editor.selected.size;
  const snap = (beat) => tidy(Math.round(beat / grid) * grid);
  return editor.edit((song) => {
    const chosen = song.notes.filter((note) => all || editor.selected.has(note.id));
    const spans = chosen.map((note) => [note.at, note.at + note.beats, snap(note.at) - note.at]);
    song.curves.pitch = moved(song.curves.pitch, spans);
    for (const note of chosen) {
      const end = Math.max(snap(note.at + note.beats), snap(note.at) + grid);
      note.at = snap(note.at);
      note.beats = tidy(end - note.at);
    }
  });
}
