// Tracks: one is edited, the others stand behind it and are sung along.

import { Panel, make } from "./panel.js";
import { voices } from "./voices.js";

const PARTS = ["notes", "curves", "options", "gain", "pan", "mute", "solo", "name", "voice", "lang"];
const pick = (song) => Object.fromEntries(PARTS.filter((name) => song[name] !== undefined).map((name) => [name, song[name]]));

// All in their order; the one that is edited is the song's own parts.
export function tracksOf(song) {
  const list = [...(song.others || [])];
  list.splice(song.track || 0, 0, pick(song));
  return list;
}

function put(song, list, chosen) {
  const { lang } = song;
  for (const name of PARTS) delete song[name];
  Object.assign(song, { notes: [], curves: {}, options: {}, lang }, structuredClone(list[chosen]));
  song.others = list.filter((_, i) => i !== chosen);
  song.track = chosen;
}

// One line of the voices of a song that are not here, or not as they were; empty if all are.
export function missing(song) {
  const lines = tracksOf(song).map((track) => {
    const row = voices.of(track, track.lang ?? song.lang), { id, name } = track.voice || {};
    if (!name || row.id === id) return "";
    if (row.name !== name) return `The voice ${name} is not here; ${row.name} sings in its place.`;
    return id ? `The voice ${name} is not as it was when the song was made.` : "";
  });
  return [...new Set(lines)].filter(Boolean).join(" ");
}

export class Tracks extends Panel {
  // saveWav(number): saves one track's sound; voiced(number, id): another voice for a track; most: tracks of a song.
  constructor(box, editor, { saveWav, voiced, most }) {
    super(box);
    Object.assign(this, { editor, saveWav, voiced, most });
  }

  _parts() {
    const { song } = this.editor;
    const list = tracksOf(song), now = song.track || 0;
    const rows = list.map((track, i) => {
      const name = track.name || `Track ${i + 1}`;
      const radio = make("input", { type: "radio", name: "track", checked: i === now });
      radio.setAttribute("aria-label", `Edit ${name}`);
      radio.addEventListener("change", () => this.choose(i));
      const title = make("input", { name: `name-${i}`, value: name, maxLength: 60, className: "track-name" });
      title.setAttribute("aria-label", `Name of track ${i + 1}`);
      title.addEventListener("change", () => this._set(i, { name: title.value.trim() }));
      const voice = make("select", { name: `voice-${i}`, className: "track-voice" });
      voices.fill(voice, track, track.lang ?? song.lang);
      voice.setAttribute("aria-label", `Voice of ${name}`);
      voice.addEventListener("change", () => { if (voice.value) this.voiced(i, voice.value); });
      const mute = make("input", { type: "checkbox", name: `mute-${i}`, checked: !track.mute });
      mute.addEventListener("change", () => this._set(i, { mute: !mute.checked }));
      const solo = make("input", { type: "checkbox", name: `solo-${i}`, checked: !!track.solo });
      solo.addEventListener("change", () => this._set(i, { solo: solo.checked }));
      const pan = make("input", { type: "range", name: `pan-${i}`, min: -100, max: 100, step: 5, value: track.pan || 0, title: "Left to right" });
      pan.setAttribute("aria-label", `Pan of ${name}, left to right`);
      pan.addEventListener("change", () => this._set(i, { pan: Number(pan.value) }));
      const gain = make("input", { type: "number", name: `gain-${i}`, min: -60, max: 12, step: "any", value: track.gain || 0 });
      gain.addEventListener("change", () => { if (gain.reportValidity() && gain.value !== "") this._set(i, { gain: Number(gain.value) }); });
      const remove = make("button", { name: `remove-${i}`, textContent: "Remove", className: "quiet", disabled: list.length < 2 });
      remove.setAttribute("aria-label", `Remove ${name}`);
      remove.addEventListener("click", () => this._remove(i));
      const wav = make("button", { name: `wav-${i}`, textContent: "WAV", className: "quiet", disabled: !track.notes.some((note) => note.pitch) });
      wav.setAttribute("aria-label", `Save ${name} alone as WAV`);
      wav.addEventListener("click", () => this.saveWav(i));
      return make("li", {}, radio, title, voice, make("label", {}, mute, " heard"), make("label", {}, solo, " solo"), make("label", {}, gain, " dB"), make("label", {}, "L ", pan, " R"), wav, remove);
    });
    const full = list.length >= this.most;
    const add = make("button", { name: "add", textContent: "+ Track", disabled: full });
    add.addEventListener("click", () => this.add());
    const why = full ? [make("p", { className: "soft", textContent: `A song has at most ${this.most} tracks.` })] : [];
    return [make("ol", { className: "tracks" }, ...rows), add, ...why];
  }

  choose(i) { this.editor.edit((song) => put(song, tracksOf(song), i)); }

  add() {
    this.editor.edit((song) => {
      const { voice, lang } = song;
      const list = [...tracksOf(song), { notes: [], curves: {}, options: { ...song.options }, voice, lang }];
      put(song, list, list.length - 1);
    });
  }

  // Another voice for a track, in a language that it sings.
  setVoice(i, { id, name, langs, singers }) {
    const track = tracksOf(this.editor.song)[i], { singer, ...options } = track.options;
    const values = { voice: { id, name }, options: singers.includes(singer) ? track.options : options };
    if (!langs.includes(track.lang)) {
      values.lang = langs[0];
      // Phones were of the other language.
      values.notes = track.notes.map(({ phones, starts, ...note }) => note);
    }
    this._set(i, values);
  }

  _set(i, values) {
    this.editor.edit((song) => {
      if (i === (song.track || 0)) Object.assign(song, values);
      else song.others = song.others.map((track, k) => (k === i - (i > (song.track || 0)) ? { ...track, ...values } : track));
    });
  }

  _remove(i) {
    this.editor.edit((song) => {
      const now = song.track || 0;
      const list = tracksOf(song).filter((_, k) => k !== i);
      put(song, list, Math.min(list.length - 1, i < now || (i === now && now > 0) ? now - 1 : now));
    });
  }
}
