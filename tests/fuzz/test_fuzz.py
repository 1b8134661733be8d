from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).with_name("run.py")


def test_an_input_is_the_same_every_time(ready: Any) -> None:
    code = "import inputs; print(inputs.make_input(3, 'npz', 77))"
    path = {"PYTHONPATH": f"{PROGRAM.parent}:{PROGRAM.parents[2]}"}
    other = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | path | {"PYTHONHASHSEED": "1"},
    )
    assert ready("-c", code, env=path).communicate()[0] == other.stdout


@pytest.mark.slow
@pytest.mark.timeout(600)  # on a busy machine
def test_files_of_every_format_are_read_or_refused(
    ready: Any, tmp_path: Path, thorough: bool
) -> None:
    count = 460 if thorough else 92
    chosen = ("--inputs", count, "--jobs", 1, "--seed", 1, "--json", tmp_path / "fuzz.json")
    process = ready(PROGRAM, *chosen)
    out, err = process.communicate(600)
    assert process.returncode == 0, out + err
    counts = json.loads((tmp_path / "fuzz.json").read_text())
    assert len(counts["rows"]) + len(counts["left_out"]) > 20
    # The first input of each is a whole file; of the hostile ones none may be read.
    read = Counter[str]()
    for row in counts["rows"]:
        read.update({row["name"]: row["read"]})
    assert {name for name in read if not read[name]} == {"hostile_pyskl", "hostile_pose_pickle"}
    assert counts["command"].startswith(f"python tests/fuzz/run.py --inputs {count}")
    assert {"commit", "python"} <= counts["environment"].keys()
