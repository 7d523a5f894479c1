// Talking to the server, and to whoever sits before the page.

export const $ = (id) => document.getElementById(id);
const OWN = { "X-Studio": "1" };
let said;

export async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, { ...options, headers: { ...OWN, ...options.headers } });
  } catch {
    throw new Error("The studio does not answer; is nnsvs-lite serve still running? Your song is kept here meanwhile.");
  }
  if (answer.ok) return answer;
  const { error } = await answer.json().catch(() => ({ error: `status ${answer.status}` }));
  throw new Error(error);
}

export const post = (path, value) => ask(path, {
  method: "POST", body: JSON.stringify(value), headers: { "Content-Type": "application/json" },
});

export function say(text, kind = "error") {
  clearTimeout(said);
  $("message").firstElementChild.textContent = text;
  $("message").className = kind;
  $("message").hidden = !text;
  if (kind !== "error") said = setTimeout(() => say(""), 6000);
}

export const guarded = (work) => async (...args) => {
  try { await work(...args); } catch (error) { say(error.message); }
};

// Saves what there is under a song's title.
export function download(blob, title, suffix) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = `${(title || "song").replace(/[\\/:*?"<>|]/g, "_")}${suffix}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
