// Sings beside the page, so that the page never waits.

import * as ort from "./ort/ort.js";
import { Voice } from "./voice.js";

const here = new URL(".", import.meta.url).href;
ort.env.wasm.numThreads = 1; // more need headers that few servers send
ort.env.wasm.wasmPaths = { wasm: `${here}ort/ort.wasm` };

async function load() {
  const info = await (await fetch(`${here}voice.json`)).json();
  const sessions = {};
  for (const name of Object.keys(info.networks)) {
    postMessage({ stage: `loading ${name}` });
    sessions[name] = await ort.InferenceSession.create(`${here}${name}.onnx`, { executionProviders: ["wasm"] });
  }
  return new Voice(ort, info, sessions);
}

let voice = null;
addEventListener("message", async ({ data: { song, singer, take } }) => {
  try {
    voice ??= load().catch((error) => { voice = null; throw error; });
    const singing = await voice, began = performance.now();
    const sung = await singing.sing(song, singer, take, (progress) => postMessage({ progress }));
    postMessage({ sung, took: (performance.now() - began) / 1000 }, [sung.wav.buffer]);
  } catch (error) {
    postMessage({ error: error.message ?? String(error) });
  }
});
