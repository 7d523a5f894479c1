// The ruler: a click is where it is played from, a drag marks a loop; marks between phones are dragged.

import { secondsAt } from "./song.js";

const NEAR = 6;
const PHONES_FROM = 22;

export class Ruler {
  // seek(beat), looped(): of the player.
  constructor(roll, editor, { seek, looped }) {
    Object.assign(this, { roll, editor, seek, looped, drag: null });
    const { ruler } = roll;
    ruler.addEventListener("pointerdown", (event) => this.down(event));
    ruler.addEventListener("pointermove", (event) => this.move(event));
    ruler.addEventListener("pointerup", (event) => this.up(event));
    ruler.addEventListener("pointercancel", () => { this.drag = null; roll.draw(); });
  }

  _point(event) {
    const box = this.roll.ruler.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  // The phone whose beginning is near; only phones of notes can be moved.
  _near({ x, y }) {
    const { sung } = this.roll;
    if (!sung || y < PHONES_FROM) return null;
    let found = null, distance = NEAR;
    sung.result.phones.forEach(([, start], i) => {
      const away = Math.abs(this.roll.x(sung.at(start)) - x);
      if (sung.result.owners[i] >= 0 && away < distance) { found = i; distance = away; }
    });
    return found;
  }

  down(event) {
    if (event.button !== 0) return;
    const point = this._point(event);
    const phone = this._near(point);
    this.drag = { ...point, phone, moved: false };
    this.roll.ruler.setPointerCapture(event.pointerId);
    event.preventDefault();
  }

  move(event) {
    const { drag, roll } = this;
    const point = this._point(event);
    if (!drag) {
      roll.ruler.classList.toggle("on-phone", this._near(point) !== null);
      return;
    }
    if (Math.abs(point.x - drag.x) > 3) drag.moved = true;
    if (!drag.moved) return;
    if (drag.phone !== null) roll.showEdge(point.x);
    else roll.showLoop([drag.x, point.x].map((x) => this._snap(x)).sort((a, b) => a - b));
  }

  up(event) {
    const { drag, roll, editor } = this;
    this.drag = null;
    if (!drag) return;
    const { x } = this._point(event);
    roll.showEdge(null);
    if (drag.phone !== null && drag.moved) {
      const { result, ids, seconds } = roll.sung;
      setStart(editor, result, ids, drag.phone, seconds(roll.beatAt(x)), seconds);
    } else if (drag.moved) {
      const loop = [drag.x, x].map((at) => this._snap(at)).sort((a, b) => a - b);
      roll.loop = loop[1] > loop[0] ? loop : null;
      roll.showLoop(roll.loop);
      this.looped();
    } else this.seek(Math.max(0, roll.beatAt(x)));
  }

  _snap(x) { return Math.max(0, Math.round(this.roll.beatAt(x) / this.roll.grid) * this.roll.grid); }
}

// The number of a phone among those of its note.
export function inNote(result, phone) {
  let first = phone;
  while (first > 0 && result.owners[first - 1] === result.owners[phone]) first -= 1;
  return phone - first;
}

// Sets where a phone begins; `time` in seconds of what is sung.
export function setStart(editor, result, ids, phone, time, seconds) {
  const id = ids[result.owners[phone]], number = inNote(result, phone);
  return editor.edit((song) => {
    const note = song.notes.find((n) => n.id === id);
    if (!note) return false;
    const start = Math.round((time - seconds(note.at)) * 1e4) / 1e4;
    note.starts = [...(note.starts || []).filter(([k]) => k !== number), [number, start]].sort((a, b) => a[0] - b[0]);
    return true;
  });
}

// From beats to seconds of what was sung `speed` times as fast.
export const secondsOf = (song, speed) => (beat) => secondsAt(song, beat) / speed;
