from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from protocols.report import build_report


@pytest.mark.slow
@pytest.mark.timeout(1800)  # on a busy machine; alone a minute
def test_the_checks_run_without_a_gpu(tmp_path: Path) -> None:
    environment = {"DEV": "cpu", "SMALL": "1", "OUT": str(tmp_path), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        ["bash", Path(__file__).with_name("run.sh")],
        capture_output=True,
        text=True,
        env=os.environ | environment,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    lines = (tmp_path / "checks.jsonl").read_text().splitlines()
    assert all(json.loads(line)["exit"] == 0 for line in lines)
    assert len(lines) == 9
    (table,) = (one for one in build_report(tmp_path).tables if one.key == "benchmarks")
    assert any("on the GPU" in row.label for row in table.rows)
