// A song as the server takes it: the notes, how to sing them, and what is drawn and set besides.

import { voices } from "./voices.js";

const NOTE = ["at", "beats", "pitch", "lyric", "breath", "velocity", "phones"];
const SET = ["chance", "take", "vibrato", "starts"];
const OF = (row, names) => Object.fromEntries(names.filter((name) => row[name] !== undefined).map((name) => [name, row[name]]));
const SONG = ["title", "length", "tempi", "bars", "keys"];

export const plainSong = (song, track = song) => ({
  ...OF(song, SONG), lang: track.lang ?? song.lang, notes: track.notes.map((note) => OF(note, NOTE)),
});

// Where any track is solo, only those that are.
const isHeard = (song, track) => !track.mute && (!!track.solo || ![song, ...(song.others || [])].some(({ solo, mute }) => solo && !mute));

// All tracks are sung at the speed of the one that is edited.
export function trackOf(song, track = song) {
  const curves = Object.fromEntries(Object.entries(track.curves || {}).filter(([, runs]) => runs.length));
  const notes = track.notes.map((note) => OF(note, SET));
  const { tempo: _, ...options } = track.options || {};
  if (song.options?.tempo !== undefined) options.tempo = song.options.tempo;
  const row = voices.of(track, track.lang ?? song.lang);
  // The singer of another voice stays with the track.
  if (row.singers && !row.singers.includes(options.singer)) delete options.singer;
  return { song: plainSong(song, track), voice: row.id, options, drawn: { curves, notes }, gain: track.gain || 0, pan: (track.pan || 0) / 100, heard: isHeard(song, track) };
}

// The track that is edited, and the others that have notes; with `muted` those too that are not heard.
export function requestOf(song, muted = false) {
  const others = (song.others || []).filter((track) => track.notes.some((note) => note.pitch) && (muted || isHeard(song, track)));
  return { ...trackOf(song), ...(others.length ? { others: others.map((track) => trackOf(song, track)) } : {}) };
}
