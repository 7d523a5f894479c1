// The page: opens and saves songs, has them sung, plays them.

import { Hands, describe } from "./hands.js";
import { Kept } from "./kept.js";
import { join, split } from "./lyrics.js";
import { Roll } from "./roll.js";
import { Editor, emptySong, placeOf } from "./song.js";

const $ = (id) => document.getElementById(id);
const OWN = { "X-Studio": "1" };
const audio = $("audio");
let voice, tunes, kept, editor, roll, hands, job = null, sung = null, said;

// --- talking to the server

async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, { ...options, headers: { ...OWN, ...options.headers } });
  } catch {
    throw new Error("The studio does not answer; is nnsvs-lite serve still running?");
  }
  if (answer.ok) return answer;
  const { error } = await answer.json().catch(() => ({ error: `status ${answer.status}` }));
  throw new Error(error);
}

const post = (path, value) => ask(path, {
  method: "POST", body: JSON.stringify(value), headers: { "Content-Type": "application/json" },
});

function say(text, kind = "error") {
  clearTimeout(said);
  $("message").firstElementChild.textContent = text;
  $("message").className = kind;
  $("message").hidden = !text;
  if (kind !== "error") said = setTimeout(() => say(""), 6000);
}

const guarded = (work) => async (...args) => {
  try { await work(...args); } catch (error) { say(error.message); }
};

// --- the song

function changed(all = true) {
  if (!roll) return;
  const { song, selected } = editor;
  $("delete").disabled = !selected.size;
  const chosen = editor.chosen();
  $("about-note").textContent = chosen.length > 1 ? `${chosen.length} notes selected`
    : chosen.length ? describe(chosen[0], placeOf(song, chosen[0].at))
    : song.notes.length ? "" : "Draw a note on the roll (drag, or tap twice), or open a score.";
  if (!all) {
    roll.mark();
    return;
  }
  roll.draw();
  $("title").value = song.title;
  if (document.activeElement !== $("tempo")) $("tempo").value = song.tempi[0][1];
  $("tempo").title = song.tempi.length > 1 ? "The tempo changes in the song; all change with this one" : "";
  $("lang").value = song.lang;
  if (document.activeElement !== $("lyrics")) $("lyrics").value = join(editor.sung(), song.lang);
  $("undo").disabled = !editor.past.length;
  $("redo").disabled = !editor.future.length;
  $("old").hidden = !sung || sung.version === editor.version;
  $("sing").disabled = !editor.sung().length && !job;
  kept.save(editor.plain(), editor.edited && song.notes.length > 0);
}

// Another song takes the place of this one, which stays among the kept ones; Undo brings it back, too.
function load(song, id = null) {
  forget();
  kept.begin(id);
  editor.load(song);
  roll.fit();
  roll.draw();
  roll.centre();
}

function forget() {
  sung = null;
  audio.pause();
  audio.removeAttribute("src");
  audio.hidden = $("results").hidden = $("legend").hidden = true;
  roll.hide();
}

const openFile = guarded(async (file) => {
  if (!file) return;
  say("");
  if (file.size > voice.limits.bytes) throw new Error(`${file.name}: the file is larger than ${voice.limits.bytes / 2 ** 20} MB`);
  const query = new URLSearchParams({ name: file.name });
  if ($("part").value.trim()) query.set("part", $("part").value.trim());
  if ($("verse").value) query.set("verse", $("verse").value);
  if ($("lang").value) query.set("lang", $("lang").value);
  document.body.classList.add("reading");
  try {
    const found = await (await ask(`/api/score?${query}`, {
      method: "POST", body: file, headers: { "Content-Type": "application/octet-stream" },
    })).json();
    load(found.song);
    if (found.warning) say(found.warning, "error");
    else say(`${file.name}: ${editor.sung().length} notes`, "note");
  } finally {
    document.body.classList.remove("reading");
    $("file").value = "";
  }
});

const save = guarded(async () => {
  const answer = await post("/api/musicxml", editor.plain());
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await answer.blob());
  link.download = `${(editor.song.title || "song").replace(/[\\/:*?"<>|]/g, "_")}.musicxml`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
});

// --- singing

function options() {
  const values = {};
  for (const input of $("options").querySelectorAll("[name]")) {
    if (input.tagName === "SELECT") values[input.name] = input.value;
    else if (input.value !== "" && input.value !== input.dataset.neutral) values[input.name] = Number(input.value);
  }
  return values;
}

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

function working(on) {
  $("working").hidden = !on;
  $("sing").textContent = on ? "Cancel" : "Sing";
  $("sing").classList.toggle("main", !on);
  audio.hidden = on || !sung;
  $("results").hidden = on || !sung;
}

const sing = guarded(async () => {
  if (job) {
    await ask(`/api/jobs/${job.id}`, { method: "DELETE" });
    return;
  }
  hands.finishLyric();
  takeLyrics();
  say("");
  audio.pause();
  const wanted = { song: editor.plain(), options: options() };
  const version = editor.version;
  job = await (await post("/api/jobs", wanted)).json();
  working(true);
  try {
    while (job.state === "waiting" || job.state === "singing") {
      $("progress").toggleAttribute("value", job.progress > 0);
      if (job.progress > 0) $("progress").value = job.progress;
      $("stage").textContent = `${job.stage} · ${job.took.toFixed(0)} s`;
      await sleep(200);
      job = await (await ask(`/api/jobs/${job.id}`)).json();
    }
    if (job.state === "failed") throw new Error(job.error);
    if (job.state === "done") await receive(job, wanted, version);
    else say("Cancelled.", "note");
  } finally {
    job = null;
    working(false);
    changed();
  }
});

async function receive(done, wanted, version) {
  const result = await (await ask(`/api/jobs/${done.id}/result`)).json();
  const transpose = wanted.options.transpose || 0;
  sung = { version, result };
  audio.src = `/api/jobs/${done.id}/audio`;
  $("wav").href = `/api/jobs/${done.id}/audio?download=1`;
  roll.show(result, wanted.song, wanted.options.tempo || 1, transpose);
  $("legend").hidden = false;
  $("shifted").textContent = transpose ? ` · drawn without the transposition of ${transpose > 0 ? "+" : "−"}${Math.abs(transpose)}` : "";
  say(`${result.seconds.toFixed(1)} s of singing in ${done.took.toFixed(1)} s`, "note");
  audio.play().catch(() => { /* the browser wants a click on the player first */ });
}

function play() {
  if (!sung) return;
  if (audio.paused) audio.play(); else audio.pause();
}

function watch() {
  if (sung && (!audio.paused || audio.currentTime > 0)) {
    const x = roll.place(audio.currentTime);
    if (!audio.paused) roll.follow(x);
  }
  if (!audio.paused) requestAnimationFrame(watch);
}

// --- lyrics and options

function takeLyrics() {
  const text = $("lyrics").value;
  const notes = editor.sung();
  if (text === join(notes, editor.song.lang)) return;
  const lyrics = split(text, editor.song.lang);
  const ids = notes.map((note) => note.id);
  editor.edit((song) => {
    const byId = new Map(song.notes.map((note) => [note.id, note]));
    lyrics.slice(0, ids.length).forEach((lyric, i) => {
      const note = byId.get(ids[i]);
      if (note.lyric !== lyric) delete note.phones;
      note.lyric = lyric;
    });
  });
  const more = lyrics.length - ids.length;
  if (more > 0) say(`${more} more ${more > 1 ? "syllables" : "syllable"} than notes`, "note");
  else if (more < 0) say(`${-more} more ${more < -1 ? "notes" : "note"} than syllables; their lyrics stay`, "note");
}

function addOptions() {
  const box = $("options");
  // What few need, out of sight until it is asked for.
  const more = Object.assign(document.createElement("details"), { className: "more" });
  more.append(Object.assign(document.createElement("summary"), { textContent: "More" }));
  if (voice.singers.length > 1) {
    const label = document.createElement("label");
    label.className = "option";
    const select = document.createElement("select");
    select.name = "singer";
    for (const name of voice.singers) select.add(new Option(name, name));
    label.append(Object.assign(document.createElement("span"), { textContent: "Singer" }), select);
    box.append(label);
  }
  for (const row of voice.options) {
    const label = document.createElement("label");
    label.className = "option";
    label.title = row.help;
    const name = Object.assign(document.createElement("span"), { textContent: row.label });
    const number = document.createElement("input");
    const isSlider = row.name !== "seed" && row.neutral !== null;
    Object.assign(number, { type: isSlider ? "range" : "number", name: row.name, min: row.low, max: row.high, step: row.step });
    number.value = row.neutral ?? "";
    number.dataset.neutral = number.value;
    const output = document.createElement("output");
    const show = () => {
      output.textContent = isSlider ? (row.neutral === 0 && number.value > 0 ? "+" : "") + number.value : "";
      label.classList.toggle("set", number.value !== number.dataset.neutral);
    };
    number.addEventListener("input", show);
    show();
    label.append(name, number, output, Object.assign(document.createElement("small"), { textContent: row.help }));
    (row.more ? more : box).append(label);
  }
  box.append(more);
  $("neutral").addEventListener("click", () => {
    for (const input of box.querySelectorAll("input")) {
      input.value = input.dataset.neutral;
      input.dispatchEvent(new Event("input"));
    }
  });
}

// --- the page

function connect() {
  $("open").addEventListener("click", () => $("file").click());
  $("file").addEventListener("change", () => openFile($("file").files[0]));
  $("new").addEventListener("click", () => { load(emptySong($("lang").value || voice.lang)); roll.box.focus(); });
  $("examples").addEventListener("change", () => {
    const [kind, id] = $("examples").value.split(" ");
    $("examples").value = "";
    if (kind === "tune") load(tunes[id]);
    const own = kept.all().find((song) => song.id === id);
    if (kind === "kept" && own) load(own.song, id);
  });
  for (const name of ["focus", "pointerdown"]) $("examples").addEventListener(name, listKept);
  $("undo").addEventListener("click", () => editor.undo());
  $("redo").addEventListener("click", () => editor.redo());
  $("add").addEventListener("click", () => { hands.addAfter(); roll.box.focus({ preventScroll: true }); });
  $("delete").addEventListener("click", () => editor.remove());
  $("tempo").addEventListener("change", () => {
    const value = Number($("tempo").value);
    if (value >= 10 && value <= 1000) editor.setTempo(value);
    else $("tempo").value = editor.song.tempi[0][1];
  });
  $("lang").addEventListener("change", () => editor.edit((song) => {
    song.lang = $("lang").value;
    // They were of the other language.
    for (const note of song.notes) delete note.phones;
  }));
  $("title").addEventListener("change", () => editor.edit((song) => { song.title = $("title").value.trim(); }));
  $("grid").addEventListener("change", () => { roll.grid = Number($("grid").value); roll.draw(); });
  $("wider").addEventListener("click", () => roll.zoom(1.4));
  $("narrower").addEventListener("click", () => roll.zoom(1 / 1.4));
  $("lyrics").addEventListener("change", takeLyrics);
  $("lyrics").addEventListener("blur", () => changed());
  $("message").querySelector("button").addEventListener("click", () => say(""));
  $("sing").addEventListener("click", sing);
  $("save").addEventListener("click", save);
  for (const name of ["play", "seeked"]) audio.addEventListener(name, watch);
  addEventListener("resize", () => roll.draw());
  addEventListener("keydown", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    const typing = /^(INPUT|TEXTAREA)$/.test(event.target.tagName) && event.target.type !== "range";
    const key = event.key.toLowerCase();
    if (key === "enter") { if (!job) sing(); }
    else if (key === "z" && !typing) { if (event.shiftKey) editor.redo(); else editor.undo(); }
    else if (key === "y" && !typing) editor.redo();
    else return;
    event.preventDefault();
  });
  let inside = 0;
  const dragged = (event) => event.dataTransfer && [...event.dataTransfer.types].includes("Files");
  addEventListener("dragenter", (event) => { if (dragged(event)) { inside += 1; $("drop").hidden = false; } });
  addEventListener("dragleave", (event) => { if (dragged(event) && !(inside -= 1)) $("drop").hidden = true; });
  addEventListener("dragover", (event) => { if (dragged(event)) event.preventDefault(); });
  addEventListener("drop", (event) => {
    if (!dragged(event)) return;
    event.preventDefault();
    inside = 0;
    $("drop").hidden = true;
    openFile(event.dataTransfer.files[0]);
  });
}

// The songs that are kept, but for the one that is open, after the tunes.
function listKept() {
  $("kept").replaceChildren(...kept.all().filter(({ id }) => id !== kept.id).map(({ id, saved, song }) => {
    const first = join(song.notes.slice(0, 8), song.lang);
    return new Option(`${song.title || first || "a song"} · ${new Date(saved).toLocaleString()}`, `kept ${id}`);
  }));
}

const start = guarded(async () => {
  voice = await (await ask("/api/voice")).json();
  tunes = await (await ask("/api/examples")).json();
  $("voice").textContent = `${voice.name} · ${voice.langs.join(" ")} · ${voice.sample_rate / 1000} kHz`;
  document.title = `${voice.name} · Studio`;
  $("file").accept = voice.formats.join(",");
  $("formats").textContent = `Formats: ${voice.formats.join(" ")}`;
  const several = voice.langs.length > 1;
  $("tunes").append(...tunes.map(({ title, lang }, i) => new Option(several ? `${title} · ${lang}` : title, `tune ${i}`)));
  $("lang").append(...voice.langs.map((lang) => new Option(lang)));
  $("lang").parentElement.hidden = !several;
  kept = new Kept(`nnsvs-lite studio ${voice.langs.join(" ")}`);
  addOptions();
  editor = new Editor(emptySong(voice.lang), changed);
  roll = new Roll($("roll"), editor);
  hands = new Hands(roll, editor, { newLyric: () => voice.new_lyric[editor.song.lang] ?? "la", say: (text) => say(text, "note"), sing, play });
  connect();
  load(kept.last() || tunes[0], kept.id);
  editor.past = []; // an empty song
  changed();
  document.body.classList.add("ready");
});

start();
