// The voices that can be chosen, and what each says of itself. A track keeps the name of its voice and what
// tells whether it is the same one; where that is not here, the nearest sings in its place.

import { ask } from "./net.js";

class Voices {
  constructor() { Object.assign(this, { rows: [], asked: new Map() }); }

  async list() { this.rows = await (await ask("/api/voices")).json(); }

  // What a voice says of itself; it is loaded for that.
  told(id) {
    if (!this.asked.has(id)) {
      const answer = ask(`/api/voice?${new URLSearchParams({ voice: id })}`).then(async (found) => {
        const told = await found.json(), row = this.row(id);
        Object.assign(row, { langs: told.langs, singers: told.singers });
        return told;
      });
      // What fails may be asked again.
      answer.catch(() => this.asked.delete(id));
      this.asked.set(id, answer);
    }
    return this.asked.get(id);
  }

  row(id) { return this.rows.find((row) => row.id === id); }

  // Whether any voice sings a language, as far as is known.
  sing(lang) { return this.rows.some((row) => sings(row, lang)); }

  mark({ id, name }) { return { id, name }; }

  // The voice that a track was made with, by what it is, else by its name; undefined where it is not here.
  own({ voice }) {
    return voice && (this.row(voice.id) || this.rows.find(({ name }) => name === voice.name));
  }

  // The voice that sings a track.
  of(track, lang = track.lang) { return this.own(track) || this.nearest(lang); }

  // A voice that sings a language: this one where it does.
  nearest(lang, one = this.rows[0]) {
    return sings(one, lang) ? one : this.rows.find((row) => sings(row, lang)) || one;
  }

  // Fills the choice of a track's voice.
  fill(select, track, lang) {
    const own = this.own(track), names = this.rows.map((row) => new Option(label(row), row.id, false, row === own));
    const gone = own ? [] : [new Option(`${track.voice?.name}: not here, ${this.of(track, lang).name} sings`, "", true, true)];
    const text = [...gone, ...names].map((option) => option.text).join("\n");
    // A list that is open would be closed by another one.
    if (select.dataset.text !== text) select.replaceChildren(...gone, ...names);
    select.dataset.text = text;
    select.value = own?.id ?? "";
  }
}

const sings = ({ langs }, lang) => !langs || langs.includes(lang);
const label = ({ name, langs }) => (langs ? `${name} · ${langs.join(" ")}` : name);

export const voices = new Voices();
