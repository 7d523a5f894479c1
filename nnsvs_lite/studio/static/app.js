// The page: opens and saves songs, and joins its parts.

import { Hands, describe } from "./hands.js";
import { Inspector } from "./inspector.js";
import { Kept, projectText, readProject } from "./kept.js";
import { Lane } from "./lanes.js";
import { join, split } from "./lyrics.js";
import { $, ask, download, guarded, post, say } from "./net.js";
import * as work from "./notework.js";
import { Options } from "./options.js";
import { Pen, TOOLS } from "./pen.js";
import { Player } from "./player.js";
import { plainSong, requestOf, trackOf } from "./request.js";
import { Roll } from "./roll.js";
import { Ruler } from "./ruler.js";
import { Singing } from "./singing.js";
import { Editor, emptySong, placeOf, timeAt } from "./song.js";
import { Tracks, missing, tracksOf } from "./tracks.js";
import { voices } from "./voices.js";

const SEVERAL = [".ustx", ".svp", ".mid"];
let shown = 0; // the load that the song under the kept name came with
const names = new Map(); // of loads, the names that their songs are kept under
const choices = []; // of tracks, the last choice of a voice
let wanted; // the id of the voice that the page is for, or is about to be
let voice, tunes, kept, editor, roll, hands, pen, lane, player, singing, options, inspector, tracks;

// --- the song

function changed(all = true) {
  if (!singing) return;
  const { song, selected } = editor;
  $("delete").disabled = !selected.size;
  const chosen = editor.chosen();
  $("about-note").textContent = chosen.length > 1 ? `${chosen.length} notes selected`
    : chosen.length ? describe(chosen[0], placeOf(song, chosen[0].at))
    : song.notes.length ? "" : "Draw a note on the roll (drag, or tap twice), or open a score.";
  inspector.draw();
  if (!all) {
    roll.mark();
    showTime();
    return;
  }
  takeVoice();
  voices.fill($("voice"), song, song.lang);
  roll.draw();
  lane.draw();
  options.draw();
  player.draw();
  tracks.draw();
  if (document.activeElement !== $("title")) $("title").value = song.title;
  showTime();
  $("lang").value = song.lang;
  if (document.activeElement !== $("lyrics")) $("lyrics").value = join(editor.sung(), song.lang);
  $("undo").disabled = !editor.past.length;
  $("redo").disabled = !editor.future.length;
  $("old").hidden = !singing.sung || singing.sung.version === editor.version;
  $("pen-key").hidden = !song.curves.pitch?.length;
  $("sing").disabled = !editor.sung().length && !singing.job;
  // Undo and Redo lead from one song to another, too, which has a name of its own.
  if (song.load !== shown) begin(song.load, names.get(song.load)).then(() => changed());
  shown = song.load;
  if (!kept.save(editor.plain(), editor.edited && tracksOf(song).some(({ notes }) => notes.length))) {
    say("The browser has no room to keep this song: save the project as a file, and remove songs that you no longer need (below).");
  }
  singing.renew();
}

// Where tempo and time signature are changed from; null for the whole song.
const here = () => ($("from").value === "all" ? null : timeAt(editor.song, (editor.chosen()[0] || { at: roll.cursor }).at).bar);

function showTime() {
  const { song } = editor, { tempo, metre } = timeAt(song, here() ?? 0);
  if (document.activeElement !== $("tempo")) $("tempo").value = tempo;
  if (document.activeElement !== $("metre")) $("metre").value = metre;
  $("tempo").title = song.tempi.length > 1 && here() === null ? "The tempo changes in the song; all change with this one" : "";
}

// From here on the song is kept under a name, a new one for null; the name that it gets stays that of its load.
async function begin(load, id = null) {
  const name = await kept.begin(id);
  if (name) names.set(load, name);
}

// Another song takes the place of this one, which stays among the kept ones; Undo brings it back, too.
async function load(song, id = null) {
  // A title that is being typed is of the song before.
  $("title").blur();
  singing.forget();
  // A new name is there at once; of a kept one another tab may hold the lock.
  const next = editor.loads + 1;
  const named = id === kept.id ? names.set(next, id) : begin(next, id);
  if (id) await named;
  shown = next;
  editor.load(voiced(song));
  // What is kept stays so where Undo leads back to it.
  if (id && kept.has(id)) editor.edits.add(next);
  roll.fit();
  roll.draw();
  roll.centre();
}

// The song, each of its tracks with a voice and a language.
function voiced(song) {
  const now = editor.song.voice ? voices.of(editor.song) : undefined;
  const full = (track) => {
    const lang = track.lang ?? song.lang;
    return { ...track, lang, voice: track.voice ?? song.voice ?? voices.mark(voices.nearest(lang, now)) };
  };
  return { ...full(song), ...(song.others ? { others: song.others.map(full) } : {}) };
}

const openFile = guarded(async (file) => {
  if (!file) return;
  say("");
  if (/\.json$/i.test(file.name)) {
    await openProject(file);
    return;
  }
  if (file.size > voice.limits.bytes) throw new Error(`${file.name}: the file is larger than ${voice.limits.bytes / 2 ** 20} MB`);
  const query = new URLSearchParams({ name: file.name });
  if ($("part").value.trim()) query.set("part", $("part").value.trim());
  if ($("verse").value) query.set("verse", $("verse").value);
  // The song that is open may be of another language.
  if (voice.langs.includes($("lang").value)) query.set("lang", $("lang").value);
  query.set("voice", voice.id);
  document.body.classList.add("reading");
  try {
    const found = await (await ask(`/api/score?${query}`, {
      method: "POST", body: file, headers: { "Content-Type": "application/octet-stream" },
    })).json();
    await load(found.song);
    if (found.warning) say(found.warning, "error");
    else say(`${file.name}: ${editor.sung().length} notes`, "note");
  } finally {
    document.body.classList.remove("reading");
    $("file").value = "";
  }
});

// A song of which every track has a note to sing, behind its end where it has none, so that all of it is looked at.
function withNotes(song) {
  const end = song.length || 0, note = { at: end, beats: 1, pitch: 60, lyric: voice.new_lyric[song.lang] ?? "la" };
  const filled = (track) => (track.notes.some(({ pitch }) => pitch) ? track : { ...track, notes: [...track.notes, note] });
  return { ...filled(song), length: end + 1, ...(song.others ? { others: song.others.map(filled) } : {}) };
}

async function openProject(file) {
  $("file").value = "";
  if (file.size > voice.limits.project) throw new Error(`${file.name}: larger than ${voice.limits.project / 2 ** 20} MB`);
  const { song, voice: made } = readProject(await file.text(), file.name);
  const whole = { curves: {}, options: {}, voice: { name: made }, ...song };
  // The server looks at all of it before any of it is shown.
  await post("/api/check", requestOf(withNotes(whole), true)).catch((error) => { throw new Error(`${file.name}: ${error.message}`); });
  await load(whole);
  say(`${file.name}: ${editor.sung().length} notes. ${missing(editor.song)}`, "note");
}

const save = guarded(async () => {
  const answer = await post("/api/musicxml", plainSong(editor.song));
  download(await answer.blob(), editor.song.title, ".musicxml");
});

// All tracks where the format has room for several, else the one that is edited.
const exportAs = guarded(async (suffix) => {
  const { song } = editor, { title } = song;
  if (suffix === ".lab") {
    if (!singing.sung) throw new Error("Sing first: a label file has the times that were sung.");
    const lines = singing.sung.result.phones.map(([phone, a, b]) => `${Math.round(a * 1e7)} ${Math.round(b * 1e7)} ${phone}\n`);
    download(new Blob(lines), title, suffix);
    return;
  }
  const all = requestOf(song, true);
  if (!SEVERAL.includes(suffix)) delete all.others;
  const answer = await post(`/api/export?${new URLSearchParams({ suffix })}`, all);
  download(await answer.blob(), title, suffix);
  const left = answer.headers.get("X-Warning");
  if (left) say(decodeURIComponent(left), "note");
});

function saveProject() {
  hands.finishLyric();
  takeLyrics();
  download(new Blob([projectText(editor.plain())], { type: "application/json" }), editor.song.title, ".studio.json");
}

// One track alone.
const saveTrack = guarded(async (i) => {
  const track = tracksOf(editor.song)[i];
  const alone = { ...trackOf(editor.song, track), gain: 0, pan: 0, heard: true };
  let job = await (await post("/api/jobs", alone)).json();
  while (job.state === "waiting" || job.state === "singing") {
    await new Promise((done) => setTimeout(done, 100));
    job = await (await ask(`/api/jobs/${job.id}`)).json();
  }
  if (job.state !== "done") throw new Error(job.error || "Cancelled.");
  const title = [editor.song.title, track.name || `Track ${i + 1}`].filter(Boolean).join(" ");
  download(await (await ask(`/api/jobs/${job.id}/audio`)).blob(), title, ".wav");
});

// --- voices

const anEmpty = () => ({ ...emptySong(editor.song.lang), voice: editor.song.voice });

// Another voice for a track, once it is known to be one that sings; not where that comes too late.
const chooseVoice = guarded(async (i, id) => {
  const place = () => `${editor.song.load} ${tracksOf(editor.song).length}`;
  const before = place(), choice = choices[i] = {};
  const { name } = voices.row(id), slow = setTimeout(() => say(`Loading ${name}…`, "note"), 300);
  try {
    const told = await voices.told(id);
    if (choice !== choices[i]) return;
    if (place() !== before) {
      say(`${name} was not taken: the song or its tracks are others now.`, "note");
      return;
    }
    tracks.setVoice(i, told);
    say(`${name} sings ${tracksOf(editor.song)[i].name || `track ${i + 1}`}.`, "note");
  } finally {
    clearTimeout(slow);
    changed();
  }
});

// The page is for the voice of the track that is edited.
const takeVoice = guarded(async () => {
  const { id } = voices.of(editor.song);
  if (id === wanted) return;
  wanted = id;
  const told = await voices.told(id);
  if (id !== wanted) return;
  voice = told;
  const songs = await (await ask(`/api/examples?${new URLSearchParams({ voice: id })}`)).json();
  if (id !== wanted) return;
  setVoice(songs);
  changed();
});

function setVoice(songs) {
  tunes = songs;
  const several = voice.langs.length > 1;
  $("about-voice").textContent = `${voice.sample_rate / 1000} kHz`;
  document.title = `${voice.name} · Studio`;
  $("tunes").replaceChildren(...tunes.map(({ title, lang }, i) => new Option(several ? `${title} · ${lang}` : title, `tune ${i}`)));
  // A song of a language that the voice does not sing stays one.
  const langs = [...new Set([...voice.langs, editor.song.lang])];
  $("lang").replaceChildren(...langs.map((lang) => new Option(voice.langs.includes(lang) ? lang : `${lang}: not sung by ${voice.name}`, lang)));
  $("lang").parentElement.hidden = langs.length < 2;
  const chosen = $("lane").value, lanes = voice.lanes.map((row) => new Option(row.still ? `${row.label} (no effect)` : row.label, row.name));
  $("lane").replaceChildren(new Option("none", ""), ...lanes);
  $("lane").value = chosen;
  lane.take(voice.lanes);
  options.build(voice);
}

// --- lyrics

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
      if (note.lyric !== lyric) { delete note.phones; delete note.starts; }
      note.lyric = lyric;
    });
  });
  const more = lyrics.length - ids.length;
  if (more > 0) say(`${more} more ${more > 1 ? "syllables" : "syllable"} than notes`, "note");
  else if (more < 0) say(`${-more} more ${more < -1 ? "notes" : "note"} than syllables; their lyrics stay`, "note");
}

// --- the page

const EDIT = {
  copy: () => { const n = work.copy(editor); say(n ? `${n} ${n > 1 ? "notes" : "note"} copied` : "Select notes first.", "note"); },
  cut: () => { if (work.copy(editor)) editor.remove(); },
  paste: () => {
    const chosen = editor.chosen(), last = chosen[chosen.length - 1];
    const at = roll.cursor > 0 ? hands.snap(roll.cursor) : last ? last.at + last.beats : 0;
    if (!work.paste(editor, at)) say("Nothing was copied.", "note");
  },
  split: () => { if (!work.split(editor, hands.snap(roll.cursor), roll.grid)) say("Select notes to split first.", "note"); },
  join: () => { if (!work.join(editor)) say("Select two notes or more to join.", "note"); },
  quantise: () => { if (!work.quantise(editor, roll.grid)) say("On this grid notes would stand on top of each other.", "note"); },
  smooth: () => pen.overNotes("smooth"),
  erase: () => pen.overNotes("erase"),
};

function connect() {
  const on = (id, event, work_) => $(id).addEventListener(event, work_);
  on("open", "click", () => $("file").click());
  on("file", "change", () => openFile($("file").files[0]));
  on("voice", "change", () => { if ($("voice").value) chooseVoice(editor.song.track || 0, $("voice").value); });
  on("new", "click", () => load(anEmpty()));
  on("project", "click", saveProject);
  on("examples", "change", () => {
    const [kind, id] = $("examples").value.split(" ");
    $("examples").value = "";
    if (kind === "tune") load(tunes[id]);
    const own = kept.all().find((song) => song.id === id);
    if (kind === "kept" && own) {
      kept.take(id);
      load(own.song, id).then(() => say(missing(editor.song), "note"));
    }
  });
  for (const name of ["focus", "pointerdown"]) on("examples", name, listKept);
  on("forget", "click", () => {
    const { id } = kept;
    load(anEmpty()).then(() => kept.remove(id));
    say("Removed from the browser's songs; Undo brings it back.", "note");
  });
  on("undo", "click", () => editor.undo());
  on("redo", "click", () => editor.redo());
  on("add", "click", () => { hands.addAfter(); roll.box.focus({ preventScroll: true }); });
  on("delete", "click", () => editor.remove());
  on("edit", "change", () => {
    EDIT[$("edit").value]?.();
    $("edit").value = "";
  });
  on("tempo", "change", () => {
    const value = Number($("tempo").value);
    if (!(value >= 10 && value <= 1000)) $("tempo").value = timeAt(editor.song, here() ?? 0).tempo;
    else if (here() === null) editor.setTempo(value);
    else editor.setTempoFrom(here(), value);
  });
  on("metre", "change", () => {
    const [upper, lower] = $("metre").value.split("/").map(Number);
    if ($("metre").checkValidity() && upper && upper * 4 / lower >= 0.25) editor.setMetre(upper, lower, here());
    else $("metre").value = timeAt(editor.song, here() ?? 0).metre;
  });
  on("from", "change", showTime);
  on("lang", "change", () => editor.edit((song) => {
    song.lang = $("lang").value;
    // They were of the other language.
    for (const note of song.notes) { delete note.phones; delete note.starts; }
  }));
  on("title", "change", () => editor.edit((song) => { song.title = $("title").value.trim(); }));
  on("grid", "change", () => { roll.grid = Number($("grid").value); roll.draw(); });
  on("wider", "click", () => zoom(1.4));
  on("narrower", "click", () => zoom(1 / 1.4));
  on("lane", "change", () => lane.choose($("lane").value));
  on("auto", "change", () => singing.renew());
  on("lyrics", "change", takeLyrics);
  on("lyrics", "blur", () => changed());
  $("message").querySelector("button").addEventListener("click", () => say(""));
  on("sing", "click", () => singing.sing());
  on("save", "click", save);
  on("export", "change", () => { exportAs($("export").value); $("export").value = ""; });
  on("help-open", "click", () => $("help").showModal());
  on("help-close", "click", () => $("help").close());
  for (const button of document.querySelectorAll("#tools [data-tool]")) button.addEventListener("click", () => pen.choose(button.dataset.tool));
  $("tools").addEventListener("keydown", (event) => walk(event, [...$("tools").children], (button) => pen.choose(button.dataset.tool)));
  const tabs = [...document.querySelectorAll(".tabs [role=tab]")];
  for (const tab of tabs) tab.addEventListener("click", () => show(tab, tabs));
  $("tab-lyrics").parentElement.addEventListener("keydown", (event) => walk(event, tabs, (tab) => show(tab, tabs)));
  roll.box.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    const box = roll.box.getBoundingClientRect(), factor = Math.exp(-(event.deltaY || event.deltaX) / 300);
    if (event.shiftKey) roll.zoomHeight(factor, event.clientY - box.top - 40);
    else zoom(factor, event.clientX - box.left - 46);
  }, { passive: false });
  addEventListener("resize", () => roll.draw());
  addEventListener("keydown", keys);
  drops();
}

function zoom(factor, place) {
  roll.zoom(factor, place);
  lane.draw();
}

// Arrows lead through a row of buttons of which one is chosen.
function walk(event, items, choose) {
  const step = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const next = items[(items.indexOf(document.activeElement) + step + items.length) % items.length];
  choose(next);
  next.focus();
}

function show(tab, tabs) {
  for (const one of tabs) {
    const on = one === tab;
    one.setAttribute("aria-selected", on);
    one.tabIndex = on ? 0 : -1;
    $(one.getAttribute("aria-controls")).hidden = !on;
  }
  inspector.draw();
  tracks.draw();
}

const CONTROL = {
  c: EDIT.copy, x: EDIT.cut, v: EDIT.paste, e: EDIT.split, j: EDIT.join, q: EDIT.quantise,
  r: () => inspector.retake(),
  l: () => { $("loop").checked = !$("loop").checked; },
  y: () => editor.redo(),
};

function keys(event) {
  const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName) && !["range", "checkbox", "radio"].includes(event.target.type);
  const key = event.key.toLowerCase();
  if (event.key === "?" && !typing && !$("help").open) $("help").showModal();
  else if (event.altKey && !event.ctrlKey && TOOLS[Number(event.code.replace("Digit", "")) - 1]) pen.choose(TOOLS[Number(event.code.slice(5)) - 1]);
  else if (!event.ctrlKey && !event.metaKey) return;
  else if (key === "enter") { if (!singing.job) singing.sing(); }
  else if (key === "s") saveProject();
  else if (typing) return;
  else if (key === "z") { if (event.shiftKey) editor.redo(); else editor.undo(); }
  else if (CONTROL[key] && !event.shiftKey) CONTROL[key]();
  else return;
  event.preventDefault();
}

function drops() {
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

function build() {
  editor = new Editor(emptySong(voice.lang), changed);
  roll = new Roll($("roll"), editor);
  pen = new Pen(roll, editor);
  lane = new Lane(roll, editor);
  player = new Player($("audio"), roll, editor);
  options = new Options(editor);
  tracks = new Tracks($("panel-tracks"), editor, { saveWav: saveTrack, voiced: chooseVoice, most: voice.limits.tracks });
  hands = new Hands(roll, editor, {
    newLyric: () => voice.new_lyric[editor.song.lang] ?? "la", say: (text) => say(text, "note"),
    sing: () => singing.sing(), play: () => player.toggle(), pen, heard: (pitch) => player.note(pitch),
  });
  singing = new Singing(editor, roll, player, { prepare: () => { hands.finishLyric(); takeLyrics(); }, changed });
  inspector = new Inspector($("panel-notes"), editor, roll, {
    voice: () => voice, refuse: say, stillOf: (name) => options.stillOf(name), pen, audition: () => singing.hear(editor.chosen()),
  });
  new Ruler(roll, editor, { seek: (beat) => player.seek(beat), looped: () => { $("loop").checked = !!roll.loop; } });
  pen.choose("notes");
}

const start = guarded(async () => {
  await voices.list();
  wanted = voices.rows[0].id;
  voice = await voices.told(wanted);
  $("file").accept = [...voice.formats, ".json"].join(",");
  $("formats").textContent = `Formats: ${voice.formats.join(" ")}, and projects of the studio (.studio.json)`;
  const formats = { ...voice.writes, ".lab": "phone times" };
  $("export").append(...Object.entries(formats).filter(([suffix]) => ![".xml", ".midi"].includes(suffix)).map(([suffix, form]) => new Option(`${form} (${suffix})`, suffix)));
  kept = new Kept("nnsvs-lite studio");
  await kept.resume();
  build();
  setVoice(await (await ask("/api/examples")).json());
  connect();
  await load(kept.last(({ lang }) => voices.sing(lang)) || tunes[0], kept.id);
  editor.past = []; // an empty song
  changed();
  if (missing(editor.song)) say(missing(editor.song), "note");
  document.body.classList.add("ready");
});

start();
