// Draws the piano roll: keys, bars, notes with lyrics, sung pitch, phones, the place that is heard.

import { barLines, beatsOf, isBlack, pitchName } from "./song.js";

const SVG = "http://www.w3.org/2000/svg";
export const ROW = 18;
const RULER = 40;
const KEYS = 46;
const MARGIN_BEATS = 8;

function make(tag, attributes = {}, text) {
  const item = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) item.setAttribute(name, value);
  if (text !== undefined) item.textContent = text;
  return item;
}

export class Roll {
  constructor(box, editor) {
    this.box = box;
    this.editor = editor;
    this.scale = 52; // pixels for a quarter note
    this.grid = 0.5;
    this.low = 43;
    this.high = 81;
    this.sung = null;
    this.played = null;
    box.innerHTML = "";
    this.inner = document.createElement("div");
    this.inner.className = "inner";
    this.corner = document.createElement("div");
    this.corner.className = "corner";
    this.ruler = make("svg", { class: "ruler", "aria-hidden": "true" });
    this.keys = make("svg", { class: "keys", "aria-hidden": "true" });
    this.sheet = make("svg", { class: "sheet", "aria-hidden": "true" });
    this.input = document.createElement("input");
    this.input.className = "lyric-input";
    this.input.hidden = true;
    this.input.maxLength = 100;
    this.input.autocomplete = "off";
    this.input.spellcheck = false;
    this.input.setAttribute("aria-label", "Lyric of the selected note");
    // Layers, from the back to the front; each is drawn anew only where it has changed.
    const layer = (name) => make("g", { class: name });
    this.paper = layer("paper");
    this.notesLayer = layer("notes");
    this.over = layer("over");
    this.band = make("rect", { class: "band", visibility: "hidden" });
    this.head = make("line", { class: "head", y1: 0, visibility: "hidden" });
    this.sheet.append(this.paper, this.notesLayer, this.over, this.band, this.head);
    this.marks = layer("marks");
    this.phones = layer("phones");
    this.rulerHead = make("line", { class: "head", y1: 0, y2: RULER, visibility: "hidden" });
    this.ruler.append(this.marks, this.phones, this.rulerHead);
    this.notes = new Map();
    this.drawn = "";
    this.inner.append(this.corner, this.ruler, this.keys, this.sheet, this.input);
    box.append(this.inner);
  }

  get span() { return this.high - this.low + 1; }
  x(beat) { return beat * this.scale; }
  y(pitch) { return (this.high - pitch) * ROW; }
  beatAt(x) { return x / this.scale; }
  pitchAt(y) { return this.high - Math.floor(y / ROW); }

  // The pitches shown: those of the song with an octave around them.
  fit() {
    const pitches = this.editor.sung().map((note) => note.pitch);
    const low = Math.min(...pitches, 57), high = Math.max(...pitches, 69);
    this.low = Math.max(24, Math.min(low - 9, 48));
    this.high = Math.min(108, Math.max(high + 9, 79));
  }

  draw() {
    const { song } = this.editor;
    const pitches = this.editor.sung().map((note) => note.pitch);
    if (pitches.length && (Math.min(...pitches) - 2 < this.low || Math.max(...pitches) + 2 > this.high)) {
      const from = this.y(60);
      this.fit();
      this.box.scrollTop += this.y(60) - from;
    }
    this.end = Math.max(song.length, this.sung ? this.sung.end : 0) + MARGIN_BEATS;
    this.end = Math.max(this.end, (this.box.clientWidth - KEYS) / this.scale);
    const width = this.x(this.end), height = this.span * ROW;
    const key = JSON.stringify([width, this.low, this.high, this.scale, this.grid, song.bars, song.tempi]);
    if (this.drawn !== key) {
      this.drawn = key;
      this.inner.style.width = `${width + KEYS}px`;
      this.inner.style.height = `${height + RULER}px`;
      for (const [svg, w, h] of [[this.ruler, width, RULER], [this.keys, KEYS, height], [this.sheet, width, height]]) {
        svg.setAttribute("width", w);
        svg.setAttribute("height", h);
      }
      this.head.setAttribute("y2", height);
      this._keys();
      this._paper(width, height);
    }
    this._notes();
    this._sungOnto(height);
    this.place(this.played);
  }

  _keys() {
    const items = [];
    for (let pitch = this.low; pitch <= this.high; pitch += 1) {
      const y = this.y(pitch);
      items.push(make("rect", {
        class: isBlack(pitch) ? "key black" : "key", x: 0, y, width: isBlack(pitch) ? KEYS * 0.62 : KEYS, height: ROW,
      }));
      if (pitch % 12 === 0) items.push(make("text", { class: "key-name", x: KEYS - 5, y: y + ROW - 5 }, pitchName(pitch)));
    }
    this.keys.replaceChildren(...items);
  }

  _paper(width, height) {
    const { song } = this.editor;
    const items = [], marks = [];
    for (let pitch = this.low; pitch <= this.high; pitch += 1) {
      if (isBlack(pitch)) items.push(make("rect", { class: "black-row", x: 0, y: this.y(pitch), width, height: ROW }));
      if (pitch % 12 === 0) items.push(make("line", { class: "octave", x1: 0, x2: width, y1: this.y(pitch) + ROW, y2: this.y(pitch) + ROW }));
    }
    const lines = barLines(song, this.end);
    let steps = "", beats = "", bars = "";
    const fine = this.grid * this.scale >= 9 ? this.grid : 1;
    lines.forEach(([at, number, , into], i) => {
      const stop = i + 1 < lines.length ? lines[i + 1][0] : this.end;
      const x = this.x(at);
      bars += `M${x} 0V${height}`;
      if (this.x(stop - at) > 22 || number % 4 === 1) marks.push(make("text", { class: "bar-number", x: x + 4, y: 14 }, number));
      marks.push(make("line", { class: "bar-line", x1: x, x2: x, y1: 0, y2: RULER }));
      for (let n = 1; at + n * fine < stop - 1e-3; n += 1) {
        const place = (n * fine + into) % 1;
        const line = `M${this.x(at + n * fine).toFixed(2)} 0V${height}`;
        if (place < 1e-3 || place > 1 - 1e-3) beats += line; else steps += line;
      }
    });
    items.push(make("path", { class: "step", d: steps }), make("path", { class: "beat", d: beats }), make("path", { class: "bar", d: bars }));
    song.tempi.forEach(([at, tempo], i) => {
      if (i) marks.push(make("text", { class: "tempo-mark", x: this.x(at) + 26, y: 14 }, `♩=${Math.round(tempo)}`));
    });
    this.paper.replaceChildren(...items);
    this.marks.replaceChildren(...marks);
  }

  _notes() {
    const left = new Set(this.notes.keys());
    for (const note of this.editor.song.notes) {
      left.delete(note.id);
      const key = JSON.stringify([note, this.scale, this.high]);
      let group = this.notes.get(note.id);
      if (!group) {
        group = make("g", { "data-id": note.id });
        group.append(make("rect", { class: "body", rx: 4 }), make("text", { class: "lyric" }), make("rect", { class: "handle" }));
        this.notes.set(note.id, group);
        this.notesLayer.append(group);
      }
      if (group.drawn !== key) {
        group.setAttribute("class", note.pitch ? "note" : "note breath");
        this.put(group, note);
        group.drawn = key;
      }
    }
    for (const id of left) {
      this.notes.get(id).remove();
      this.notes.delete(id);
    }
    this.mark();
  }

  // Shows which notes are selected, without drawing anything anew.
  mark() {
    for (const [id, group] of this.notes) group.classList.toggle("selected", this.editor.selected.has(id));
  }

  // Places a note's drawing; also while it is dragged.
  put(group, note) {
    group.drawn = "";
    const [body, text, handle] = group.children;
    const x = this.x(note.at), width = Math.max(this.x(note.beats) - 1, 3);
    const y = note.pitch ? this.y(note.pitch) : 0;
    const set = (item, values) => { for (const [k, v] of Object.entries(values)) item.setAttribute(k, v); };
    set(body, { x, y: y + 1, width, height: ROW - 2 });
    set(handle, { x: x + Math.max(width - 7, width / 2), y: y + 1, width: Math.min(9, width / 2 + 2), height: ROW - 2 });
    // Above the note, where the sung pitch does not cross it.
    set(text, note.pitch ? { x: x + 1, y: y - 3 } : { x: x + 4, y: y + ROW - 5 });
    const lyric = note.pitch ? note.lyric || (this.editor.song.lang === "ja" ? "ー" : "–") : "breath";
    text.textContent = width < 7 ? "" : lyric + (note.breath ? " ʼ" : "");
  }

  // result: what /api/jobs/ID/result gave; song: what was sung; speed, transpose: how.
  show(result, song, speed, transpose) {
    const beats = beatsOf(song);
    const at = (seconds) => beats(seconds * speed);
    this.sung = { result, transpose, at, end: at(result.seconds) };
    this.draw();
  }

  hide() {
    this.sung = this.played = null;
    this.over.replaceChildren();
    this.phones.replaceChildren();
    this.draw();
  }

  // What was sung, drawn once for each scale: the curve of a song has thousands of points.
  _sungOnto(height) {
    if (!this.sung) return;
    const key = `${this.scale} ${this.high} ${height}`;
    if (this.sung.key === key) return;
    this.sung.key = key;
    const { over, labels } = this._sungItems(height);
    this.over.replaceChildren(...over);
    this.phones.replaceChildren(...labels);
  }

  _sungItems(height) {
    const { result, transpose, at } = this.sung;
    let path = "", pen = false, lastX = -9;
    result.f0.forEach((hertz, i) => {
      if (hertz <= 0) { pen = false; return; }
      const x = this.x(at(i * result.frame_shift));
      if (pen && x - lastX < 0.7) return;
      const pitch = 69 + 12 * Math.log2(hertz / 440) - transpose;
      path += `${pen ? "L" : "M"}${x.toFixed(1)} ${(this.y(pitch) + ROW / 2).toFixed(1)}`;
      pen = true;
      lastX = x;
    });
    const labels = [];
    let edges = "", ticks = "", free = -1;
    for (const [symbol, start, end] of result.phones) {
      const x = this.x(at(start)), to = this.x(at(end));
      ticks += `M${x.toFixed(1)} 22V${RULER}`;
      if (symbol === "pau") continue;
      edges += `M${x.toFixed(1)} 0V${height}`;
      // A consonant too short for its name has it before its end, where the vowel before has room.
      const need = 2 + 6 * symbol.length;
      const from = to - x > need ? (x + to - need) / 2 : to - need;
      if (from >= free) {
        labels.push(make("text", { class: "phone", x: from + 1, y: 34 }, symbol));
        free = from + need;
      }
    }
    return {
      over: [
        make("path", { class: "phone-edge", d: edges }),
        make("path", { class: "f0-back", d: path }), make("path", { class: "f0", d: path }),
      ],
      labels: [make("path", { class: "phone-tick", d: ticks }), ...labels],
    };
  }

  // The place that is heard, in seconds of the sound; null for none.
  place(seconds) {
    this.played = seconds;
    const shown = seconds !== null && this.sung;
    for (const line of [this.head, this.rulerHead]) line.setAttribute("visibility", shown ? "visible" : "hidden");
    if (!shown) return;
    const x = this.x(this.sung.at(seconds));
    for (const line of [this.head, this.rulerHead]) { line.setAttribute("x1", x); line.setAttribute("x2", x); }
    return x;
  }

  // Keeps a place in sight while it is played.
  follow(x) {
    const left = this.box.scrollLeft, width = this.box.clientWidth - KEYS;
    if (x < left || x > left + width - 40) this.box.scrollLeft = Math.max(0, x - width * 0.15);
  }

  reveal(note) {
    const x = this.x(note.at), to = this.x(note.at + note.beats), left = this.box.scrollLeft;
    const width = this.box.clientWidth - KEYS, height = this.box.clientHeight - RULER;
    if (x < left || to > left + width) this.box.scrollLeft = Math.max(0, Math.min(x - 30, x + (to - x) / 2 - width / 2));
    const y = note.pitch ? this.y(note.pitch) : 0, top = this.box.scrollTop;
    if (y < top || y + ROW > top + height) this.box.scrollTop = Math.max(0, y - height / 2);
  }

  // Scrolls to the song's beginning, with its pitches in the middle.
  centre() {
    const pitches = this.editor.sung().map((note) => note.pitch);
    const middle = pitches.length ? (Math.min(...pitches) + Math.max(...pitches)) / 2 : 64;
    this.box.scrollTop = Math.max(0, this.y(middle) - (this.box.clientHeight - RULER) / 2 + ROW / 2);
    const first = this.editor.song.notes[0];
    this.box.scrollLeft = first ? Math.max(0, this.x(first.at) - 0.4 * (this.box.clientWidth - KEYS)) : 0;
  }

  zoom(factor) {
    const middle = this.beatAt(this.box.scrollLeft + (this.box.clientWidth - KEYS) / 2);
    this.scale = Math.min(240, Math.max(8, this.scale * factor));
    this.draw();
    this.box.scrollLeft = this.x(middle) - (this.box.clientWidth - KEYS) / 2;
  }
}
