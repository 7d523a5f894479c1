// A lane under the notes: how much louder, breathier, tenser or brighter than the voice would sing by itself.

import { CELLS, cellAt, drawn, filled } from "./curves.js";

const HEIGHT = 76;
const SVG = "http://www.w3.org/2000/svg";
const make = (tag, values) => {
  const item = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(values)) item.setAttribute(name, value);
  return item;
};

export class Lane {
  constructor(roll, editor) {
    Object.assign(this, { roll, editor, rows: [], row: null, stroke: null });
    this.svg = make("svg", { class: "lane", height: HEIGHT, "aria-hidden": "true" });
    this.name = document.createElement("div");
    this.name.className = "lane-name";
    this.svg.toggleAttribute("hidden", true);
    this.name.hidden = true;
    this.back = make("path", { class: "lane-zero" });
    this.path = make("path", { class: "lane-line" });
    this.svg.append(this.back, this.path);
    roll.inner.append(this.name, this.svg);
    this.svg.addEventListener("pointerdown", (event) => this.down(event));
    // The right button erases.
    this.svg.addEventListener("contextmenu", (event) => event.preventDefault());
    this.svg.addEventListener("pointermove", (event) => { if (this.stroke) this._add(event); });
    this.svg.addEventListener("pointerup", () => this.up());
    this.svg.addEventListener("pointercancel", () => { this.stroke = null; this.draw(); });
  }

  // Those of another voice, as /api/voice gives them.
  take(rows) {
    this.rows = rows;
    this.choose(this.row?.name);
  }

  choose(name) {
    this.row = this.rows.find((row) => row.name === name) || null;
    this.svg.toggleAttribute("hidden", !this.row);
    this.name.hidden = !this.row;
    this.roll.box.classList.toggle("with-lane", !!this.row);
    if (this.row) {
      const { label, unit, most, still } = this.row;
      this.name.textContent = still ? "no effect" : label;
      this.name.title = still || `${label}, ${unit}, from ${-most} to ${most}; right button or Alt erases`;
    }
    this.draw();
  }

  draw(runs = this.row ? this.editor.song.curves[this.row.name] || [] : []) {
    if (!this.row) return;
    const { roll } = this;
    const width = roll.x(roll.end);
    this.svg.setAttribute("width", width);
    this.back.setAttribute("d", `M0 ${HEIGHT / 2}H${width}`);
    let path = "";
    for (const [first, values] of runs) {
      path += `M${roll.x(first / CELLS).toFixed(1)} ${HEIGHT / 2}`;
      values.forEach((value, i) => { path += `L${roll.x((first + i) / CELLS).toFixed(1)} ${this._y(value).toFixed(1)}`; });
      path += `L${roll.x((first + values.length - 1) / CELLS).toFixed(1)} ${HEIGHT / 2}Z`;
    }
    this.path.setAttribute("d", path);
    this.svg.classList.toggle("still", !!this.row.still);
  }

  _y(value) { return HEIGHT / 2 - value / this.row.most * (HEIGHT / 2 - 3); }

  down(event) {
    if (this.row.still || event.button > 2) return;
    this.stroke = [];
    this.zero = event.altKey || event.button === 2;
    this.svg.setPointerCapture(event.pointerId);
    event.preventDefault();
    this._add(event);
  }

  _add(event) {
    const box = this.svg.getBoundingClientRect();
    const { most } = this.row;
    const raw = (HEIGHT / 2 - (event.clientY - box.top)) / (HEIGHT / 2 - 3) * most;
    const value = this.zero ? 0 : Math.round(10 * Math.max(-most, Math.min(most, raw))) / 10;
    this.stroke.push({ beat: Math.max(0, this.roll.beatAt(event.clientX - box.left)), value });
    this.draw(this._result());
  }

  _result() {
    return drawn(this.editor.song.curves[this.row.name] || [], this.stroke);
  }

  up() {
    const { stroke } = this;
    if (!stroke) return;
    const runs = this._result();
    this.stroke = null;
    // Zeros say nothing.
    this.editor.setCurve(this.row.name, runs.flatMap(([first, values]) => parts(first, values)));
  }
}

function parts(first, values) {
  const out = [];
  values.forEach((value, i) => {
    if (!value && !values[i - 1] && !values[i + 1]) return;
    const last = out[out.length - 1];
    if (last && last[0] + last[1].length === first + i) last[1].push(value);
    else out.push([first + i, [value]]);
  });
  return out;
}

// One value over the chosen notes, from the keyboard.
export function setOverNotes(editor, name, value) {
  let runs = editor.song.curves[name] || [];
  for (const { at, beats } of editor.chosen()) runs = filled(runs, at, at + beats - 1 / CELLS, value);
  editor.setCurve(name, runs);
}

// The value at a note's middle.
export function valueAt(editor, name, note) {
  const cell = cellAt(note.at + note.beats / 2);
  const run = (editor.song.curves[name] || []).find(([first, values]) => cell >= first && cell < first + values.length);
  return run ? run[1][cell - run[0]] : 0;
}
