"""``nnsvs-lite`` without its start-up: one process imports torch once, each command runs in a fork of it."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

SERVER = '''
"""Answers each line {words, cwd, out} with an exit status; children write to the file ``out``."""
import json, os, sys, traceback

import scipy.signal, soundfile, torch
import nnsvs_lite.features.world, nnsvs_lite.synthesis.singer, nnsvs_lite.training.loop
from nnsvs_lite.bin.main import main

torch.set_num_threads(1)
asked, answers = (os.path.join(sys.argv[1], name) for name in ("asked", "answers"))
while True:
    with open(asked) as stream:
        text = stream.read()
    if not text:
        break
    job = json.loads(text)
    pid = os.fork()
    if pid == 0:
        os.chdir(job["cwd"])
        out = os.open(job["out"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(out, 1), os.dup2(out, 2)
        status = 1
        try:
            status = main(job["words"])
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush(), sys.stderr.flush()
        os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with open(answers, "w") as stream:
        stream.write(str(status))
'''
CLIENT = """#!{python} -IS
import json, os, sys
folder = {folder!r}
out = os.path.join(folder, "out")
with open(os.path.join(folder, "asked"), "w") as stream:
    json.dump({{"words": sys.argv[1:], "cwd": os.getcwd(), "out": out}}, stream)
with open(os.path.join(folder, "answers")) as stream:
    status = int(stream.read())
with open(out) as stream:
    (sys.stderr if status else sys.stdout).write(stream.read())
sys.exit(status)
"""


@contextlib.contextmanager
def forked(folder: Path) -> Iterator[dict[str, str]]:
    """An environment in which ``nnsvs-lite`` is such a program; one command at a time.

    Args:
        folder: new, for the program and its pipes.
    """
    (folder / "bin").mkdir(parents=True)
    for name in ("asked", "answers"):
        os.mkfifo(folder / name)
    program = folder / "bin" / "nnsvs-lite"
    program.write_text(CLIENT.format(python=sys.executable, folder=os.fspath(folder)))
    program.chmod(0o755)
    environment = os.environ | {"OMP_NUM_THREADS": "1", "VIRTUAL_ENV": os.fspath(folder)}
    environment["PATH"] = f"{folder / 'bin'}:{sys.prefix}/bin:{os.environ['PATH']}"
    server = subprocess.Popen([sys.executable, "-c", SERVER, os.fspath(folder)], env=environment)
    try:
        yield environment
    finally:
        server.terminate()
        server.wait()
