"""Damages and forges voices, checkpoints and archives, and sings or reads what is left of them.

Each input is made from its number and the seed alone. It must be refused in one line, or give what the whole
one gives. `fields` changes one value of a pack's manifest or of one of its checkpoints, and leaves the sums
of checkpoints as they were; `forged` makes all sums anew, as someone who means harm would: what is then sung
may be another voice, but nothing else may happen. `pack`, `model` and `ark` flip bits. Failures are sounds
that differ, tracebacks, poor messages, code that is run, too much time and memory.

    .venv/bin/python tools/fuzz_voice.py --count 300
"""

import argparse
import hashlib
import io
import json
import math
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import traceback
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

KINDS = ("fields", "forged", "pack", "model", "ark")
MEMORY = 1 << 30
"""Bytes that a worker may hold at most, torch included."""
SECONDS = 30
"""Longest processor time for one input."""
HELPER = "from pathlib import Path\nPath(__file__).with_name('it_ran').touch()\nclass Helper: pass\n"
GOOD = ("refused", "same", "another voice")


def nasty(rng: random.Random, old: Any) -> Any:
    """A value to stand where ``old`` stood."""
    deep: Any = []
    for _ in range(rng.choice([3, 50, 400])):
        deep = [deep] if rng.random() < 0.5 else {"a": deep}
    values: list[Any] = [0, 1, -1, 2, 3, 10**9, -(10**9), 2**63, 10**400, 0.5, -0.5, 1e-9, 1e9, 1e308, -0.0]
    values += [math.nan, math.inf, -math.inf, True, False, None, "", "x", "../x", "a\0b\x1b\n|<", "9" * 5000]
    values += [[], {}, [None], [[]], [0.0] * 100_000, {"a": 1}, deep, {"class_path": "helper.Helper"}]
    values += ["helper.Helper", {"class_path": "os.system", "init_args": {"command": "touch it_ran"}}]
    if isinstance(old, (int, float)) and not isinstance(old, bool):
        values += [old + 1, old * 2, -old, old * 1000, str(old), [old], old + 0.25] * 2
    if isinstance(old, list):
        values += [old[:-1], [*old, *old], old[::-1]] * 3
    return rng.choice(values)


def change(rng: random.Random, value: Any) -> None:
    """Changes one place of nested plain values, those near the top as often as those far below."""
    holder, key = value, rng.choice(list(value))
    while isinstance(holder[key], (dict, list)) and holder[key] and rng.random() < 0.85:
        holder = holder[key]
        key = rng.choice(list(holder)) if isinstance(holder, dict) else rng.randrange(len(holder))
    way = rng.random()
    if way < 0.1 and isinstance(holder, dict):
        del holder[key]
    elif way < 0.2 and isinstance(holder, dict):
        holder[rng.choice(["class_path", "more", "", 3])] = nasty(rng, None)
    else:
        holder[key] = nasty(rng, holder[key])


def spoil(rng: random.Random, tensor: Any) -> Any:
    """A tensor of other sizes, types or numbers."""
    makers = (
        *(lambda t: t[..., :0], lambda t: t * math.nan, lambda t: t.reshape(-1, 1), lambda t: t.double()),
        *(lambda t: None, lambda t: "x", lambda t: t.expand(100, *t.shape), lambda t: t + 1),
    )
    return rng.choice(makers)(tensor)


def forged(rng: random.Random, pack: Path, sums: bool) -> bytes:
    """A pack with one changed value; with ``sums`` its checkpoints' own are made anew."""
    import torch

    from nnsvs_lite.models import checkpoint

    with zipfile.ZipFile(pack) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    name = rng.choice([name for name in files if name.endswith((".pt", ".json"))])
    if name.endswith(".pt"):
        state = torch.load(io.BytesIO(files[name]), weights_only=True)
        parts = {key: item for key, item in state.items() if key != "weights"}
        if rng.random() < 0.2:
            weight = rng.choice(sorted(state["weights"]))
            state["weights"][weight] = spoil(rng, state["weights"][weight])
        else:
            change(rng, parts)
        state = parts | {"weights": state["weights"]}
        if sums:
            state.pop("sum", None)
            path = pack.with_name("forged.pt")
            checkpoint.save(path, state)
            files[name] = path.read_bytes()
        else:
            torch.save(state, buffer := io.BytesIO())
            files[name] = buffer.getvalue()
    manifest = json.loads(files["manifest.json"])
    if name in manifest["files"]:
        sha = hashlib.sha256(files[name]).hexdigest()
        manifest["files"][name] = {"size": len(files[name]), "sha256": sha}
    else:
        change(rng, manifest)
    try:
        files["manifest.json"] = json.dumps(manifest).encode()
    except ValueError:
        files["manifest.json"] = b'{"format": ' + b"9" * 5000 + b"}"
    with zipfile.ZipFile(buffer := io.BytesIO(), "w") as archive:
        for member, data in files.items():
            archive.writestr(member, data)
    return buffer.getvalue()


def flipped(rng: random.Random, data: bytes) -> bytes:
    """One flipped bit; or, now and then, a cut or a byte of noise in several places."""
    broken, way = bytearray(data), rng.random()
    if way < 0.05:
        return data[: rng.randrange(len(data))]
    for _ in range(1 if way < 0.8 else 8):
        at = rng.randrange(len(data)) if rng.random() < 0.7 else -1 - rng.randrange(min(2000, len(data)))
        broken[at] ^= 1 << rng.randrange(8) if way < 0.8 else rng.randrange(1, 256)
    return bytes(broken)


class Voice:
    """A small voice of no beauty, its pack, a song, and an archive, in a folder of their own."""

    def __init__(self, folder: Path):
        import numpy as np
        import torch
        from models_common import build, shaken
        from toy import make_dump, make_score

        from nnsvs_lite.features.spec import Spec
        from nnsvs_lite.models.checkpoint import save_model
        from nnsvs_lite.models.config import Config
        from nnsvs_lite.models.pack import FILES, pack

        self.exp, self.pack = folder / "exp", folder / "voice.nnsvs"
        torch.set_num_threads(1)
        dump = make_dump(folder / "dump", {"train": 3})
        spec = Spec.read(dump)
        for family, name in (("timelag", "mdn"), ("duration", "mdn"), ("acoustic", "resf0_conv")):
            path = ROOT / "nnsvs_lite" / "conf" / family / f"{name}.yaml"
            save_model(self.exp / FILES[family], shaken(build(path, spec), 0.02), Config.read(path), {})
        (folder / "LICENSE").write_text("Sing as you like.\n")
        pack(self.exp, self.pack, folder / "LICENSE", "toy")
        self.scp = dump / "train" / "mgc.scp"
        self.sources = {
            "pack": self.pack,
            "model": self.exp / "model.pt",
            "ark": self.scp.with_suffix(".ark"),
        }
        self.bytes = {kind: path.read_bytes() for kind, path in self.sources.items()}
        self.score = make_score(np.random.default_rng(0), 3)
        self.whole = {"ark": self.read(), "model": self.sing(self.exp), "pack": self.sing(self.pack)}

    def sing(self, path: Path) -> Any:
        from nnsvs_lite.synthesis.singer import Singer

        return Singer.load(path).sing(self.score).waveform.tobytes()

    def read(self) -> Any:
        from nnsvs_lite.io.tables import FeatureReader

        return {utt: matrix.tobytes() for utt, matrix in FeatureReader(self.scp).items()}

    def check(self, kind: str, rng: random.Random) -> tuple[str, str]:
        """What comes of one input, and why."""
        from nnsvs_lite.io.errors import DataError

        base = kind if kind in self.sources else "pack"
        pristine = base != kind
        data = forged(rng, self.pack, kind == "forged") if pristine else flipped(rng, self.bytes[kind])
        path = self.sources[base]
        path.write_bytes(data)
        try:
            found = self.read() if base == "ark" else self.sing(self.exp if base == "model" else path)
        except DataError as error:
            text = str(error)
            poor = "\n" in text or not text.isprintable() or len(text) > 2500 or path.name not in text
            return ("poor message" if poor and base != "ark" else "refused"), text
        except Exception:
            return "traceback", traceback.format_exc()
        finally:
            path.write_bytes(self.bytes[base])
        if found == self.whole[base]:
            return "same", ""
        return ("another voice" if kind == "forged" else "sung differently"), ""


def peak_memory() -> int:
    """Bytes that this process has held at most."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmHWM"].split()[0]) * 1024


def work(kind: str, seed: int, first: int, last: int) -> None:
    """Tries inputs ``first`` to ``last`` and prints a line of JSON for each."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        sys.path.insert(0, folder)
        Path("helper.py").write_text(HELPER)
        voice = Voice(Path(folder).resolve())
        room = 8 << 30
        resource.setrlimit(resource.RLIMIT_AS, (room, room))
        for index in range(first, last):
            print(json.dumps({"begin": index}), flush=True)
            signal.setitimer(signal.ITIMER_PROF, SECONDS)
            signal.alarm(20 * SECONDS)
            outcome, why = voice.check(kind, random.Random(f"{kind} {seed} {index}"))
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.alarm(0)
            peak = peak_memory()
            if Path("it_ran").exists() or "helper" in sys.modules:
                outcome = "ran code"
            elif peak > MEMORY:
                outcome = "over memory"
            print(json.dumps({"end": index, "outcome": outcome, "why": why, "peak": peak}), flush=True)
            if outcome in ("ran code", "over memory"):
                return


def fuzz(kind: str, count: int, seed: int, first: int = 0) -> dict[str, Any]:
    """Tries ``count`` inputs of a kind in workers; returns counts, failures and the peak memory."""
    outcomes: Counter[str] = Counter()
    failures, reasons, peak, position = [], Counter(), 0, first
    while position < first + count:
        command = [sys.executable, __file__, "--worker", kind, str(seed), str(position), str(first + count)]
        worker = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert worker.stdout is not None
        begun = None
        for row in map(json.loads, worker.stdout):
            if "begin" in row:
                begun = row["begin"]
                continue
            position, begun = row["end"] + 1, None
            outcomes[row["outcome"]] += 1
            peak = max(peak, row["peak"])
            if row["outcome"] not in GOOD:
                failures.append(row)
            elif row["why"]:
                reasons[row["why"].partition(": ")[2][:100]] += 1
        if worker.wait() != 0:
            outcomes["died"] += 1
            failures.append(
                {"end": begun, "outcome": "died", "why": f"the worker ended with {worker.returncode}"}
            )
            if begun is None:
                break
            position = begun + 1
    return {"outcomes": outcomes, "failures": failures, "reasons": reasons, "peak": peak}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=300, help="inputs of each kind")
    parser.add_argument("--seed", type=int, default=1, help="another seed, other inputs")
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    parser.add_argument("--kind", choices=KINDS, action="append", help="only this; may be repeated")
    parser.add_argument("--reasons", action="store_true", help="show what refusals say")
    parser.add_argument("--worker", nargs=4, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        work(args.worker[0], *map(int, args.worker[1:]))
        return 0
    failed = 0
    for kind in args.kind or KINDS:
        result = fuzz(kind, args.count, args.seed, args.first)
        counts = ", ".join(f"{name} {n}" for name, n in sorted(result["outcomes"].items()))
        print(f"{kind:7} {counts}; peak memory {result['peak'] / 2**20:.0f} MiB", flush=True)
        for row in result["failures"][:20]:
            print(f"\ninput {row['end']}: {row['outcome']}: {row['why']}", flush=True)
        for reason, number in result["reasons"].most_common() if args.reasons else ():
            print(f"  {number:4} {reason}")
        failed += len(result["failures"])
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
