"""A fourth task from one file outside the project, in processes of the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from protocols.records import ResultRecord

PLUGIN = Path(__file__).with_name("verify.py")
RECIPE = """
data:
  walkers:
    {identities: 6, views: [0, 90], nm_takes: 2, bg_takes: 1, cl_takes: 1, frames: [20, 22]}
clip: {frames: 16, streams: [j, b], augment: {mirror: 0.0}}
network: {encoder: {name: temporal_conv, width: 8, blocks: 1}}
objective: {start_epoch: 1, queue_size: 8, projection_dim: 16}
sampler: {identities_per_batch: 3, samples_per_identity: 2, steps_per_epoch: 2}
train: {epochs: 2, accelerator: cpu}
"""

# As the console script does, which never looks for modules in the working folder.
START = "import sys; sys.path[:] = filter(None, sys.path); from tasks.cli import main; main()"

pytestmark = pytest.mark.slow

Run = Callable[..., str]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("verify")
    (place / "tiny.yaml").write_text(RECIPE)
    (place / "tasks.py").write_text("raise SystemExit('this is not the project')")
    return place


@pytest.fixture(scope="module")
def run(ready: Any, folder: Path) -> Run:
    """Call `aclnet-task --plugin verify.py` there; what it prints."""

    def call(*arguments: str) -> str:
        process = ready("-c", START, "--plugin", PLUGIN, *arguments, cwd=folder)
        out, err = process.communicate()
        assert process.returncode == 0, err
        return str(out + err)

    return call


@pytest.fixture(scope="module")
def trained(run: Run, folder: Path) -> Path:
    run("verify", "train", "-c", "tiny.yaml", "--run", "runs/one")
    return folder / "runs" / "one"


def test_it_is_small() -> None:
    assert len(PLUGIN.read_text().splitlines()) < 80


def test_train_resume_and_evaluate(run: Run, trained: Path) -> None:
    first = ResultRecord.from_json((trained / "record.json").read_text())
    assert (first.task, first.kind, first.rule) == ("verify", "run", "threshold 0.5")
    assert first.metrics.keys() == {"auc", "accuracy"}
    (trained / "record.json").unlink()
    assert "only evaluated again" in run("verify", "train", "--run", "runs/one", "--resume")
    again = ResultRecord.from_json((trained / "record.json").read_text())
    assert (again.metrics, again.cells) == (first.metrics, first.cells)
    run("verify", "eval", "--threshold", "1.1", "--json", "eval.json")
    changed = ResultRecord.from_json((trained.parents[1] / "eval.json").read_text())
    assert changed.rule == "threshold 1.1"
    assert changed.metrics["auc"] == first.metrics["auc"]
    assert changed.metrics["accuracy"] != first.metrics["accuracy"]


def test_study_compare_and_report(run: Run, folder: Path) -> None:
    said = run("verify", "study", "-c", "tiny.yaml", "--seeds", "0", "--results", "results")
    assert "acl against ce: " in said
    records = [str(folder / "results" / f"{arm}-seed0.json") for arm in ("ce", "acl")]
    found = run("compare", *records)
    assert "auc" in found
    assert "accuracy differs by" in found or "points of accuracy" in found
    assert "rank-1" not in found
    assert "3 are unchanged" in found or "gain with acl-seed0" in found
    run("report", "--results", "results", "--out", "out", "--formats", "csv,html", "--no-figures")
    table = (folder / "out" / "tables" / "verify-walkers.csv").read_text()
    auc = ResultRecord.from_json(Path(records[1]).read_text()).metrics["auc"]
    assert f"{100 * auc:.1f}" in table
    assert "verify" in (folder / "out" / "index.html").read_text()


def test_its_costs_are_measured(run: Run, folder: Path) -> None:
    run("cost", "-c", "tiny.yaml", "--task", "verify", "--seconds", "0", "--json-dir", "costs")
    (file,) = (folder / "costs").glob("*.json")
    assert json.loads(file.read_text())["metrics"]["parameters"] > 0
