// Songs that this browser keeps: each under a name of its own, so that no song and no tab replaces another's.

const MOST = 10;

export class Kept {
  // prefix: what the names of all kept songs of a language begin with. A tab goes on with its own song.
  constructor(prefix) {
    this.prefix = `${prefix} `;
    this.begin(sessionStorage.getItem(`${this.prefix}id`));
  }

  // From here on the tab's song is another one.
  begin(id = null) {
    this.id = id || crypto.getRandomValues(new Uint32Array(2)).join("");
    put(sessionStorage, `${this.prefix}id`, this.id);
  }

  // Keeps the tab's song for a reload and, where it was edited, for later too; where there is no room, the
  // oldest of the others makes some.
  save(song, edited) {
    put(sessionStorage, `${this.prefix}song`, JSON.stringify(song));
    if (!edited) return;
    const text = JSON.stringify({ saved: Date.now(), song });
    const others = this.all().filter(({ id }) => id !== this.id);
    while (others.length >= MOST) localStorage.removeItem(this.prefix + others.pop().id);
    while (!put(localStorage, this.prefix + this.id, text) && others.length) {
      localStorage.removeItem(this.prefix + others.pop().id);
    }
  }

  // The tab's own song, else the one that was kept last.
  last() {
    return read(sessionStorage.getItem(`${this.prefix}song`)) || (this.all()[0] || { song: null }).song;
  }

  // [{id, saved, song}] that can be read, the latest first.
  all() {
    const keys = Object.keys(localStorage).filter((key) => key.startsWith(this.prefix));
    return keys.map((key) => {
      const { saved, song } = parse(localStorage.getItem(key)) || {};
      return { id: key.slice(this.prefix.length), saved, song: read(JSON.stringify(song || null)) };
    }).filter(({ song }) => song).sort((a, b) => b.saved - a.saved);
  }
}

function put(storage, key, text) {
  try { storage.setItem(key, text); } catch { return false; }
  return true;
}

function parse(text) {
  try { return JSON.parse(text); } catch { return null; }
}

// A song, or null where the text is none of ours.
function read(text) {
  const song = parse(text);
  const whole = song && ["notes", "tempi", "bars", "keys"].every((name) => Array.isArray(song[name]));
  return whole && song.tempi.length && song.bars.length && song.keys.length ? song : null;
}
