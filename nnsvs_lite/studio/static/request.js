// A song as the server takes it: the notes, how to sing them, and what is drawn and set besides.

const NOTE = ["at", "beats", "pitch", "lyric", "breath", "velocity", "phones"];
const SET = ["chance", "take", "vibrato", "starts"];
const OF = (row, names) => Object.fromEntries(names.filter((name) => row[name] !== undefined).map((name) => [name, row[name]]));
const SONG = ["title", "lang", "length", "tempi", "bars", "keys"];

export const plainSong = (song, track = song) => ({ ...OF(song, SONG), notes: track.notes.map((note) => OF(note, NOTE)) });

export function trackOf(song, track = song) {
  const curves = Object.fromEntries(Object.entries(track.curves || {}).filter(([, runs]) => runs.length));
  const notes = track.notes.map((note) => OF(note, SET));
  return {
    song: plainSong(song, track), options: track.options || {}, drawn: { curves, notes },
    gain: track.gain || 0, heard: !track.mute,
  };
}

// The track that is edited, and the others that have notes.
export function requestOf(song) {
  const speed = song.options?.tempo === undefined ? {} : { tempo: song.options.tempo };
  const others = (song.others || []).filter((track) => track.notes.some((note) => note.pitch) && !track.mute)
    .map((track) => trackOf(song, track))
    // All are sung at one speed.
    .map((track) => ({ ...track, options: { ...Object.fromEntries(Object.entries(track.options).filter(([name]) => name !== "tempo")), ...speed } }));
  return { ...trackOf(song), ...(others.length ? { others } : {}) };
}
