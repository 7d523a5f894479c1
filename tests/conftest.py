"""Fixtures for all tests."""

import signal
from pathlib import Path

import pytest

# A shell starts what runs in its background with Ctrl-C ignored, which every process below inherits, and
# tests interrupt some.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real recordings and scores kept beside the checkout; tests skip where they are not."""
    folder = Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"needs real recordings in {folder}, which are not part of the project")
    return folder


@pytest.fixture(scope="session")
def toy_dump(tmp_path_factory) -> Path:
    """A dump of a few made-up phrases, to be read only."""
    from toy import make_dump

    return make_dump(tmp_path_factory.mktemp("dump"), {"train": 6, "dev": 2, "eval": 3})


@pytest.fixture(scope="session")
def toy_mel_dump(tmp_path_factory) -> Path:
    """The same of mel spectra, for the systems that are of them alone."""
    from toy import make_dump

    sets = {"train": 6, "dev": 2, "eval": 3}
    return make_dump(tmp_path_factory.mktemp("mel_dump"), sets, mel=True)


@pytest.fixture(scope="session")
def spec(toy_dump):
    """The toy dump's schema and statistics."""
    from nnsvs_lite.features.spec import Spec

    return Spec.read(toy_dump)


@pytest.fixture(scope="session")
def items(toy_dump, spec):
    """Its training phrases, with targets; to be read only."""
    from models_common import examples

    return examples(toy_dump, "train", spec)


@pytest.fixture(scope="session")
def toy_exps(toy_dump, tmp_path_factory) -> dict[str, Path]:
    """Exp dirs of a time-lag, a duration and an acoustic model, with noise for training."""
    from models_common import ROOT, build, shaken

    from nnsvs_lite.features.spec import Spec
    from nnsvs_lite.models.checkpoint import save_model
    from nnsvs_lite.models.config import Config

    exps = {}
    folder = tmp_path_factory.mktemp("exp")
    for family, name in (("timelag", "mdn"), ("duration", "mdn"), ("acoustic", "resf0_conv")):
        path = ROOT / "conf" / family / f"{name}.yaml"
        model = shaken(build(path, Spec.read(toy_dump)), 0.02)
        exps[family] = folder / family
        save_model(exps[family] / "model.pt", model, Config.read(path), {})
    return exps


@pytest.fixture(scope="module")
def chromium():
    """The machine's own Chromium, started; tests skip where there is none."""
    from browser import find_chromium, launched

    pytest.importorskip("playwright", reason="needs playwright: pip install nnsvs_lite[dev]")
    program = find_chromium()
    if program is None:
        pytest.skip("needs Chromium or Chrome on PATH, or its path in the environment variable CHROMIUM")
    with launched(program) as started:
        yield started


@pytest.fixture
def browser(chromium, tmp_path):
    """Opens pages in a real browser, see ``browser.py``; fails the test on errors in their consoles."""
    from browser import Browser

    browser = Browser(chromium, tmp_path)
    yield browser
    browser.close()
    assert browser.errors == []


@pytest.fixture(scope="module")
def cluster():
    """The environment of a real Slurm on this machine; tests skip where it is not installed."""
    from slurm_local import slurm

    with slurm() as environment:
        yield environment


@pytest.fixture(scope="session")
def toy_voice(toy_exps, tmp_path_factory) -> Path:
    """An exp dir that sings, to be read only."""
    import shutil

    from nnsvs_lite.models.pack import assemble

    folder = shutil.copytree(toy_exps["acoustic"], tmp_path_factory.mktemp("voice") / "voice")
    assemble(folder, **{family: toy_exps[family] / "model.pt" for family in ("timelag", "duration")})
    return folder
