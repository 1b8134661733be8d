from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("kill.py")


def kill(*options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(PROGRAM), *map(str, options)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=280)


@pytest.mark.slow
def test_nothing_half_written_is_left_by_kills(tmp_path: Path) -> None:
    # With this seed all are SIGKILL, at times and at calls.
    chosen = ("--kills", 4, "--seed", 3, "--only", "convert", "embed")
    done = kill(*chosen, "--json", tmp_path / "kills.json")
    assert done.returncode == 0, done.stdout + done.stderr
    counts = json.loads((tmp_path / "kills.json").read_text())
    rows = [(row["group"], row["name"], row["tries"], row["read"]) for row in counts["rows"]]
    assert rows == [("kills", "convert", 2, 2), ("kills", "embed", 2, 2)]
