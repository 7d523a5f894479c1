// What can be set of the selected notes, by keyboard as well: takes, vibrato, lanes, times of phones.

import { parted, withPhones } from "./lyrics.js";
import { setOverNotes, valueAt } from "./lanes.js";
import { Panel, make } from "./panel.js";
import { inNote, setStart } from "./ruler.js";

const VIBRATO = { depth: 60, rate: 5.8, begin: 0.25 };

export class Inspector extends Panel {
  // voice(): what the voice says of itself; stillOf(option): why an option cannot change the sound, "" if it can;
  // refuse(why): says why something cannot be, or takes that back; pen: of the pitch; audition(): plays
  // the selected notes once they are sung.
  constructor(box, editor, roll, { voice, stillOf, refuse, pen, audition }) {
    super(box);
    Object.assign(this, { editor, roll, voice, stillOf, refuse, pen, audition });
  }

  _parts() {
    const notes = this.editor.chosen().filter((note) => note.pitch);
    if (!notes.length) return [make("p", { className: "soft", textContent: "Select notes, to set their takes, vibrato, curves and phones." })];
    return [this._takes(notes), this._vibrato(notes), this._curves(notes), ...(notes.length === 1 ? [this._phones(notes[0])] : [])];
  }

  _group(title, still, ...children) {
    const group = make("fieldset", { disabled: !!still }, make("legend", { textContent: title }), ...children);
    const why = still ? [make("p", { className: "soft", textContent: `Cannot change the sound: ${still}.` })] : [];
    return make("div", { className: "set-group" }, group, ...why);
  }

  _number(name, label, value, range, change) {
    const input = make("input", { type: "number", name, value, ...range });
    input.addEventListener("change", () => { if (input.reportValidity() && input.value !== "") change(Number(input.value)); });
    return make("label", {}, `${label} `, input);
  }

  _button(name, text, work) {
    const button = make("button", { type: "button", name, textContent: text });
    button.addEventListener("click", work);
    return button;
  }

  // --- takes

  _takes(notes) {
    const known = [...new Set([0, ...notes.flatMap((note) => [note.take || 0, ...(note.takes || [])])])].sort((a, b) => a - b);
    const current = new Set(notes.map((note) => note.take || 0));
    const select = make("select", { name: "take" }, ...known.map((take, i) =>
      new Option(i ? `take ${i + 1}` : "the first", take, false, current.size === 1 && current.has(take))));
    if (current.size > 1) select.add(new Option("several", "", true, true));
    select.addEventListener("change", () => { if (select.value !== "") this.take(Number(select.value)); });
    return this._group("Takes", this.stillOf("seed"), this._button("retake", "Another take", () => this.retake()),
      make("label", {}, "Sung as ", select));
  }

  retake() {
    const { editor } = this;
    if (!editor.chosen().length || this.stillOf("seed")) return;
    const used = editor.song.notes.flatMap((note) => [note.take || 0, ...(note.takes || [])]);
    this.take(Math.max(0, ...used) + 1);
  }

  // The chosen notes are sung with a seed of their own from now on; the take before is kept in their list.
  take(seed) {
    this.editor.set((note) => {
      note.takes = [...new Set([...(note.takes || []), note.take || 0, seed])].filter((n) => n).sort((a, b) => a - b);
      if (seed) note.take = seed; else delete note.take;
    });
    this.audition();
  }

  // --- vibrato

  _vibrato(notes) {
    const { editor } = this;
    const own = notes.every((note) => note.vibrato);
    const now = notes.find((note) => note.vibrato)?.vibrato || VIBRATO;
    const on = make("input", { type: "checkbox", name: "vibrato", checked: own });
    on.addEventListener("change", () => editor.set((note) => {
      if (on.checked) note.vibrato = { ...VIBRATO }; else delete note.vibrato;
    }));
    const set = (name, factor = 1) => (value) => editor.set((note) => { note.vibrato = { ...(note.vibrato || VIBRATO), [name]: value / factor }; });
    const fields = own ? [
      this._number("depth", "Depth, cents", now.depth, { min: 0, max: 200, step: 1 }, set("depth")),
      this._number("rate", "Rate, Hz", now.rate, { min: 4, max: 8, step: 0.1 }, set("rate")),
      this._number("begin", "Begins at, %", Math.round(now.begin * 100), { min: 0, max: 100, step: 1 }, set("begin", 100)),
    ] : [];
    return this._group("Vibrato", this.stillOf("pitch_deviation"), make("label", {}, on, " of its own"), ...fields);
  }

  // --- curves

  _curves(notes) {
    const { editor, pen } = this, { lanes } = this.voice();
    const fields = lanes.filter((lane) => !lane.still).map(({ name, label, unit, most }) =>
      this._number(`lane-${name}`, `${label}, ${unit.split(" ")[0]}`, valueAt(editor, name, notes[0]), { min: -most, max: most, step: "any" },
        (value) => setOverNotes(editor, name, value)));
    const still = lanes.filter((lane) => lane.still).map(({ label, still: why }) =>
      make("p", { className: "soft", textContent: `${label} cannot change the sound: ${why}.` }));
    return make("div", {}, this._group("Curves over the notes", "", ...fields,
      this._button("smooth", "Smooth pitch", () => pen.overNotes("smooth")),
      this._button("erase", "Erase drawn pitch", () => pen.overNotes("erase"))), ...still);
  }

  // --- phones

  _phones(note) {
    const { editor, roll } = this;
    const { sung } = roll;
    const written = this._written(note, sung);
    if (!sung) return this._group("Phones", "", written, make("p", { className: "soft", textContent: "Sing, to set their times." }));
    const { result, ids, seconds } = sung;
    const phones = result.phones.map(([symbol, start], i) => ({ symbol, start, i })).filter(({ i }) => ids[result.owners[i]] === note.id);
    const fields = phones.map(({ symbol, start, i }) =>
      this._number(`phone-${inNote(result, i)}`, `${symbol} at, ms`, Math.round(1000 * (start - seconds(note.at))), { min: -2000, max: 60000, step: 1 },
        (value) => setStart(editor, result, ids, i, seconds(note.at) + value / 1000, seconds)));
    const reset = this._button("reset-phones", "As the voice times them", () => editor.set((one) => { delete one.starts; }));
    reset.disabled = !note.starts;
    return this._group("Phones, from the note's beginning", "", written, ...fields, reset);
  }

  // Phones that are typed, in place of those that the lyric has; empty: those of the lyric, which are shown.
  _written(note, sung) {
    const { lang } = this.editor.song;
    const [, own] = parted(note.lyric, lang);
    const read = sung ? sung.result.phones.filter((_, i) => sung.ids[sung.result.owners[i]] === note.id).map(([symbol]) => symbol) : [];
    const input = make("input", { name: "phones", value: own.join(" "), placeholder: read.join(" ") || "of the lyric", size: 12, maxLength: 80, spellcheck: false, autocapitalize: "off" });
    input.addEventListener("change", () => {
      const phones = input.value.split(/\s+/).filter(Boolean);
      const wrong = this._wrong(phones, lang);
      this.refuse(wrong);
      if (wrong) { input.value = own.join(" "); return; }
      this._write(note, phones, lang);
    });
    return make("label", {}, "By hand ", input);
  }

  // Why phones cannot be sung; empty if they can.
  _wrong(phones, lang) {
    const { name, phones: known } = this.voice(), mine = known[lang];
    if (!mine) return `${name} does not sing ${lang}: choose another voice first.`;
    const odd = phones.find((phone) => !mine.includes(phone));
    if (odd) return `${name} has no phone “${odd}” in ${lang}. It has: ${mine.join(" ")}`;
    return phones.length > 20 ? "A note has at most 20 phones." : "";
  }

  _write(note, phones, lang) {
    this.editor.edit((song) => {
      const one = song.notes.find(({ id }) => id === note.id);
      one.lyric = withPhones(parted(one.lyric, lang)[0], phones, lang);
      // Phones that a file gave count while every note has them.
      if (phones.length && one.phones) one.phones = phones; else delete one.phones;
      delete one.starts;
    });
  }
}
