"""Feeds damaged scores to the readers until something other than a clear refusal comes back.

Each input is made from its number and the seed alone, and is read with its lyrics turned into phones. A
worker with little memory does the reading: an exception that is no DataError, a message of several lines, an
input that takes too long and a worker that dies are failures. They are kept in a folder and printed.

    .venv/bin/python tools/fuzz_scores.py --count 10000
"""

import argparse
import json
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

MEMORY = 1 << 30
"""Bytes that a worker may hold. Its address space may be half as large again, since libraries reserve what
they never touch; what outgrows that ends in a MemoryError, which is a failure."""

SECONDS = 10
"""Longest processor time for one input; twenty times that on the clock, for machines that do much else."""


def make(seed: int, index: int) -> tuple[str, str, str, bytes]:
    """Form, language, suffix and bytes of one input."""
    from scorefuzz import damaged

    return damaged(random.Random(f"{seed} {index}"))


def read(path: Path, lang: str) -> tuple[str, str]:
    """What comes of reading a file: ``read``, ``refused`` or ``failed``, and why."""
    from scorexml import contiguous

    from nnsvs_lite.io.errors import DataError
    from nnsvs_lite.score.formats.readers import read_score

    try:
        score = read_score(path, lang=lang)
    except DataError as error:
        text = str(error)
        text.encode()
        if "\n" in text or not text.startswith(str(path)) or len(text) > 2000:
            return "failed", f"a poor message: {text[:500]!r}"
        return "refused", text
    except BaseException:
        return "failed", traceback.format_exc()
    if not score.phones or not all(note.phones for note in score.notes):
        return "failed", "a note without phones"
    if not contiguous(score.notes) or any(note.duration <= 0 for note in score.notes):
        return "failed", "notes are not contiguous"
    return "read", ""


def peak_memory() -> float:
    """MiB that this process has held at most; ``ru_maxrss`` would count the one that started it as well."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmHWM"].split()[0]) / 1024


def work(seed: int, first: int, last: int) -> None:
    """Reads inputs ``first`` to ``last`` and prints a line of JSON for each."""
    import logging

    from nnsvs_lite.score.languages import language_codes

    logging.disable(logging.WARNING)
    known = language_codes()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY * 3 // 2, MEMORY * 3 // 2))
    with tempfile.TemporaryDirectory() as folder:
        for index in range(first, last):
            form, lang, suffix, data = make(seed, index)
            path = Path(folder) / f"input{suffix}"
            path.write_bytes(data)
            print(json.dumps({"begin": index}), flush=True)
            signal.setitimer(signal.ITIMER_PROF, SECONDS)
            signal.alarm(20 * SECONDS)
            start = time.process_time()
            outcome, why = read(path, lang if lang in known else "ja")
            seconds = time.process_time() - start
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.alarm(0)
            peak = peak_memory()
            if peak > MEMORY / 2**20:
                outcome, why = "failed", f"{peak:.0f} MiB in use"
            row = {
                "end": index,
                "form": form,
                "outcome": outcome,
                "why": why,
                "seconds": seconds,
                "peak": peak,
            }
            print(json.dumps(row), flush=True)


def fuzz(count: int, seed: int, keep: Path | None = None, first: int = 0) -> dict:
    """Runs ``count`` inputs in workers; returns counts, failures, the slowest input and the peak memory."""
    outcomes: Counter[str] = Counter()
    failures: list[dict] = []
    slowest: dict = {"seconds": 0.0}
    peak = 0.0
    position, end = first, first + count
    while position < end:
        command = [sys.executable, __file__, "--worker", str(seed), str(position), str(end)]
        worker = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert worker.stdout is not None
        begun, started = position, position
        for line in worker.stdout:
            row = json.loads(line)
            if "begin" in row:
                begun = row["begin"]
                continue
            position = row["end"] + 1
            outcomes[f"{row['form']} {row['outcome']}"] += 1
            peak = max(peak, row["peak"])
            if row["seconds"] > slowest["seconds"] and row["end"] != started:
                slowest = row
            if row["outcome"] == "failed":
                failures.append(row)
        if worker.wait() != 0:
            failures.append(
                {"end": begun, "why": f"the worker ended with {worker.returncode} (too slow if -14 or -27)"}
            )
            outcomes["died failed"] += 1
            position = begun + 1
    for row in failures:
        if keep is not None:
            keep.mkdir(parents=True, exist_ok=True)
            _, lang, suffix, data = make(seed, row["end"])
            (keep / f"{seed}-{row['end']}-{lang}{suffix}").write_bytes(data)
    return {"outcomes": outcomes, "failures": failures, "slowest": slowest, "peak": peak}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=10_000, help="inputs")
    parser.add_argument("--seed", type=int, default=1, help="another seed, other inputs")
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    parser.add_argument("--keep", type=Path, help="folder for inputs that fail")
    parser.add_argument("--worker", type=int, nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        work(*args.worker)
        return 0
    start = time.perf_counter()
    result = fuzz(args.count, args.seed, args.keep, args.first)
    totals = Counter()
    for name, number in sorted(result["outcomes"].items()):
        print(f"{name:20} {number:6}")
        totals[name.split()[-1]] += number
    for row in result["failures"][:20]:
        print(f"\ninput {row['end']}: {row['why']}")
    slowest = result["slowest"]
    print(f"\n{args.count} inputs, seed {args.seed}: {dict(totals)} in {time.perf_counter() - start:.0f} s")
    print(f"slowest input: {slowest.get('end')}, {slowest['seconds']:.2f} s of the processor")
    print(f"peak memory: {result['peak']:.0f} MiB")
    return 1 if result["failures"] else 0


if __name__ == "__main__":
    sys.exit(main())
