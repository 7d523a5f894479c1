// Has the song sung: when it is asked for and, once it was, after each change, of which the server sings
// again only the phrases that are no longer as they were.

import { $, ask, guarded, post, say } from "./net.js";
import { plainSong, requestOf } from "./request.js";

const PAUSE = 250; // ms without a change before it is sung again
const POLL = 60;

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

export class Singing {
  // prepare(): before a song is asked for; changed(): draws the page anew.
  constructor(editor, roll, player, { prepare, changed }) {
    Object.assign(this, { editor, roll, player, prepare, changed, job: null, sung: null, wanted: null, cancelled: false });
    this.sing = guarded(() => this._sing(false));
    this.again = guarded(() => this._sing(true));
  }

  // Another song: what was sung is not of it.
  forget() {
    clearTimeout(this.later);
    const { audio } = this.player;
    this.sung = this.wanted = null;
    audio.pause();
    audio.removeAttribute("src");
    audio.hidden = $("results").hidden = $("legend").hidden = true;
    this.roll.cursor = 0;
    this.roll.loop = null;
    this.roll.hide();
  }

  // After a change, in the background; nothing where the song was never sung.
  renew() {
    clearTimeout(this.later);
    const { editor } = this;
    if (!this.sung || !$("auto").checked || this.sung.version === editor.version || !editor.sung().length) return;
    if (this.failed === editor.version) return;
    this.later = setTimeout(() => { if (!this.job) this.again(); }, PAUSE);
  }

  async _sing(quiet) {
    if (this.job) {
      this.cancelled = true;
      await ask(`/api/jobs/${this.job.id}`, { method: "DELETE" });
      return;
    }
    if (this.asking) return;
    this.prepare();
    say("");
    const { editor } = this;
    if (!quiet && !this.player.audio.paused) this.player.audio.pause();
    const { song, version } = editor;
    this.cancelled = false;
    const mine = this.wanted = {};
    this.failed = version;
    this.asking = true;
    try { this.job = await (await post("/api/jobs", requestOf(song))).json(); } finally { this.asking = false; }
    const slow = setTimeout(() => this._working(true), quiet ? 1500 : 0);
    if (!quiet) this._working(true);
    try {
      while (this.job.state === "waiting" || this.job.state === "singing") {
        $("progress").toggleAttribute("value", this.job.progress > 0);
        if (this.job.progress > 0) $("progress").value = this.job.progress;
        $("stage").textContent = `${this.job.stage} · ${this.job.took.toFixed(0)} s`;
        await sleep(POLL);
        this.job = await (await ask(`/api/jobs/${this.job.id}`)).json();
      }
      if (this.job.state === "failed") throw new Error(this.job.error);
      if (this.job.state === "done") {
        const result = await (await ask(`/api/jobs/${this.job.id}/result`)).json();
        // Another song may have come meanwhile.
        if (mine === this.wanted) this._receive(this.job, result, song, version, quiet);
        this.failed = null;
      } else say("Cancelled.", "note");
    } finally {
      clearTimeout(slow);
      this.job = null;
      this._working(false);
      this.changed();
    }
  }

  _working(on) {
    $("working").hidden = !on;
    $("sing").textContent = on ? "Cancel" : "Sing";
    $("sing").classList.toggle("main", !on);
    this.player.audio.hidden = on || !this.sung;
    $("results").hidden = on || !this.sung;
  }

  _receive(done, result, song, version, quiet) {
    const { audio } = this.player;
    const transpose = song.options.transpose || 0, first = !this.sung;
    const beat = this.roll.cursor, ended = audio.ended;
    const playing = quiet ? !audio.paused : true;
    this.sung = { version, result, id: done.id };
    this._number(song, result);
    this.roll.show(result, plainSong(song), song.notes.map((note) => note.id), song.options.tempo || 1, transpose);
    this.player.change(`/api/jobs/${done.id}/audio`, first || ended ? 0 : beat, playing);
    $("wav").href = `/api/jobs/${done.id}/audio?download=1`;
    $("legend").hidden = false;
    $("shifted").textContent = transpose ? ` · drawn without the transposition of ${transpose > 0 ? "+" : "−"}${Math.abs(transpose)}` : "";
    const unheard = result.unheard.length ? `. This voice cannot change by what is set: ${result.unheard.join(", ")}` : "";
    const left = result.said ? `. ${result.said}` : "";
    if (!quiet) say(`${result.seconds.toFixed(1)} s of singing in ${done.took.toFixed(1)} s${unheard}${left}`, "note");
    else if (result.said && result.said !== this.told) say(result.said, "note");
    this.told = result.said;
    if (this.audition) {
      const { notes, version: of } = this.audition;
      if (of === version) { this.audition = null; this._play(notes); }
    }
  }

  // What chance drew for a note stays with it, whatever notes come before it later.
  _number(song, result) {
    song.notes.forEach((note, i) => { note.chance ??= result.chance[i]; });
  }

  // Plays some notes as soon as they are sung as they are now.
  hear(notes) {
    if (!this.sung) return;
    this.audition = { notes, version: this.editor.version };
    if (this.sung.version === this.editor.version) this._play(notes);
    else if (!this.job) { clearTimeout(this.later); this.again(); }
  }

  _play(notes) {
    const beat = Math.max(0, Math.min(...notes.map((note) => note.at)) - 0.5);
    this.player.seek(beat);
    this.player.audio.play().catch(() => { /* a click is wanted first */ });
  }
}
