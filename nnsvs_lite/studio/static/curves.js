// Curves over a song as runs [cell, [value, ...]], cells of 1/48 of a quarter note; all functions give new runs.

export const CELLS = 48;
export const cellAt = (beat) => Math.round(beat * CELLS);

export function cellsOf(runs = []) {
  const cells = new Map();
  for (const [first, values] of runs) values.forEach((value, i) => cells.set(first + i, value));
  return cells;
}

export function runsOf(cells) {
  const runs = [];
  let next = -1;
  for (const cell of [...cells.keys()].sort((a, b) => a - b)) {
    if (cell !== next) runs.push([cell, []]);
    runs[runs.length - 1][1].push(cells.get(cell));
    next = cell + 1;
  }
  return runs;
}

const tidy = (value) => Math.round(value * 1000) / 1000;

// Along a line of points {beat, value}, as the hand led it.
export function drawn(runs, points) {
  const cells = cellsOf(runs);
  let before = null;
  for (const { beat, value } of points) {
    const at = Math.max(0, cellAt(beat));
    cells.set(at, tidy(value));
    if (before) {
      const step = at < before.at ? -1 : 1;
      for (let cell = before.at + step; cell !== at && before.at !== at; cell += step) {
        cells.set(cell, tidy(before.value + (value - before.value) * (cell - before.at) / (at - before.at)));
      }
    }
    before = { at, value };
  }
  return runsOf(cells);
}

export function erased(runs, from, to) {
  const cells = cellsOf(runs);
  for (const cell of [...cells.keys()]) if (cell >= cellAt(from) && cell <= cellAt(to)) cells.delete(cell);
  return runsOf(cells);
}

// A weighted mean over a sixth of a quarter note; where nothing is drawn of what `own(cell)` says, if anything.
export function smoothed(runs, from, to, own = () => undefined) {
  const cells = cellsOf(runs), before = new Map(cells);
  const at = (cell) => before.get(cell) ?? own(cell);
  const reach = CELLS / 6;
  for (let cell = Math.max(0, cellAt(from)); cell <= cellAt(to); cell += 1) {
    if (at(cell) === undefined) continue;
    let sum = 0, weights = 0;
    for (let k = -reach; k <= reach; k += 1) {
      const value = at(cell + k);
      if (value === undefined) continue;
      const weight = 1 + Math.cos(Math.PI * k / (reach + 1));
      sum += weight * value;
      weights += weight;
    }
    cells.set(cell, tidy(sum / weights));
  }
  return runsOf(cells);
}

export function filled(runs, from, to, value) {
  const rest = erased(runs, from, to);
  return value ? drawn(rest, [{ beat: from, value }, { beat: to, value }]) : rest;
}

// What lies in spans [[from, to, beats], ...] moves along by so many beats, and its values by some.
export function moved(runs, spans, by = 0) {
  if (!runs || !runs.length) return runs || [];
  const cells = cellsOf(runs), lifted = [];
  for (const [from, to, beats] of spans) {
    for (let cell = cellAt(from); cell < cellAt(to); cell += 1) {
      if (!cells.has(cell)) continue;
      lifted.push([cell + cellAt(beats), tidy(cells.get(cell) + by)]);
      cells.delete(cell);
    }
  }
  for (const [cell, value] of lifted) if (cell >= 0) cells.set(cell, value);
  return runsOf(cells);
}
