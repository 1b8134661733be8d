from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from protocols.report import build_report

HERE = Path(__file__).parent
SHORT = ("--share-batch", "1", "--share-rounds", "1", "--frames", "8")
SEARCHED = ("--probes", "20", "--gallery", "500", "--index", "2000", "--rerank", "100")


@pytest.mark.slow
def test_what_the_benchmarks_write_is_a_table(tmp_path: Path) -> None:
    results = tmp_path / "benchmarks"
    commands = (
        ("bench_data_path.py", "--batch", "4", "--step", "0"),
        ("bench_evaluation.py", "--reid", "80", "200"),
        ("bench_losses.py", "--largest", "60", *SHORT),
        ("bench_backbone.py", "--batch", "1", "--frames", "8"),
        ("bench_step.py", "--batch", "1", "--frames", "8"),
        ("bench_search.py", *SEARCHED),
        ("bench_gallery.py", "--templates", "5000", "--part", "500"),
    )
    written = 0
    for name, *options in commands:
        path = results / f"{name}.json"
        done = subprocess.run(
            [sys.executable, HERE / name, "--rounds", "1", *options, "--json", path],
            capture_output=True,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(HERE.parents[1])},
        )
        assert done.returncode == 0, done.stderr
        rows = json.loads(path.read_text())["rows"]
        assert rows, name
        written += len(rows)
    (table,) = (one for one in build_report(tmp_path).tables if one.key == "benchmarks")
    assert len(table.rows) == written
