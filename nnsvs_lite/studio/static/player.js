// Playing: from a place on the ruler, in a loop, with a metronome and an accompaniment; and single notes.

import { barLines } from "./song.js";

const AHEAD = 0.15;
const $ = (id) => document.getElementById(id);

export class Player {
  constructor(audio, roll, editor) {
    Object.assign(this, { audio, roll, editor, clicked: -1, sound: null, files: new Map() });
    this.backing = new Audio();
    this.backing.addEventListener("loadedmetadata", () => { $("backing-name").title = `${this.backing.duration.toFixed(1)} s`; });
    for (const name of ["play", "seeked"]) audio.addEventListener(name, () => this.watch());
    audio.addEventListener("play", () => { this.clicked = -1; this._sync(true); });
    audio.addEventListener("pause", () => this.backing.pause());
    audio.addEventListener("seeked", () => { this.clicked = -1; this._sync(true); });
    // At the end of what is sung, a loop begins again, too.
    audio.addEventListener("ended", () => { if ($("loop").checked) { this._turn(); this.audio.play(); } });
    $("backing-open").addEventListener("click", () => $("backing-file").click());
    $("backing-file").addEventListener("change", () => this._open($("backing-file").files[0]));
    $("backing-offset").addEventListener("change", () => { this._keep(); this._sync(true); });
    $("backing-volume").addEventListener("input", () => { this.backing.volume = Number($("backing-volume").value); });
    $("backing-volume").addEventListener("change", () => this._keep());
    $("backing-remove").addEventListener("click", () => {
      this.editor.edit((song) => { delete song.backing; });
    });
  }

  get shown() { return this.roll.sung; }

  toggle() {
    if (!this.shown) return;
    if (this.audio.paused) this.audio.play(); else this.audio.pause();
  }

  seek(beat) {
    this.roll.cursor = beat;
    if (this.shown) this.audio.currentTime = Math.min(this.shown.seconds(beat), this.shown.result.seconds);
    this.roll.place(this.shown ? this.shown.seconds(beat) : null);
  }

  // Another sound takes the place of the one that plays, and goes on at the same beat.
  change(url, beat, playing) {
    const { audio } = this;
    audio.src = url;
    const start = () => {
      if (beat > 0) audio.currentTime = Math.min(this.shown.seconds(beat), Math.max(0, audio.duration - 0.01));
      if (playing) audio.play().catch(() => { /* the browser wants a click on the player first */ });
    };
    audio.addEventListener("loadedmetadata", start, { once: true });
  }

  // Beats of the loop: what is marked, else the chosen notes, else all.
  _loop() {
    if (this.roll.loop) return this.roll.loop;
    const chosen = this.editor.chosen();
    if (!chosen.length) return [0, this.shown.at(this.shown.result.seconds)];
    return [chosen[0].at, Math.max(...chosen.map((note) => note.at + note.beats))];
  }

  _turn() { this.audio.currentTime = this.shown.seconds(this._loop()[0]); }

  watch() {
    const { audio, roll } = this;
    if (this.shown && (!audio.paused || audio.currentTime > 0)) {
      const x = roll.place(audio.currentTime);
      if (!audio.paused) roll.follow(x);
    }
    if (audio.paused) return;
    if ($("loop").checked && this.shown && audio.currentTime >= this.shown.seconds(this._loop()[1]) - 0.005) this._turn();
    if ($("metronome").checked) this._clicks();
    this._sync();
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.watch());
  }

  // --- metronome and notes

  _context() {
    this.sound = this.sound || new AudioContext();
    if (this.sound.state === "suspended") this.sound.resume();
    return this.sound;
  }

  _tone(hertz, when, seconds, loud, type = "triangle") {
    const context = this._context();
    const tone = new OscillatorNode(context, { type, frequency: hertz }), gain = new GainNode(context, { gain: 0 });
    gain.gain.setValueAtTime(0, when);
    gain.gain.linearRampToValueAtTime(loud, when + 0.008);
    gain.gain.exponentialRampToValueAtTime(0.001, when + seconds);
    tone.connect(gain).connect(context.destination);
    tone.start(when);
    tone.stop(when + seconds + 0.02);
  }

  _clicks() {
    const { song } = this.editor;
    const now = this.shown.at(this.audio.currentTime), ahead = this.shown.at(this.audio.currentTime + AHEAD);
    const context = this._context();
    for (const [at, , beats, into] of barLines(song, ahead + 1e-6)) {
      for (let beat = 0; beat < beats - into; beat += 1) {
        const place = at + beat;
        if (place < now || place > ahead || place <= this.clicked + 1e-6) continue;
        this.clicked = place;
        const first = beat === 0 && into === 0;
        const when = context.currentTime + this.shown.seconds(place) - this.audio.currentTime;
        this._tone(first ? 1760 : 1175, when, 0.06, 0.25, "square");
        $("metronome").dataset.clicks = Number($("metronome").dataset.clicks || 0) + 1;
      }
    }
  }

  note(pitch) {
    if (!$("note-sound").checked || !pitch || !this.audio.paused) return;
    this._tone(440 * 2 ** ((pitch - 69) / 12), this._context().currentTime, 0.35, 0.2);
    this.lastNote = pitch;
    $("note-sound").dataset.pitch = pitch;
  }

  // --- accompaniment

  // Files are told apart by what is in them: two songs may have one of the same name.
  async _open(file) {
    if (!file) return;
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", await file.arrayBuffer()));
    const id = [...digest.slice(0, 8)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    if (!this.files.has(id)) this.files.set(id, URL.createObjectURL(file));
    $("backing-file").value = "";
    const offset = Number($("backing-offset").value) || 0, volume = Number($("backing-volume").value);
    this.editor.edit((song) => { song.backing = { name: file.name, id, offset, volume }; });
    this._sync(true);
  }

  _keep() {
    const { backing } = this.editor.song;
    if (!backing) return;
    const now = { ...backing, offset: Number($("backing-offset").value) || 0, volume: Number($("backing-volume").value) };
    this.editor.edit((song) => { song.backing = now; });
  }

  // Whether the song's file is here.
  get fits() { return this.files.has(this.editor.song.backing?.id); }

  draw() {
    const { backing } = this.editor.song;
    $("backing").hidden = !backing;
    const url = this.files.get(backing?.id);
    if (!url) this.backing.pause();
    else if (this.backing.src !== url) this.backing.src = url;
    if (!backing) return;
    $("backing-name").textContent = this.fits ? backing.name : `${backing.name} (choose the file again)`;
    if (document.activeElement !== $("backing-offset")) $("backing-offset").value = backing.offset;
    $("backing-volume").value = this.backing.volume = Math.min(1, Math.max(0, Number(backing.volume) || 0));
  }

  // The accompaniment follows what is sung: its own time is that of the song less its offset.
  _sync(now = false) {
    const { backing, audio } = this, set = this.editor.song.backing;
    if (!this.fits) return;
    const at = audio.currentTime - set.offset;
    const within = at >= 0 && !(at > backing.duration);
    if (!within || audio.paused) { if (!backing.paused) backing.pause(); return; }
    if (now || Math.abs(backing.currentTime - at) > 0.08) backing.currentTime = at;
    if (backing.paused) backing.play().catch(() => { /* not to be played */ });
  }
}
