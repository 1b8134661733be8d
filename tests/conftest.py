"""What every test may ask for: the reference material beside the project."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of golden data and recordings; the test is skipped where it is absent."""
    given = os.environ.get("ACLNET_SHARED")
    folder = Path(given) if given else Path(__file__).resolve().parents[2] / "shared"
    if not (folder / "golden").is_dir():
        pytest.skip(f"the reference material is not at {folder}; set ACLNET_SHARED to its folder")
    return folder
