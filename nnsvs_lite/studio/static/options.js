// How to sing: a control for each option of the voice. What cannot change the sound says so.

import { $ } from "./net.js";

export class Options {
  constructor(editor) {
    Object.assign(this, { editor, inputs: new Map() });
    $("neutral").addEventListener("click", () => editor.edit((song) => { song.options = {}; }));
  }

  // The controls of a voice.
  build(voice) {
    const box = $("options"), open = !!box.querySelector(".more[open]");
    this.voice = voice;
    this.inputs.clear();
    box.replaceChildren();
    // What few need, out of sight until it is asked for.
    const more = Object.assign(document.createElement("details"), { className: "more", open });
    more.append(Object.assign(document.createElement("summary"), { textContent: "More" }));
    if (voice.singers.length > 1) box.append(this._singer());
    for (const row of voice.options) (row.more ? more : box).append(this._row(row));
    box.append(more);
  }

  stillOf(name) { return this.voice.options.find((row) => row.name === name)?.still || ""; }

  _singer() {
    const label = Object.assign(document.createElement("label"), { className: "option" });
    const select = Object.assign(document.createElement("select"), { name: "singer" });
    for (const name of this.voice.singers) select.add(new Option(name, name));
    label.append(Object.assign(document.createElement("span"), { textContent: "Singer" }), select);
    select.addEventListener("change", () => this._set("singer", select.value));
    this.inputs.set("singer", { input: select, neutral: this.voice.singers[0], show: () => {} });
    return label;
  }

  _row(row) {
    const label = Object.assign(document.createElement("label"), { className: "option", title: row.still || row.help });
    const name = Object.assign(document.createElement("span"), { textContent: row.label });
    const input = document.createElement("input");
    const isSlider = row.name !== "seed" && row.neutral !== null;
    Object.assign(input, { type: isSlider ? "range" : "number", name: row.name, min: row.low, max: row.high, step: row.step });
    input.disabled = !!row.still;
    const neutral = String(row.neutral ?? "");
    const output = document.createElement("output");
    const show = () => {
      output.textContent = isSlider ? (row.neutral === 0 && input.value > 0 ? "+" : "") + input.value : "";
      label.classList.toggle("set", input.value !== neutral);
    };
    input.addEventListener("input", show);
    input.addEventListener("change", () => {
      if (input.checkValidity()) this._set(row.name, input.value === "" || input.value === neutral ? undefined : Number(input.value));
    });
    this.inputs.set(row.name, { input, neutral, show });
    label.append(name, input, output, Object.assign(document.createElement("small"), {
      textContent: row.still ? `no effect: ${row.still}` : row.help,
    }));
    return label;
  }

  _set(name, value) {
    this.editor.edit((song) => {
      song.options = { ...song.options };
      if (value === undefined) delete song.options[name]; else song.options[name] = value;
    });
  }

  draw() {
    const { options } = this.editor.song;
    for (const [name, { input, neutral, show }] of this.inputs) {
      if (input === document.activeElement && input.type === "number") continue;
      input.value = options[name] ?? neutral;
      show();
    }
  }
}
