#!/usr/bin/env python3
"""Writes what is said of public corpora: docs/corpora.md and the README of each recipe, from conf/corpus and
conf/split. A corpus without a recipe folder gets one. Run in the repository: python tools/corpora.py
"""

import sys
from pathlib import Path

import yaml

from nnsvs_lite.corpus.facts import Facts, known_corpora, read_facts

ROOT = Path(__file__).parents[1]
NAMES = {"ja": "Japanese", "zh": "Mandarin", "en": "English", "ko": "Korean", "it": "Italian", "de": "German"}
NAMES |= {"fr": "French", "es": "Spanish"}
USE = {"yes": "commercial use allowed", "no": "**non-commercial**", "ask": "commercial use by consent"}
LINKS = {name: f"../../TEMPLATE/svs1/{name}" for name in ("path.sh", "cmd.sh")}
LINKS |= {"utils": "../../../utils", "conf": "../../../conf"}
STAGES = {"svs1": "svs.sh", "pitch1": "pitch.sh"}


def languages(facts: Facts) -> str:
    return ", ".join(NAMES.get(code, code) for code in facts.languages)


def splits(facts: Facts) -> dict:
    return yaml.safe_load((ROOT / "conf" / "split" / f"{facts.name}.yaml").read_text(encoding="utf-8"))


def readme(facts: Facts) -> str:
    """The README of a recipe."""
    top = f"{facts.folder}/" if facts.folder else ""
    lines = [
        f"# {facts.title}",
        "",
        f"{facts.size[0].upper()}{facts.size[1:]}; {facts.singers}; {languages(facts)}.",
        "",
    ]
    licence = f"[{facts.licence.name}]({facts.licence.url})" if facts.licence.url else facts.licence.name
    lines += ["## Licence", "", f"{licence[0].upper()}{licence[1:]}: {USE[facts.licence.commercial]}."]
    lines += [f"Credit: {facts.licence.credit}." if facts.licence.credit else ""]
    lines += [f"{facts.licence.terms[0].upper()}{facts.licence.terms[1:]}." if facts.licence.terms else ""]
    lines += ["The notice goes into the data dirs (`LICENSE`) and into every voice that is packed.", ""]
    how = f": {facts.get.how}" if facts.get.how else ""
    lines += ["## How to get it", "", f"<{facts.get.where}>{how}.", ""]
    if facts.get.urls:
        lines += ["`./run.sh` downloads it. With a copy of your own, give `--db-root FOLDER`.", ""]
    else:
        lines += [
            "It is not downloaded for you. `./run.sh` takes your copy as `--db-root FOLDER`; expected are",
            "",
        ]
    lines += [*(f"    {top}{path}" for path in facts.tree.values()), ""]
    lines += _sung(facts) if facts.recipe == "svs1" else _scored(facts)
    if facts.unsure:
        lines += ["## Not known", "", *(f"- {text}" for text in facts.unsure), ""]
    if facts.cite:
        lines += ["## Citation", "", f"{facts.cite}.", ""]
    return "\n".join(line for line in lines if line is not None).replace("\n\n\n", "\n\n")


def _scored(facts: Facts) -> list[str]:
    """What is particular of a recipe that scores trackers."""
    lines = ["## What is done", ""]
    lines += ["F0 is found by Harvest, DIO, SwiftF0 and Praat; those that are not installed (extras `f0` and"]
    lines += [
        "`pitch`) are skipped, with a line. From each one's F0 the notes are found as `nnsvs-lite transcribe`"
    ]
    lines += [
        "does. `RESULTS.md` has what is annotated: RPA, RCA, voicing decision error, voicing recall and false"
    ]
    lines += ["alarm, the median error in cents; F1 of notes by onset (50 ms), pitch (50 cents) and end.", ""]
    lines += [f"- {note[0].upper()}{note[1:].rstrip('.')}." for note in facts.notes]
    lines += ["", "A recording that cannot be used stops stage 0, by name; `--local-data-opts` with"]
    lines += ["`--bad-songs leave-out` goes on without it.", ""]
    return lines


def _sung(facts: Facts) -> list[str]:
    """What is particular of a recipe that sings."""
    table = splits(facts)
    lines = ["## Splits", "", "| name | eval | dev | whose |", "|---|---|---|---|"]
    for name, split in table["splits"].items():
        dev = (
            " ".join(split.get("dev", []))
            or (f"the second of every {split['every']} songs" if split.get("every") else "")
            or f"the last {split.get('dev_phrases', 'tenth of')} phrases of training"
        )
        star = " (default)" if name == table["default"] else ""
        chosen = " ".join(split.get("eval", [])) or f"the first of every {split['every']} songs"
        lines += [f"| {name}{star} | {chosen} | {dev} | {split['source']} |"]
    lines += ["", "Another one is chosen by `--local-data-opts` with `--split NAME`.", ""]
    if facts.quirks or facts.notes or facts.offsets:
        lines += ["## What is mended", ""]
        lines += [f"- Song {q.song}: {q.what} ({q.source})." for q in facts.quirks]
        lines += (
            ["- Labels are moved by known offsets from their scores (`offsets` in the YAML)."]
            if facts.offsets
            else []
        )
        lines += [f"- {note[0].upper()}{note[1:].rstrip('.')}." for note in facts.notes]
        lines += [
            "",
            "`data/reconciled.txt` names every place. A song that cannot be mended stops stage 0, by name;",
            "`--bad-songs leave-out` goes on without it.",
            "",
        ]
    return lines


HEAD = ["| corpus | recipe | languages | singers | size | licence | use |", "|---|---|---|---|---|---|---|"]


def row(f: Facts) -> str:
    """A line of the table of recipes."""
    licence = f"[{f.licence.name}]({f.licence.url})" if f.licence.url else f.licence.name
    return (
        f"| {f.title} | [{f.name}](../egs/{f.name}/{f.recipe}/README.md) | {languages(f)} | {f.singers} |"
        f" {f.size} | {licence} | {USE[f.licence.commercial]} |"
    )


def page(corpora: list[Facts], pitched: list[Facts], others: list[Facts]) -> str:
    """docs/corpora.md."""
    lines = [
        "# Corpora",
        "",
        "This page is written by `tools/corpora.py` from `conf/corpus` and `conf/split`.",
        "",
        "    nnsvs-lite corpus                # all of them",
        "    nnsvs-lite corpus kiritan        # licence, where to get it, the tree that is expected",
        "",
        "A recipe is run in its folder, such as `egs/kiritan/svs1`, by `./run.sh` with `--db-root FOLDER`.",
        "Two files make a corpus of whole songs with phone labels and scores: `conf/corpus/NAME.yaml`",
        "(licence, tree, units, known faults) and `conf/split/NAME.yaml`; then",
        "",
        "    python tools/corpora.py          # makes the folder of its recipe, and this page",
        "",
        "The notice of a corpus goes into its data dirs (`LICENSE`) and from there into packed voices.",
        "`nnsvs-lite pack` says whether commercial use is allowed, `nnsvs-lite sing` with `--verbose` the",
        "whole notice. Their `split` says how the sets were chosen; `RESULTS.md` repeats that, and whether",
        "phone times came with the corpus or were found by stage 1.",
        "",
        *HEAD,
        *map(row, corpora),
    ]
    lines += [
        "",
        "Two recipes have pages of their own: [demo](../egs/demo/svs1), of a virtual singer, and",
        "[nit_song070](../egs/nit_song070/svs1/README.md), the demo songs of HTS (CC BY 3.0).",
    ]
    lines += [
        "",
        "## To score trackers of pitch",
        "",
        "These have recordings to hear pitch in, and no phones to sing with. Their recipes set F0 trackers,",
        "and the notes made of what they find, against what people annotated where they did:",
        "",
        "    cd egs/vocadito/pitch1 && ./run.sh --db-root FOLDER",
        "",
        *HEAD,
        *map(row, pitched),
    ]
    lines += [
        "",
        "## Without a recipe",
        "",
        "| corpus | languages | size | licence | why |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| [{f.title}](../egs/{f.name}/README.md) | {languages(f)} | {f.size} | {f.licence.name} |"
        f" {' '.join(f.unsure)} |"
        for f in others
    ]
    return "\n".join([*lines, ""])


def without(facts: Facts) -> str:
    """The README of a corpus that has no recipe."""
    lines = [f"# {facts.title}: no recipe", ""]
    lines += [f"{facts.size[0].upper()}{facts.size[1:]}; {facts.singers}; {languages(facts)}.", ""]
    licence = f"[{facts.licence.name}]({facts.licence.url})" if facts.licence.url else facts.licence.name
    lines += [f"Licence: {licence}; {USE[facts.licence.commercial]}. {facts.licence.terms}".rstrip(), ""]
    how = f" ({facts.get.how})" if facts.get.how else ""
    lines += [f"Where: {facts.get.where}{how}.", "", *facts.unsure, *facts.notes, ""]
    lines += [f"Citation: {facts.cite}.", ""] if facts.cite else []
    return "\n".join(lines)


def scaffold(facts: Facts, folder: Path) -> None:
    """The scripts of a recipe that has none."""
    folder.mkdir(parents=True)
    stages = STAGES[facts.recipe]
    for name, target in (LINKS | {stages: f"../../TEMPLATE/{facts.recipe}/{stages}"}).items():
        (folder / name).symlink_to(target)
    if facts.recipe == "svs1":
        title = f"{facts.title}, split {splits(facts)['default']}"
        more = f"--features-config {facts.features} "
    else:
        title, more = f"F0 trackers on {facts.title}", ""
    script = folder / "run.sh"
    script.write_text(
        f"#!/usr/bin/env bash\n# {facts.title}.\n"
        "#   ./run.sh --db-root FOLDER      with a copy of the corpus (README.md says how to get it)\n"
        'set -euo pipefail\ncd "$(dirname "${BASH_SOURCE[0]}")"\n\n'
        f'exec ./{stages} --corpus {facts.name} --db-root downloads/{facts.name} --title "{title}" \\\n'
        f'    {more}-- "$@"\n',
        encoding="utf-8",
    )
    script.chmod(0o755)


def texts() -> dict[Path, str]:
    """Every file that is generated, with its text."""
    corpora, pitched, others = (
        [read_facts(name) for name in known_corpora(kind)] for kind in ("svs1", "pitch1", "")
    )
    pages = {ROOT / "docs" / "corpora.md": page(corpora, pitched, others)}
    pages |= {ROOT / "egs" / facts.name / "README.md": without(facts) for facts in others}
    pages |= {ROOT / "egs" / f.name / f.recipe / "README.md": readme(f) for f in (*corpora, *pitched)}
    return pages


def main() -> int:
    for facts in map(read_facts, (*known_corpora("svs1"), *known_corpora("pitch1"))):
        folder = ROOT / "egs" / facts.name / facts.recipe
        if not folder.is_dir():
            scaffold(facts, folder)
    for path, text in texts().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
