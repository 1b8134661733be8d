"""Readers and a writer of a gallery for a few seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).with_name("readers.py")


@pytest.mark.slow
def test_readers_and_a_writer(ready: Any) -> None:
    process = ready(PROGRAM, "--seconds", 2, "--readers", 2)
    out, err = process.communicate()
    assert process.returncode == 0, out + err
