from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from protocols.report import build_report

HERE = Path(__file__).parent


@pytest.mark.slow
def test_what_the_benchmarks_write_is_a_table(tmp_path: Path) -> None:
    results = tmp_path / "benchmarks"
    commands = (
        ("bench_data_path.py", "--rounds", "1", "--batch", "4"),
        ("bench_evaluation.py", "--rounds", "1", "--reid", "80", "200"),
        ("bench_gallery.py", "--rounds", "1", "--templates", "5000", "--part", "500"),
    )
    for name, *options in commands:
        done = subprocess.run(
            [sys.executable, HERE / name, *options, "--json", results / f"{name}.json"],
            capture_output=True,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(HERE.parents[1])},
        )
        assert done.returncode == 0, done.stderr
    (table,) = (one for one in build_report(tmp_path).tables if one.key == "benchmarks")
    assert len(table.rows) == 12
