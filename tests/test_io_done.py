"""Digests of folders."""

import hashlib
import os

from nnsvs_lite.io.done import digest


def test_a_folder_counts_by_its_files_in_the_order_of_their_paths(tmp_path):
    root = tmp_path / "root"
    for name in ("a/b/c", "a.b/c", "a-b", "a0", "B/ä", "x y", ".hidden", "a/.d/e", "a/b/.f"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "g").write_text("g")
    (root / "linked").symlink_to(tmp_path / "elsewhere")
    (root / "file").symlink_to(tmp_path / "elsewhere" / "g")
    (root / "gone").symlink_to("nowhere")
    seen = [p for p in sorted(root.rglob("*")) if p.is_file() and "/." not in str(p.relative_to(tmp_path))]
    names = [path.relative_to(root).as_posix() for path in seen]
    assert names == ["B/ä", "a/b/c", "a-b", "a.b/c", "a0", "file", "x y"]
    expected = hashlib.sha256()
    for path in seen:
        expected.update(os.fsencode(path.relative_to(root)) + b"\0" + digest(path).encode())
    assert digest(root) == expected.hexdigest()
