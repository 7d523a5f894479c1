// Draws the piano roll: keys, bars, notes with lyrics, sung pitch, phones, the place that is heard.

import { CELLS } from "./curves.js";
import { parted } from "./lyrics.js";
import { secondsOf } from "./ruler.js";
import { barLines, beatsOf, isBlack, pitchName } from "./song.js";

const SVG = "http://www.w3.org/2000/svg";
export const RULER = 40;
export const KEYS = 46;
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
    this.row = 18; // pixels for a semitone
    this.loop = null; // [from, to] in beats
    this.cursor = 0; // beat
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
    this.ghosts = make("path", { class: "ghosts" });
    this.pen = make("path", { class: "pen" });
    this.stroke = make("path", { class: "pen stroke" });
    this.wipe = make("rect", { class: "wipe", y: 0, visibility: "hidden" });
    this.edge = make("line", { class: "edge", y1: 0, visibility: "hidden" });
    this.band = make("rect", { class: "band", visibility: "hidden" });
    this.head = make("line", { class: "head", y1: 0, visibility: "hidden" });
    this.sheet.append(this.paper, this.ghosts, this.notesLayer, this.over, this.pen, this.stroke, this.wipe, this.edge, this.band, this.head);
    this.loopBand = make("rect", { class: "loop-band", y: 0, height: 20, visibility: "hidden" });
    this.marks = layer("marks");
    this.phones = layer("phones");
    this.rulerHead = make("line", { class: "head", y1: 0, y2: RULER, visibility: "hidden" });
    this.ruler.append(this.loopBand, this.marks, this.phones, this.rulerHead);
    this.notes = new Map();
    this.drawn = "";
    this.inner.append(this.corner, this.ruler, this.keys, this.sheet, this.input);
    box.append(this.inner);
    this.held = false;
    box.addEventListener("pointerdown", () => { this.held = true; });
    for (const name of ["pointerup", "pointercancel"]) addEventListener(name, () => { this.held = false; });
  }

  get span() { return this.high - this.low + 1; }
  x(beat) { return beat * this.scale; }
  y(pitch) { return (this.high - pitch) * this.row; }
  beatAt(x) { return x / this.scale; }
  pitchAt(y) { return this.high - Math.floor(y / this.row); }

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
    const width = this.x(this.end), height = this.span * this.row;
    const key = JSON.stringify([width, this.low, this.high, this.row, this.scale, this.grid, song.bars, song.tempi]);
    if (this.drawn !== key) {
      this.drawn = key;
      this.inner.style.width = `${width + KEYS}px`;
      this.inner.style.height = "";
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
    this._drawn();
    this.showLoop(this.loop);
    this.place(this.played);
  }

  // The drawn pitch, and the notes of other tracks, where either has changed.
  _drawn() {
    const { song } = this.editor;
    const others = (song.others || []).filter((track) => !track.mute);
    const now = [song.curves.pitch, this.scale, this.row, this.high, ...others];
    if (this.penned && now.length === this.penned.length && now.every((value, i) => value === this.penned[i])) return;
    this.penned = now;
    this.pen.setAttribute("d", this._curve(song.curves.pitch || []));
    this.ghosts.setAttribute("d", others.flatMap((track) => track.notes).filter((note) => note.pitch).map((note) =>
      `M${this.x(note.at)} ${this.y(note.pitch) + this.row / 2}h${Math.max(this.x(note.beats) - 2, 2)}`).join(""));
  }

  _curve(runs) {
    return runs.map(([first, values]) => values.map((value, i) =>
      `${i ? "L" : "M"}${this.x((first + i) / CELLS).toFixed(1)} ${(this.y(value) + this.row / 2).toFixed(1)}`).join("")
      + (values.length === 1 ? "h0.1" : "")).join("");
  }

  // What is being drawn; or the span that is being erased or smoothed.
  showStroke(runs, span) {
    this.stroke.setAttribute("d", this._curve(runs));
    this.wipe.setAttribute("visibility", span ? "visible" : "hidden");
    if (!span) return;
    const values = { x: this.x(span[0]), width: Math.max(1, this.x(span[1] - span[0])), height: this.span * this.row };
    for (const [name, value] of Object.entries(values)) this.wipe.setAttribute(name, value);
  }

  hideStroke() { this.showStroke([], null); }

  // A boundary of phones while it is dragged.
  showEdge(x) {
    this.edge.setAttribute("visibility", x === null ? "hidden" : "visible");
    if (x === null) return;
    this.edge.setAttribute("x1", x);
    this.edge.setAttribute("x2", x);
    this.edge.setAttribute("y2", this.span * this.row);
  }

  showLoop(loop) {
    this.loopBand.setAttribute("visibility", loop ? "visible" : "hidden");
    if (!loop) return;
    this.loopBand.setAttribute("x", this.x(loop[0]));
    this.loopBand.setAttribute("width", Math.max(1, this.x(loop[1] - loop[0])));
  }

  _keys() {
    const items = [];
    for (let pitch = this.low; pitch <= this.high; pitch += 1) {
      const y = this.y(pitch);
      items.push(make("rect", {
        class: isBlack(pitch) ? "key black" : "key", x: 0, y, width: isBlack(pitch) ? KEYS * 0.62 : KEYS, height: this.row,
      }));
      if (pitch % 12 === 0) items.push(make("text", { class: "key-name", x: KEYS - 5, y: y + this.row - 5 }, pitchName(pitch)));
    }
    this.keys.replaceChildren(...items);
  }

  _paper(width, height) {
    const { song } = this.editor;
    const items = [], marks = [];
    for (let pitch = this.low; pitch <= this.high; pitch += 1) {
      if (isBlack(pitch)) items.push(make("rect", { class: "black-row", x: 0, y: this.y(pitch), width, height: this.row }));
      if (pitch % 12 === 0) items.push(make("line", { class: "octave", x1: 0, x2: width, y1: this.y(pitch) + this.row, y2: this.y(pitch) + this.row }));
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
    const { song } = this.editor;
    for (const note of song.notes) {
      left.delete(note.id);
      const key = JSON.stringify([note.at, note.beats, note.pitch, note.lyric, note.breath, note.vibrato, note.take, this.scale, this.high, this.row, song.lang]);
      let group = this.notes.get(note.id);
      if (!group) {
        group = make("g", { "data-id": note.id });
        group.append(make("rect", { class: "body", rx: 4 }), make("text", { class: "lyric" }), make("rect", { class: "handle" }),
          make("path", { class: "vib" }), make("circle", { class: "vib-handle", r: 5 }));
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
    const [body, text, handle, wave, knob] = group.children;
    const x = this.x(note.at), width = Math.max(this.x(note.beats) - 1, 3);
    const y = note.pitch ? this.y(note.pitch) : 0;
    const set = (item, values) => { for (const [k, v] of Object.entries(values)) item.setAttribute(k, v); };
    set(body, { x, y: y + 1, width, height: this.row - 2 });
    set(handle, { x: x + Math.max(width - 7, width / 2), y: y + 1, width: Math.min(9, width / 2 + 2), height: this.row - 2 });
    // Above the note, where the sung pitch does not cross it.
    set(text, note.pitch ? { x: x + 1, y: y - 3 } : { x: x + 4, y: y + this.row - 5 });
    const { lang } = this.editor.song, [plain, phones] = parted(note.lyric || "", lang);
    const shown = phones.length ? `${plain}[${phones.join(" ")}]` : plain;
    const lyric = note.pitch ? shown || (lang === "ja" ? "ー" : "–") : "breath";
    text.textContent = width < 7 ? "" : lyric + (note.breath ? " ʼ" : "") + (note.take ? " ⟳" : "");
    const { vibrato } = note;
    for (const item of [wave, knob]) item.toggleAttribute("hidden", !vibrato);
    if (!vibrato) return;
    // A wave as deep as it is sung; its handle sets where it begins (along) and how deep it is (down).
    const begin = x + this.x(note.beats) * vibrato.begin, middle = y + this.row / 2, deep = vibrato.depth / 100 * this.row;
    let d = `M${begin.toFixed(1)} ${middle}`;
    for (let at = begin; at <= x + width; at += 2) d += `L${at.toFixed(1)} ${(middle - deep * Math.sin((at - begin) / 5)).toFixed(1)}`;
    wave.setAttribute("d", d);
    set(knob, { cx: begin, cy: middle + deep });
  }

  // result: what /api/jobs/ID/result gave; song: what was sung, and its notes' ids; speed, transpose: how.
  show(result, song, ids, speed, transpose) {
    const beats = beatsOf(song);
    const at = (seconds) => beats(seconds * speed);
    this.sung = { result, ids, transpose, at, seconds: secondsOf(song, speed), end: at(result.seconds) };
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
    const key = `${this.scale} ${this.high} ${this.row} ${height}`;
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
      path += `${pen ? "L" : "M"}${x.toFixed(1)} ${(this.y(pitch) + this.row / 2).toFixed(1)}`;
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
    if (seconds !== null && this.sung) this.cursor = this.sung.at(seconds);
    const shown = this.cursor > 0 || (seconds !== null && this.sung);
    for (const line of [this.head, this.rulerHead]) line.setAttribute("visibility", shown ? "visible" : "hidden");
    if (!shown) return;
    const x = this.x(this.cursor);
    for (const line of [this.head, this.rulerHead]) { line.setAttribute("x1", x); line.setAttribute("x2", x); }
    return x;
  }

  // Keeps a place in sight while it is played, but moves nothing away from under a hand.
  follow(x) {
    if (this.held) return;
    const left = this.box.scrollLeft, width = this.box.clientWidth - KEYS;
    if (x < left || x > left + width - 40) this.box.scrollLeft = Math.max(0, x - width * 0.15);
  }

  reveal(note) {
    const x = this.x(note.at), to = this.x(note.at + note.beats), left = this.box.scrollLeft;
    const width = this.box.clientWidth - KEYS, height = this.box.clientHeight - RULER;
    if (x < left || to > left + width) this.box.scrollLeft = Math.max(0, Math.min(x - 30, x + (to - x) / 2 - width / 2));
    const y = note.pitch ? this.y(note.pitch) : 0, top = this.box.scrollTop;
    if (y < top || y + this.row > top + height) this.box.scrollTop = Math.max(0, y - height / 2);
  }

  // Scrolls to the song's beginning, with its pitches in the middle.
  centre() {
    const pitches = this.editor.sung().map((note) => note.pitch);
    const middle = pitches.length ? (Math.min(...pitches) + Math.max(...pitches)) / 2 : 64;
    this.box.scrollTop = Math.max(0, this.y(middle) - (this.box.clientHeight - RULER) / 2 + this.row / 2);
    const first = this.editor.song.notes[0];
    this.box.scrollLeft = first ? Math.max(0, this.x(first.at) - 0.4 * (this.box.clientWidth - KEYS)) : 0;
  }

  // About a place in the window's width, the middle if none is given.
  zoom(factor, place = (this.box.clientWidth - KEYS) / 2) {
    const beat = this.beatAt(this.box.scrollLeft + place);
    this.scale = Math.min(240, Math.max(8, this.scale * factor));
    this.draw();
    this.box.scrollLeft = this.x(beat) - place;
  }

  zoomHeight(factor, place = (this.box.clientHeight - RULER) / 2) {
    const pitch = (this.box.scrollTop + place) / this.row;
    this.row = Math.round(Math.min(40, Math.max(8, this.row * factor)));
    this.draw();
    this.box.scrollTop = pitch * this.row - place;
  }
}
