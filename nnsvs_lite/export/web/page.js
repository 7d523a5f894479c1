// The page: a song, its lyrics, the sound.

import { Hands, describe } from "./hands.js";
import { join, split } from "./lyrics.js";
import { Roll } from "./roll.js";
import { notesOf } from "./score.js";
import { Editor, emptySong, placeOf } from "./song.js";

const $ = (id) => document.getElementById(id);
const audio = $("audio");
const language = () => info.languages.find(({ code }) => code === editor.song.lang);
let info, editor, roll, hands, worker, busy = false, sung = null, said;

function say(text, kind = "error") {
  clearTimeout(said);
  $("message").firstElementChild.textContent = text;
  $("message").className = kind;
  $("message").hidden = !text;
  if (kind !== "error") said = setTimeout(() => say(""), 6000);
}

function changed(all = true) {
  if (!roll) return;
  const { song, selected } = editor;
  $("delete").disabled = !selected.size;
  const chosen = editor.chosen();
  $("about-note").textContent = chosen.length > 1 ? `${chosen.length} notes selected`
    : chosen.length ? describe(chosen[0], placeOf(song, chosen[0].at))
    : song.notes.length ? "" : "Draw a note on the roll: drag, or tap twice.";
  if (!all) {
    roll.mark();
    return;
  }
  roll.draw();
  if (document.activeElement !== $("tempo")) $("tempo").value = song.tempi[0][1];
  if (document.activeElement !== $("lyrics")) $("lyrics").value = join(editor.sung(), song.lang);
  $("language").value = song.lang;
  $("undo").disabled = !editor.past.length;
  $("redo").disabled = !editor.future.length;
  $("old").hidden = !sung || sung.version === editor.version;
  $("sing").disabled = !editor.sung().length && !busy;
}

function takeLyrics() {
  const notes = editor.sung(), text = $("lyrics").value;
  if (text === join(notes, editor.song.lang)) return;
  const lyrics = split(text, editor.song.lang);
  const ids = new Map(notes.map((note, i) => [note.id, i]));
  editor.edit((song) => {
    for (const note of song.notes) note.lyric = lyrics[ids.get(note.id)] ?? note.lyric;
  });
  if (lyrics.length !== notes.length) say(`${lyrics.length} syllables for ${notes.length} notes`, "note");
}

// 16 bits, one channel; what is too loud is scaled down.
function wavOf(samples, rate) {
  let peak = 1;
  for (const sample of samples) peak = Math.max(peak, Math.abs(sample));
  const view = new DataView(new ArrayBuffer(44 + 2 * samples.length));
  const text = (at, letters) => [...letters].forEach((letter, i) => view.setUint8(at + i, letter.charCodeAt(0)));
  text(0, "RIFF");
  view.setUint32(4, 36 + 2 * samples.length, true);
  text(8, "WAVEfmt ");
  [[16, 16, 4], [20, 1, 2], [22, 1, 2], [24, rate, 4], [28, 2 * rate, 4], [32, 2, 2], [34, 16, 2]].forEach(([at, value, size]) =>
    size === 4 ? view.setUint32(at, value, true) : view.setUint16(at, value, true));
  text(36, "data");
  view.setUint32(40, 2 * samples.length, true);
  samples.forEach((sample, i) => view.setInt16(44 + 2 * i, Math.round((sample / peak) * 32767), true));
  return new Blob([view], { type: "audio/wav" });
}

function working(on) {
  busy = on;
  $("working").hidden = !on;
  $("progress").removeAttribute("value");
  $("stage").textContent = "";
  $("sing").textContent = on ? "Cancel" : "Sing";
  audio.hidden = $("wav").hidden = on || !sung;
  changed();
}

function sing() {
  if (busy) {
    worker.terminate();
    worker = null;
    working(false);
    return;
  }
  hands.finishLyric();
  takeLyrics();
  say("");
  audio.pause();
  const song = editor.plain(), version = editor.version;
  try {
    notesOf(song, language());
  } catch (error) {
    say(error.message);
    return;
  }
  worker ??= new Worker(new URL("worker.js", import.meta.url), { type: "module" });
  worker.onerror = (event) => {
    worker?.terminate();
    worker = null; // the next try begins anew
    working(false);
    say(event.message || "This browser cannot run the voice.");
  };
  worker.onmessage = ({ data }) => {
    if (data.stage) $("stage").textContent = data.stage;
    if (data.progress) {
      $("stage").textContent = "singing";
      $("progress").value = data.progress;
    }
    if (data.error) { working(false); say(data.error); }
    if (data.sung) receive(data.sung, song, version, data.took);
  };
  working(true);
  worker.postMessage({ song, singer: Math.max(0, $("singer").selectedIndex), take: Math.max(0, Math.trunc(Number($("take").value))) });
}

function receive(done, song, version, took) {
  sung = { ...done, version };
  if (audio.src) URL.revokeObjectURL(audio.src);
  audio.src = $("wav").href = URL.createObjectURL(wavOf(done.wav, done.rate));
  roll.show(done.result, song, song.notes.map((_, i) => i), 1, 0);
  $("legend").hidden = false;
  working(false);
  say(`${done.result.seconds.toFixed(1)} s of singing in ${took.toFixed(1)} s`, "note");
  audio.play().catch(() => { /* the browser wants a click on the player first */ });
}

function play() {
  if (!sung) return;
  if (audio.paused) audio.play(); else audio.pause();
}

function watch() {
  if (sung) roll.follow(roll.place(audio.currentTime));
  if (!audio.paused) requestAnimationFrame(watch);
}

// A song to begin with, in place of one that nobody has touched.
function load(song) {
  editor.load(song);
  roll.hide();
  roll.fit();
  roll.draw();
  roll.centre();
  editor.past = [];
  changed();
}

async function start() {
  info = await (await fetch("voice.json")).json();
  document.title = $("name").textContent = info.name;
  $("voice").textContent = [info.author, ...info.languages.map(({ code }) => code), `${info.rate / 1000} kHz`].filter(Boolean).join(" · ");
  for (const name of info.singers) $("singer").add(new Option(name));
  $("singer").parentElement.hidden = info.singers.length < 2;
  for (const { code } of info.languages) $("language").add(new Option(code));
  $("language").parentElement.hidden = info.languages.length < 2;
  $("take").parentElement.hidden = !Object.values(info.networks).some(({ draws }) => draws?.length);
  editor = new Editor(emptySong(info.languages[0].code), changed);
  roll = new Roll($("roll"), editor);
  const pen = { down: () => false, move: () => false, up: () => false, drop: () => {} }; // no pitch is drawn here
  const told = { newLyric: () => language().new_lyric, say: (text) => say(text, "note"), heard: () => {} };
  hands = new Hands(roll, editor, { ...told, sing, play, pen });
  $("undo").addEventListener("click", () => editor.undo());
  $("redo").addEventListener("click", () => editor.redo());
  $("new").addEventListener("click", () => { editor.load(emptySong(editor.song.lang)); roll.hide(); });
  $("language").addEventListener("change", () => {
    // Another language's words would not be read: what is left as it came gives way to a song of that language.
    const { code, song } = info.languages[$("language").selectedIndex];
    if (editor.past.length) editor.edit((own) => { own.lang = code; }); else load(song);
  });
  $("add").addEventListener("click", () => hands.addAfter());
  $("delete").addEventListener("click", () => editor.remove());
  $("tempo").addEventListener("change", () => {
    const value = Number($("tempo").value);
    if (value >= 10 && value <= 1000) editor.setTempo(value); else $("tempo").value = editor.song.tempi[0][1];
  });
  $("lyrics").addEventListener("change", takeLyrics);
  $("lyrics").addEventListener("blur", () => changed());
  $("message").querySelector("button").addEventListener("click", () => say(""));
  $("sing").addEventListener("click", sing);
  for (const name of ["play", "seeked"]) audio.addEventListener(name, watch);
  addEventListener("resize", () => roll.draw());
  addEventListener("keydown", (event) => {
    const typing = /^(INPUT|TEXTAREA)$/.test(event.target.tagName), key = event.key.toLowerCase();
    if (!event.ctrlKey && !event.metaKey) return;
    if (key === "enter") { if (!busy) sing(); }
    else if (key === "z" && !typing) { if (event.shiftKey) editor.redo(); else editor.undo(); }
    else return;
    event.preventDefault();
  });
  load(info.languages[0].song);
  document.body.classList.add("ready");
}

start().catch((error) => say(`${error.message} (the folder must be served: a page from a disk may load nothing)`));
