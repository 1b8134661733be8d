"""Readers and a writer of a gallery for a few seconds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("readers.py")


@pytest.mark.slow
def test_readers_and_a_writer() -> None:
    command = [sys.executable, str(PROGRAM), "--seconds", "4"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
