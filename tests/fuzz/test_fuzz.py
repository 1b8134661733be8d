from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("run.py")


def fuzz(*options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(PROGRAM), *map(str, options)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=280)


@pytest.mark.slow
def test_whole_files_are_read_and_counted(tmp_path: Path) -> None:
    names = ("gaitgraph_csv", "pyskl", "store", "embeddings_npz", "record", "layout")
    done = fuzz("--inputs", 6, "--jobs", 1, "--only", *names, "--json", tmp_path / "fuzz.json")
    assert done.returncode == 0, done.stdout + done.stderr
    counts = json.loads((tmp_path / "fuzz.json").read_text())
    found = [(row["name"], row["read"], row["faults"]) for row in counts["rows"]]
    assert found == [(name, 1, {}) for name in sorted(names)]
    assert counts["command"].startswith("python tests/fuzz/run.py --inputs 6")
    assert {"commit", "python"} <= counts["environment"].keys()


def test_an_input_is_the_same_every_time() -> None:
    code = "import inputs; print(inputs.make_input(3, 'npz', 77))"
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            cwd=PROGRAM.parent,
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(PROGRAM.parents[2])},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1


@pytest.mark.slow
def test_damaged_files_are_read_or_refused() -> None:
    done = fuzz("--inputs", 500, "--jobs", 1, "--seed", 1)
    assert done.returncode == 0, done.stdout + done.stderr
