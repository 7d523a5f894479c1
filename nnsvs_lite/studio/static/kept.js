// Songs that this browser keeps, each under a name of its own. A tab holds a lock on its song's name, so that
// no other tab, a copy of this one included, writes to it. Nothing is removed unless it is asked for.

export class Kept {
  // prefix: what the names of all kept songs begin with. A tab goes on with its own song.
  constructor(prefix) {
    this.prefix = `${prefix} `;
    this.id = null;
    this.left = new Map(); // of names that this tab gave free, what was kept under them then
    this.release = () => {};
  }

  // From here on the tab's song is the one that is kept under a name; a new one where that is another tab's,
  // or another tab has written to it since this one left it.
  // The name, which is null until it is known, and where another song has come meanwhile.
  async begin(id = null) {
    const turn = this.turn = {};
    if (this.id) this.left.set(this.id, this._stored(this.id));
    this.release();
    this.release = () => {};
    this.id = null;
    let held = id && await this._hold(id);
    if (held && this.left.has(id) && ![null, this.left.get(id)].includes(this._stored(id))) {
      held();
      held = null;
    }
    if (this.turn === turn) {
      this.id = held ? id : fresh();
      put(sessionStorage, `${this.prefix}id`, this.id);
      held = held || await this._hold(this.id);
    }
    if (this.turn === turn) this.release = held;
    else held?.();
    return this.turn === turn ? this.id : null;
  }

  // As before a reload.
  resume() { return this.begin(sessionStorage.getItem(`${this.prefix}id`)); }

  // What gives a name free again; null where another tab has it.
  _hold(id) {
    // Old browsers have no locks; ids differ there, unless a tab is copied.
    if (!navigator.locks) return Promise.resolve(() => {});
    return new Promise((told) => {
      navigator.locks.request(this.prefix + id, { ifAvailable: true }, (lock) => {
        if (lock) return new Promise((release) => told(release));
        told(null);
        return undefined;
      });
    });
  }

  // Keeps the tab's song for a reload and, where it was edited, for later too. False where there is no room.
  save(song, edited) {
    const text = JSON.stringify(song);
    const reload = put(sessionStorage, `${this.prefix}song`, text);
    if (!edited || !this.id) return reload;
    return put(localStorage, this.prefix + this.id, `{"saved":${Date.now()},"song":${text}}`) && reload;
  }

  // The tab's own song, else the one that was kept last of those that are wanted.
  last(wanted) {
    const own = read(sessionStorage.getItem(`${this.prefix}song`));
    // Where there was no room for it in the one place, it may be newer in the other.
    return own || this.all().find(({ song }) => wanted(song))?.song;
  }

  // What is kept under a name is what the tab goes on with, whoever wrote it.
  take(id) { this.left.delete(id); }

  has(id) { return this._stored(id) !== null; }

  _stored(id) { return localStorage.getItem(this.prefix + id); }

  remove(id) { localStorage.removeItem(this.prefix + id); }

  // [{id, saved, song}] that can be read, the latest first.
  all() {
    const keys = Object.keys(localStorage).filter((key) => key.startsWith(this.prefix));
    return keys.map((key) => {
      const { saved, song } = parse(localStorage.getItem(key)) || {};
      return { id: key.slice(this.prefix.length), saved, song: isSong(song) ? song : null };
    }).filter(({ song }) => song).sort((a, b) => b.saved - a.saved);
  }
}

const fresh = () => crypto.getRandomValues(new Uint32Array(2)).join("");

function put(storage, key, text) {
  try { storage.setItem(key, text); } catch { return false; }
  return true;
}

function parse(text) {
  try { return JSON.parse(text); } catch { return null; }
}

function isSong(song) {
  const whole = song && ["notes", "tempi", "bars", "keys"].every((name) => Array.isArray(song[name]));
  return whole && song.tempi.length > 0 && song.bars.length > 0 && song.keys.length > 0;
}

// A song, or null where the text is none of ours.
function read(text) {
  const song = parse(text);
  return isSong(song) ? song : null;
}

// --- projects: one file with all that is kept of a song

const FORMAT = "nnsvs_lite studio project";

export function projectText(song) {
  return `${JSON.stringify({ format: FORMAT, version: 1, voice: song.voice.name, song }, null, 1)}\n`;
}

// A project's song, and the voice that it was made with; throws where the text is none.
export function readProject(text, name) {
  const found = parse(text);
  if (!found || found.format !== FORMAT) throw new Error(`${name}: not a project of this studio`);
  if (found.version !== 1) throw new Error(`${name}: written by a newer studio`);
  if (!isSong(found.song)) throw new Error(`${name}: the project is damaged`);
  return found;
}
