"""What every test may ask for: the reference material beside the project."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# No deadline: the machine may be busy. In CI the same examples every time, so that a change is
# judged by what it changes; elsewhere new ones, so that faults are found.
settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of golden data and recordings; the test is skipped where it is absent."""
    given = os.environ.get("ACLNET_SHARED")
    folder = Path(given) if given else Path(__file__).resolve().parents[2] / "shared"
    if not (folder / "golden").is_dir():
        pytest.skip(f"the reference material is not at {folder}; set ACLNET_SHARED to its folder")
    return folder
