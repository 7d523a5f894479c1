"""Fixtures for all tests."""

from pathlib import Path

import pytest


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
