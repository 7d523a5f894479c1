#!/usr/bin/env python3
"""What make lint checks beside ruff and import-linter: no file too long, no class name used twice,
no circle of imports in tools/.

Prints the lines of each room of the package, so that one sees where the weight is. Run in the repository.
"""

import ast
import graphlib
import io
import subprocess
import sys
import tokenize
from collections import Counter, defaultdict
from pathlib import Path

MAX_LINES = 500
_NOT_CODE = {
    *(tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT),
    *(tokenize.ENCODING, tokenize.ENDMARKER),
}


def code_lines(text: str) -> int:
    """Lines of Python that are neither empty nor comment nor docstring."""
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in _NOT_CODE:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        # A string that stands alone documents what is before it, or the module, class or function.
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        ):
            lines.difference_update(range(node.lineno, node.end_lineno + 1))
    return len(lines)


def circle(folder: Path) -> list[str]:
    """Names of scripts in a folder that import each other in a circle; empty if there are none."""
    names = {path.stem for path in folder.glob("*.py")}
    imports: dict[str, set[str]] = {}
    for name in names:
        found: set[str] = set()
        for node in ast.walk(ast.parse((folder / f"{name}.py").read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level:
                found.add(node.module or "")
        imports[name] = found & names
    try:
        graphlib.TopologicalSorter(imports).prepare()
    except graphlib.CycleError as error:
        return error.args[1]
    return []


def main() -> int:
    listed = ["git", "ls-files", "-co", "--exclude-standard", "--deduplicate", "*.py", "*.sh"]
    names = subprocess.run(listed, capture_output=True, text=True, check=True).stdout.splitlines()
    files = {path: path.read_text(encoding="utf-8") for path in map(Path, names) if path.is_file()}
    faults = [
        f"{path}: {count} lines, {MAX_LINES} at most"
        for path, text in files.items()
        if (count := len(text.splitlines())) > MAX_LINES
    ]
    if found := circle(Path("tools")):
        faults.append(f"tools: modules import each other in a circle: {' -> '.join(found)}")

    classes = Counter(
        node.name
        for path, text in files.items()
        if path.parts[0] == "nnsvs_lite" and path.suffix == ".py"
        for node in ast.parse(text).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    faults += [f"nnsvs_lite: {count} classes are called {n}" for n, count in classes.items() if count > 1]

    rooms: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for path, text in files.items():
        if path.parts[0] == "nnsvs_lite" and path.suffix == ".py":
            room = path.parts[1] if len(path.parts) > 2 else "(top)"
            for name in (room, "all rooms"):
                rooms[name] = [
                    a + b for a, b in zip(rooms[name], (1, code_lines(text), len(text.splitlines())))
                ]
    print(f"{'room':<12}{'files':>8}{'code':>8}{'lines':>8}")
    for name, counts in sorted(rooms.items(), key=lambda item: item[1][2]):
        print(f"{name:<12}" + "".join(f"{count:>8,}" for count in counts))
    for fault in faults:
        print(fault, file=sys.stderr)
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
