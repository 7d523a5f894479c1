// Mouse, touch and keys on the piano roll.

import { moved } from "./curves.js";
import { HIGH, LOW, pitchName } from "./song.js";

export class Hands {
  // newLyric(): of a note that is added; say(text): a message; sing(), play(): of the page.
  // pen: of the pitch, which gets the mouse first; heard(pitch): sounds a note that is touched.
  constructor(roll, editor, { newLyric, say, sing, play, pen, heard }) {
    Object.assign(this, { roll, editor, newLyric, say, sing, play, pen, heard });
    this.drag = null;
    const { box, sheet, input } = roll;
    sheet.addEventListener("pointerdown", (event) => this.down(event));
    sheet.addEventListener("pointermove", (event) => this.move(event));
    sheet.addEventListener("pointerup", (event) => this.up(event));
    sheet.addEventListener("pointercancel", () => this.drop());
    // A finger that drags a note must not scroll as well.
    sheet.addEventListener("touchstart", (event) => { if (this.drag) event.preventDefault(); }, { passive: false });
    // The page has given the focus where it belongs already.
    sheet.addEventListener("mousedown", (event) => event.preventDefault());
    box.addEventListener("keydown", (event) => this.key(event));
    input.addEventListener("keydown", (event) => this.lyricKey(event));
    input.addEventListener("blur", () => this.finishLyric());
  }

  point(event) {
    const box = this.roll.sheet.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  snap(beat) { return Math.round(beat / this.roll.grid) * this.roll.grid; }
  snapDown(beat) { return Math.max(0, Math.floor(beat / this.roll.grid + 1e-6) * this.roll.grid); }

  down(event) {
    if (event.button !== 0) return;
    const { roll, editor } = this;
    const { x, y } = this.point(event);
    if (this.pen.down(event, { x, y })) {
      roll.box.focus({ preventScroll: true });
      roll.sheet.setPointerCapture(event.pointerId);
      event.preventDefault();
      return;
    }
    const group = event.target.closest(".note");
    // Counted here, since a browser sees no double click on what is drawn anew between the two.
    const last = this.tapped;
    this.tapped = { x, y, time: event.timeStamp };
    this.twice = last && event.timeStamp - last.time < 450 && Math.hypot(x - last.x, y - last.y) < 8;
    roll.box.focus({ preventScroll: true });
    if (group) {
      const id = Number(group.dataset.id);
      const fresh = !editor.selected.has(id);
      if (event.shiftKey || event.ctrlKey || event.metaKey) {
        const ids = new Set(editor.selected);
        if (fresh) ids.add(id); else ids.delete(id);
        editor.select(ids);
        return;
      }
      const handle = event.target.classList.contains("handle");
      if (fresh) editor.select([id]);
      this.heard(editor.note(id).pitch);
      // The first touch selects, so that a finger can scroll over notes.
      if (event.pointerType === "touch" && fresh) return;
      this.drag = { kind: handle ? "resize" : "move", id, x, y, moved: false };
    } else if (event.pointerType === "touch") {
      editor.select([]);
      return;
    } else {
      this.drag = { kind: event.shiftKey ? "band" : "draw", x, y, moved: false };
    }
    roll.sheet.setPointerCapture(event.pointerId);
    event.preventDefault();
  }

  move(event) {
    const { drag, roll, editor } = this;
    const { x, y } = this.point(event);
    if (this.pen.move({ x, y }) || !drag) return;
    if (!drag.moved && Math.hypot(x - drag.x, y - drag.y) < 4) return;
    drag.moved = true;
    if (drag.kind === "move" || drag.kind === "resize") {
      const main = editor.note(drag.id);
      const beats = (x - drag.x) / roll.scale;
      const earliest = Math.min(...editor.chosen().map((n) => n.at));
      if (drag.kind === "move") {
        drag.beats = event.altKey ? beats : this.snap(main.at + beats) - main.at;
        if (Math.abs(x - drag.x) < 5) drag.beats = 0;
        drag.beats = Math.max(drag.beats, -earliest);
        const pitch = roll.pitchAt(y) - roll.pitchAt(drag.y);
        if (drag.pitch !== undefined && pitch !== drag.pitch && main.pitch) this.heard(main.pitch + pitch);
        drag.pitch = pitch;
        drag.longer = 0;
      } else {
        const end = event.altKey ? main.at + main.beats + beats : this.snap(main.at + main.beats + beats);
        const least = Math.min(roll.grid, main.beats);
        drag.longer = Math.max(end - main.at, least) - main.beats;
        drag.beats = drag.pitch = 0;
      }
      for (const note of editor.chosen()) {
        const shown = { ...note, at: note.at + drag.beats, beats: Math.max(note.beats + drag.longer, 1 / 64) };
        if (note.pitch) shown.pitch = Math.min(HIGH, Math.max(LOW, note.pitch + drag.pitch));
        roll.put(roll.notes.get(note.id), shown);
      }
      return;
    }
    const left = Math.min(x, drag.x), top = Math.min(y, drag.y);
    const band = drag.kind === "band"
      ? { x: left, y: top, width: Math.abs(x - drag.x), height: Math.abs(y - drag.y) }
      : this._drawn(drag.x, x, drag.y);
    roll.band.setAttribute("visibility", "visible");
    for (const name of ["x", "y", "width", "height"]) roll.band.setAttribute(name, band[name]);
  }

  // The note that is being drawn, as a rectangle and as a note.
  _drawn(from, to, y) {
    const { roll } = this;
    const start = this.snapDown(roll.beatAt(Math.min(from, to)));
    const end = Math.max(this.snap(roll.beatAt(Math.max(from, to))), start + roll.grid);
    const pitch = roll.pitchAt(y);
    return { start, beats: end - start, pitch, x: roll.x(start), y: roll.y(pitch), width: roll.x(end - start), height: roll.row };
  }

  up(event) {
    if (this.pen.up()) return;
    const { drag, roll, editor } = this;
    const { x, y } = this.point(event);
    this.drag = null;
    roll.band.setAttribute("visibility", "hidden");
    if (this.twice && !drag?.moved) {
      this.twice = this.tapped = null;
      this.double(event);
      return;
    }
    if (!drag) return;
    if (drag.kind === "move" || drag.kind === "resize") {
      if (!drag.moved) {
        editor.select([drag.id]);
      } else if (drag.beats || drag.pitch || Math.abs(drag.longer) > 1e-6) {
        if (!editor.shift(drag.beats, drag.pitch, drag.longer)) this.refuse();
      } else roll.draw();
    } else if (drag.kind === "draw") {
      if (!drag.moved || Math.abs(x - drag.x) < 6) editor.select([]);
      else {
        const note = this._drawn(drag.x, x, drag.y);
        this.add(note.start, note.beats, note.pitch);
      }
    } else if (drag.moved) {
      const [a, b] = [Math.min(x, drag.x), Math.max(x, drag.x)].map((v) => roll.beatAt(v));
      const [high, low] = [Math.min(y, drag.y), Math.max(y, drag.y)].map((v) => roll.pitchAt(v));
      editor.select(editor.song.notes
        .filter((n) => n.at < b && n.at + n.beats > a && n.pitch >= low && n.pitch <= high).map((n) => n.id));
    }
  }

  drop() {
    this.pen.drop();
    if (!this.drag) return;
    this.drag = null;
    this.roll.draw();
  }

  double(event) {
    // Not the event's target: that is the sheet while it holds the pointer.
    const group = document.elementFromPoint(event.clientX, event.clientY)?.closest(".note");
    if (group) {
      this.editor.select([Number(group.dataset.id)]);
      this.typeLyric();
      return;
    }
    const { x, y } = this.point(event);
    this.add(this.snapDown(this.roll.beatAt(x)), Math.max(1, this.roll.grid), this.roll.pitchAt(y));
  }

  add(at, beats, pitch) {
    if (this.editor.add(at, beats, pitch, this.newLyric()) === null) this.say("A note begins there already.");
    else this.heard(pitch);
  }

  // A note after the selected one, or after the last; like it in pitch and length.
  addAfter() {
    const { editor, roll } = this;
    const notes = editor.song.notes;
    const chosen = editor.chosen().filter((n) => n.pitch);
    const model = chosen[chosen.length - 1] || editor.sung().pop();
    if (!model) return this.add(0, Math.max(1, roll.grid), 60);
    let at = model.at + model.beats;
    // Where the next note follows at once, room is made: what comes after moves on.
    const next = notes.find((n) => n.at >= at - 1e-4);
    if (next && next.at - at < model.beats - 1e-4) {
      const by = model.beats - (next.at - at);
      editor.edit((song) => {
        const later = song.notes.filter((note) => note.at >= at - 1e-4);
        song.curves.pitch = moved(song.curves.pitch, later.map((note) => [note.at, note.at + note.beats, by]));
        for (const note of later) note.at += by;
        song.notes.push({ id: editor.nextId, at, beats: model.beats, pitch: model.pitch, lyric: this.newLyric() });
      });
      editor.select([editor.nextId++]);
    } else this.add(at, model.beats, model.pitch);
    const added = editor.chosen()[0];
    if (added) roll.reveal(added);
  }

  refuse() {
    this.say("Notes would stand on top of each other, or out of range.");
    this.roll.draw();
  }

  neighbour(step) {
    const notes = this.editor.song.notes;
    if (!notes.length) return null;
    const chosen = this.editor.chosen();
    if (!chosen.length) return step > 0 ? notes[0] : notes[notes.length - 1];
    const from = notes.indexOf(step > 0 ? chosen[chosen.length - 1] : chosen[0]);
    return notes[Math.min(notes.length - 1, Math.max(0, from + step))];
  }

  go(note) {
    if (!note) return;
    this.editor.select([note.id]);
    this.roll.reveal(note);
  }

  key(event) {
    if (event.target === this.roll.input) return;
    const { editor, roll } = this;
    const control = event.ctrlKey || event.metaKey;
    const change = (beats, pitch, longer) => {
      if (editor.selected.size && !editor.shift(beats, pitch, longer)) this.refuse();
      const first = editor.chosen()[0];
      if (first) roll.reveal(first);
      if (first && pitch) this.heard(first.pitch);
    };
    const letter = event.key.length === 1 && event.key !== " " && !control && !event.altKey;
    const actions = {
      ArrowLeft: () => (event.altKey ? change(-roll.grid, 0, 0) : event.shiftKey ? change(0, 0, -roll.grid) : this.go(this.neighbour(-1))),
      ArrowRight: () => (event.altKey ? change(roll.grid, 0, 0) : event.shiftKey ? change(0, 0, roll.grid) : this.go(this.neighbour(1))),
      ArrowUp: () => change(0, event.shiftKey ? 12 : 1, 0),
      ArrowDown: () => change(0, event.shiftKey ? -12 : -1, 0),
      Delete: () => editor.remove(),
      Backspace: () => editor.remove(),
      Home: () => this.go(editor.song.notes[0]),
      End: () => this.go(editor.song.notes[editor.song.notes.length - 1]),
      Escape: () => editor.select([]),
      Enter: () => (event.shiftKey ? this.addAfter() : this.typeLyric()),
      F2: () => this.typeLyric(),
      " ": () => this.play(),
    };
    if (control && event.key.toLowerCase() === "a") editor.select(editor.song.notes.map((n) => n.id));
    else if (!control && actions[event.key]) actions[event.key]();
    // An input method announces itself by this key code; what it writes goes to the field.
    else if ((letter || event.keyCode === 229) && editor.selected.size) {
      this.typeLyric();
      return;
    } else return;
    event.preventDefault();
  }

  // Opens the field for the lyric of the first selected note.
  typeLyric() {
    const { editor, roll } = this;
    const note = editor.chosen().find((n) => n.pitch);
    if (!note) return;
    roll.reveal(note);
    this.typing = note.id;
    const { input } = roll;
    input.hidden = false;
    input.style.left = `${roll.x(note.at) + 46}px`;
    input.style.top = `${roll.y(note.pitch) + 40 - 5 + (roll.row - 18) / 2}px`;
    input.style.width = `${Math.max(roll.x(note.beats), 64)}px`;
    input.value = note.lyric;
    input.focus({ preventScroll: true });
    input.select();
  }

  finishLyric(keep = true) {
    const { input } = this.roll;
    if (input.hidden) return;
    const id = this.typing;
    input.hidden = true;
    if (keep && this.editor.note(id)) this.editor.setLyric(id, input.value.trim());
  }

  lyricKey(event) {
    event.stopPropagation();
    if (event.isComposing || event.keyCode === 229) return;
    const { editor } = this;
    if (event.key === "Tab") {
      event.preventDefault();
      const from = this.typing;
      this.finishLyric();
      const sung = editor.sung();
      const next = sung[sung.findIndex((n) => n.id === from) + (event.shiftKey ? -1 : 1)];
      if (next) {
        editor.select([next.id]);
        this.typeLyric();
      } else this.roll.box.focus();
    } else if (event.key === "Enter" || event.key === "Escape") {
      event.preventDefault();
      this.finishLyric(event.key === "Enter");
      this.roll.box.focus();
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.sing();
    }
  }
}

export function describe(note, place) {
  const beats = Math.round(note.beats * 1000) / 1000;
  const length = `${beats} ${beats === 1 ? "beat" : "beats"}`;
  const where = `bar ${place.bar}, beat ${place.beat}`;
  if (!note.pitch) return `Breath at ${where}, ${length}`;
  return `${pitchName(note.pitch)} “${note.lyric || "held on"}” at ${where}, ${length}`;
}
