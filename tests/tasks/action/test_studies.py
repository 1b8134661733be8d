"""The paper's studies of trained action runs, on recordings that only the left arm tells apart."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from aclnet.training.checkpoint import load_checkpoint, save_checkpoint
from protocols.records import DatasetReference, ResultRecord
from tasks.action.gain import level_ranges, read_gain
from tasks.action.occlusion import OCCLUDED
from tasks.action.sweep import split_values
from tasks.run.open import open_run
from tasks.spec import find_task

CLASSES = ("a", "b", "c", "d")


@pytest.fixture(scope="module")
def swept(
    call: Callable[..., Any],
    arms: Path,
    action_recipe: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """The runs of a sweep over two overlaps, and its recipe."""
    folder = tmp_path_factory.mktemp("swept")
    shutil.copy(action_recipe, folder / "tiny.yaml")
    done = call(*_sweep(folder, arms, "1,2"))
    assert "overlap=2 against overlap=1" in done.out
    return folder


def _sweep(folder: Path, data: Path, values: str) -> list[object]:
    options = {"--setting": "objective.overlap", "--values": values, "--runs": folder / "runs"}
    given = [item for pair in options.items() for item in pair]
    return ["action", "sweep", "-c", folder / "tiny.yaml", "--data", data, *given]


def test_sweep_trains_each_value_and_writes_a_record_of_it(swept: Path) -> None:
    for value in (1, 2):
        record = json.loads((swept / "runs" / f"overlap={value}-seed0.json").read_text())
        assert record["settings"]["objective"]["overlap"] == value
        assert (record["kind"], record["variant"]) == ("sweep", "objective.overlap")


def test_sweep_refuses_a_bad_value_before_it_trains(
    call: Callable[..., Any], swept: Path, arms: Path
) -> None:
    done = call(*_sweep(swept, arms, "3,many"), code=2)
    assert "overlap" in done.err
    assert not (swept / "runs" / "overlap=3-seed0").exists()


def test_sweep_refuses_an_ended_run_of_other_settings(
    call: Callable[..., Any], swept: Path, arms: Path
) -> None:
    done = call(*_sweep(swept, arms, "1"), "-s", "train.epochs=3", code=2)
    assert "train.epochs" in done.err


def test_values_in_brackets_stay_together() -> None:
    assert split_values("[1,2], 3,[4,5]") == ["[1,2]", "3", "[4,5]"]


def test_hidden_joints_have_no_influence(swept: Path, tmp_path: Path) -> None:
    action = find_task("action")
    adapter, network = open_run(action, swept / "runs" / "overlap=1-seed0", tmp_path)
    arm = adapter.store.layout.part_index("left_arm")
    seen = adapter.test_scores(network).probabilities
    blind = adapter.test_scores(network, hidden=arm).probabilities
    assert np.ptp(seen, axis=0).max() > 1e-4
    assert np.ptp(blind, axis=0).max() < 1e-6


def test_without_the_arm_that_tells_them_apart_classes_are_guessed(
    call: Callable[..., Any], swept: Path, tmp_path: Path
) -> None:
    runs = [swept / "runs" / f"overlap={value}-seed0" for value in (1, 2)]
    results = tmp_path / "results"
    done = call("action", "occlusion", "-r", runs[0], "-r", runs[1], "--results", results)
    assert "left arm" in done.out
    assert sorted(p.name for p in results.iterdir()) == [f"occlusion-{r.name}.json" for r in runs]
    record = ResultRecord.from_json((results / f"occlusion-{runs[0].name}.json").read_text())
    assert record.metrics["top1/left_arm"] == 0.25
    assert {f"top1/{part}" for part in OCCLUDED} < set(record.metrics)
    assert record.cells is not None
    hands = record.cells["occluded"]["two_hands"]["joints"]
    assert "left_wrist" in hands
    assert "left_elbow" not in hands


def test_families_are_those_of_the_checkpoint(
    call: Callable[..., Any], swept: Path, tmp_path: Path
) -> None:
    run = swept / "runs" / "overlap=1-seed0"
    path = run / "checkpoint.pt"
    kept = path.read_bytes()
    state = load_checkpoint(path)
    (name,) = [key for key in state["task"] if key.endswith("families.members")]
    members = torch.eye(4, dtype=torch.bool)
    members[0, 2] = members[0, 3] = True
    state["task"][name] = members
    save_checkpoint(path, state)
    try:
        call("action", "families", "-r", run, "--json", tmp_path / "f.json")
    finally:
        path.write_bytes(kept)
    cells = json.loads((tmp_path / "f.json").read_text())["cells"]
    found = {name: [row[0] for row in rows] for name, rows in cells["families"].items()}
    assert found == {"a": ["c", "d"], "b": [], "c": [], "d": []}


def test_families_need_the_inter_class_term(
    call: Callable[..., Any], swept: Path, arms: Path, tmp_path: Path
) -> None:
    options = ["-s", "objective.inter_weight=0", "-s", "train.epochs=1", "-r", tmp_path / "ce"]
    recipe = swept / "tiny.yaml"
    call("action", "train", "-c", recipe, "--data", arms, *options)
    done = call("action", "families", "-r", tmp_path / "ce", code=2)
    assert "objective.inter_weight" in done.err


@pytest.mark.parametrize("count", [4, 5, 10, 27, 60, 120])
def test_levels_hold_every_class_once(count: int) -> None:
    ranges = level_ranges(count)
    assert len(ranges) == 4
    assert all(first < last for first, last in ranges)
    assert [n for first, last in ranges for n in range(first, last)] == list(range(count))


def test_levels_need_four_classes() -> None:
    with pytest.raises(ValueError, match="four tested classes"):
        level_ranges(3)


def test_difficulty_of_known_accuracies(call: Callable[..., Any], tmp_path: Path) -> None:
    base = [_run(tmp_path / f"b{i}", c) for i, c in enumerate([[9, 1, 5, 7], [9, 3, 5, 7]])]
    better = _run(tmp_path / "r", [9, 6, 5, 6])
    options = ["-b", base[0], "-b", base[1], "-r", better, "--json", tmp_path / "out.json"]
    call("action", "difficulty", *options)
    record = ResultRecord.from_json((tmp_path / "out.json").read_text())
    assert record.metrics["baseline/1-1"] == pytest.approx(0.2)  # class b, mean of two seeds
    assert record.metrics["gain/1-1"] == pytest.approx(0.4)
    assert record.metrics["gain/3-3"] == pytest.approx(-0.1)  # class d
    assert record.cells is not None
    assert [level["classes"] for level in record.cells["levels"]] == [["b"], ["c"], ["d"], ["a"]]


def test_class_gain_is_sorted(call: Callable[..., Any], tmp_path: Path) -> None:
    one, two = _run(tmp_path / "1", [9, 1, 5, 7]), _run(tmp_path / "2", [9, 6, 7, 6])
    done = call("action", "class-gain", "-b", one, "-r", two, "--json", tmp_path / "out.json")
    assert [line.split()[0] for line in done.out.splitlines()[2:6]] == ["b", "c", "a", "d"]
    record = ResultRecord.from_json((tmp_path / "out.json").read_text())
    assert record.metrics["mean_gain"] == pytest.approx(0.15)
    assert record.metrics["share_worse"] == 0.25


def test_a_class_without_test_sample_has_no_part(tmp_path: Path) -> None:
    run = _run(tmp_path / "r", [1, 0, 1, 1], tested=[1, 0, 1, 1])
    gain, _ = read_gain([run], [run])
    assert gain.classes == ("a", "c", "d")
    assert gain.untested == ("b",)


def test_runs_on_other_samples_are_not_compared(tmp_path: Path) -> None:
    one = _run(tmp_path / "1", [1, 1, 1, 1])
    two = _run(tmp_path / "2", [1, 1, 1, 1], tested=[10, 10, 10, 11])
    with pytest.raises(ValueError, match="other samples"):
        read_gain([one], [two])


def test_an_unfinished_run_is_not_compared(tmp_path: Path) -> None:
    path = _run(tmp_path / "r", [1, 1, 1, 1]) / "record.json"
    record = ResultRecord.read(path)
    record.model_copy(update={"counts": {**record.counts, "trained_epochs": 3}}).write(path)
    with pytest.raises(ValueError, match=r"training is not finished \(epoch 3\)"):
        read_gain([path], [path])


def _run(folder: Path, correct: list[int], tested: list[int] | None = None) -> Path:
    """A folder with the record of a run that got so many of ten right in each class."""
    ResultRecord(
        task="action",
        dataset=DatasetReference(name="made", fingerprint="f", synthetic=True),
        protocol="store",
        rule="1 clips",
        objective="ce",
        stream="j",
        seed=0,
        metrics={"top1": 0.5},
        intervals={},
        counts={},
        settings={},
        environment={},
        seconds=1.0,
        command="",
        cells={"classes": list(CLASSES), "tested": tested or [10] * 4, "correct": correct},
    ).write(folder / "record.json")
    return folder
