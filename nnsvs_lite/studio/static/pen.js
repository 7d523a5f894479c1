// Drawing, erasing and smoothing the pitch on the roll, and the handles of a note's vibrato.

import { CELLS, drawn, erased, smoothed } from "./curves.js";

export const TOOLS = ["notes", "draw", "erase", "smooth"];
const DEEPEST = 200;

export class Pen {
  constructor(roll, editor) {
    Object.assign(this, { roll, editor, tool: "notes", stroke: null, vibrato: null });
  }

  choose(tool) {
    this.tool = tool;
    this.roll.sheet.classList.toggle("drawing", tool !== "notes");
    for (const button of document.querySelectorAll("#tools [data-tool]")) {
      const on = button.dataset.tool === tool;
      button.setAttribute("aria-checked", on);
      button.tabIndex = on ? 0 : -1;
    }
  }

  // Each says whether it is its business.
  down(event, { x, y }) {
    const { editor } = this;
    const knob = event.target.closest(".vib-handle");
    if (knob && this.tool === "notes") {
      const note = editor.note(Number(knob.closest(".note").dataset.id));
      this.vibrato = { note, x, y, now: { ...note.vibrato } };
      return true;
    }
    if (this.tool === "notes") return false;
    this.stroke = [this._point(x, y)];
    this._show();
    return true;
  }

  move({ x, y }) {
    const { vibrato, roll } = this;
    if (vibrato) {
      const { note } = vibrato;
      const begin = note.vibrato.begin + (x - vibrato.x) / roll.x(note.beats);
      const depth = note.vibrato.depth + (y - vibrato.y) * 200 / roll.row / 2;
      vibrato.now = {
        ...note.vibrato, begin: Math.round(100 * Math.min(0.95, Math.max(0, begin))) / 100,
        depth: Math.round(Math.min(DEEPEST, Math.max(0, depth))),
      };
      roll.put(roll.notes.get(note.id), { ...note, vibrato: vibrato.now });
    } else if (this.stroke) {
      this.stroke.push(this._point(x, y));
      this._show();
    } else return false;
    return true;
  }

  up() {
    const { vibrato, stroke, editor } = this;
    this.vibrato = this.stroke = null;
    if (vibrato) {
      editor.edit((song) => { song.notes.find((n) => n.id === vibrato.note.id).vibrato = vibrato.now; });
    } else if (stroke) {
      this.roll.hideStroke();
      editor.setCurve("pitch", this._result(stroke));
    } else return false;
    return true;
  }

  drop() {
    this.vibrato = this.stroke = null;
    this.roll.hideStroke();
  }

  _point(x, y) {
    const { roll } = this;
    const value = roll.high + 0.5 - y / roll.row;
    return { beat: Math.max(0, roll.beatAt(x)), value: Math.min(108, Math.max(24, value)) };
  }

  _result(stroke) {
    const runs = this.editor.song.curves.pitch || [];
    const [from, to] = span(stroke);
    if (this.tool === "draw") return drawn(runs, stroke);
    if (this.tool === "erase") return erased(runs, from, to);
    return smoothed(runs, from, to, this.own());
  }

  _show() {
    const runs = this.tool === "draw" ? drawn([], this.stroke) : [];
    this.roll.showStroke(runs, this.tool === "draw" ? null : span(this.stroke));
  }

  // The sung pitch by cell; undefined where nothing voiced was sung.
  own() {
    const { sung } = this.roll;
    if (!sung) return () => undefined;
    const { result, transpose, seconds } = sung;
    return (cell) => {
      const hertz = result.f0[Math.round(seconds(cell / CELLS) / result.frame_shift)];
      return hertz > 0 ? 69 + 12 * Math.log2(hertz / 440) - transpose : undefined;
    };
  }

  // Of the chosen notes, from the keyboard.
  overNotes(change) {
    const { editor } = this;
    let runs = editor.song.curves.pitch || [];
    for (const { at, beats } of editor.chosen()) {
      const to = at + beats - 1 / CELLS;
      runs = change === "erase" ? erased(runs, at, to) : smoothed(runs, at, to, this.own());
    }
    if (editor.selected.size) editor.setCurve("pitch", runs);
  }
}

const span = (stroke) => {
  const beats = stroke.map((point) => point.beat);
  return [Math.min(...beats), Math.max(...beats)];
};

