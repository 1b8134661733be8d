"""Embeddings over the training (Fig. 5), on recordings that only the left arm tells apart."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from aclnet.models import SkeletonNetwork
from aclnet.training.checkpoint import load_checkpoint
from aclnet.training.log import read_log
from protocols.records import ResultRecord
from tasks.action.evolution import KeepingAdapter, class_rows, embedding_map, read_kept, silhouette

Call = Callable[..., Any]
EPOCHS = ("-s", "train.epochs=4", "-s", "train.evaluate_every_epochs=2")


def _evolution(folder: Path, recipe: Path, data: Path, *more: object) -> list[object]:
    places = ["--runs", folder / "runs", "--results", folder / "results"]
    return ["action", "evolution", "-c", recipe, "--data", data, *places, *EPOCHS, *more]


@pytest.fixture(scope="module")
def evolved(
    call: Call, action_recipe: Path, arms: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The runs of CE and ACL with their maps of epochs 1 and 3."""
    folder = tmp_path_factory.mktemp("evolved")
    done = call(*_evolution(folder, action_recipe, arms, "--epochs", "3,1"))
    rows = {line.split()[0]: line.split() for line in done.out.splitlines() if line.strip()}
    assert rows["arm"] == ["arm", "seeds", "silhouette/1", "silhouette/3"]
    for arm in ("ce", "acl"):
        record = _record(folder, arm)
        assert rows[arm][2:] == [f"{100 * record.metrics[f'silhouette/{e}']:.2f}" for e in (1, 3)]
    return folder


def _record(folder: Path, arm: str) -> ResultRecord:
    return ResultRecord.from_json((folder / "results" / f"evolution-{arm}-seed0.json").read_text())


def test_a_record_an_arm_holds_a_map_an_epoch(evolved: Path) -> None:
    for arm in ("ce", "acl"):
        record = _record(evolved, arm)
        assert (record.objective, record.task) == (arm, "action")
        assert record.cells is not None
        assert sorted(record.cells["classes"]) == ["a", "b", "c", "d"]
        assert np.bincount(record.cells["class"]).tolist() == [2, 2, 2, 2]
        assert [one["epoch"] for one in record.cells["maps"]] == [1, 3]
        for one in record.cells["maps"]:
            assert np.shape(one["points"]) == (8, 2)
            assert one["silhouette"] == record.metrics[f"silhouette/{one['epoch']}"]
            label, embedding = read_kept(evolved / "runs" / f"{arm}-seed0", one["epoch"])
            assert one["silhouette"] == pytest.approx(silhouette(embedding, label))
    assert _record(evolved, "ce").metrics != _record(evolved, "acl").metrics


def test_keeping_embeddings_changes_nothing_of_the_run(
    evolved: Path, call: Call, action_recipe: Path, arms: Path, tmp_path: Path
) -> None:
    command = ("action", "train", "-c", action_recipe, "--data", arms, "-r", tmp_path / "plain")
    call(*command, *EPOCHS)
    kept = evolved / "runs" / "acl-seed0"
    for name in ("best.pt", "checkpoint.pt"):
        one, two = (load_checkpoint(run / name) for run in (tmp_path / "plain", kept))
        assert one["state"]["epoch"] == two["state"]["epoch"]
        assert all(torch.equal(one["task"][key], two["task"][key]) for key in one["task"])
    evaluated = [
        [line["epoch"] for line in read_log(run / "log.jsonl") if line["kind"] == "evaluation"]
        for run in (tmp_path / "plain", kept)
    ]
    assert evaluated == [[2, 4], [2, 4]]


def test_other_classes_need_no_training(
    evolved: Path, call: Call, action_recipe: Path, arms: Path, tmp_path: Path
) -> None:
    command = ["action", "evolution", "-c", action_recipe, "--data", arms, *EPOCHS]
    places = ["--runs", evolved / "runs", "--results", tmp_path / "results"]
    done = call(*command, *places, "--epochs", "3", "--classes", "d, b", "--arms", "ce")
    assert done.err == ""
    cells = _record(tmp_path, "ce").cells
    assert cells is not None
    assert cells["classes"] == ["d", "b"]
    assert sorted(cells["class"]) == [0, 0, 1, 1]


def test_an_interrupted_evolution_goes_on(
    evolved: Path,
    call: Call,
    action_recipe: Path,
    arms: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    command = _evolution(tmp_path, action_recipe, arms, "--epochs", "1,3", "--arms", "acl")
    keep = KeepingAdapter.watch

    def stop(self: KeepingAdapter, network: SkeletonNetwork, epoch: int) -> dict[str, float]:
        if epoch == 3:
            raise KeyboardInterrupt
        return keep(self, network, epoch)

    with monkeypatch.context() as patch:
        patch.setattr(KeepingAdapter, "watch", stop)
        call(*command, code=130)
    run = tmp_path / "runs" / "acl-seed0"
    assert [path.name for path in run.glob("embeddings-*")] == ["embeddings-epoch001.npz"]
    done = call(*command)
    assert "resuming at epoch 3 of 4" in done.err
    assert _record(tmp_path, "acl").metrics == _record(evolved, "acl").metrics


def test_a_run_that_kept_nothing_is_refused(
    evolved: Path, call: Call, action_recipe: Path, arms: Path, tmp_path: Path
) -> None:
    run = tmp_path / "runs" / "ce-seed0"
    switches = ["-s", "objective.inter_weight=0", "-s", "objective.intra_weight=0"]
    command = ["action", "train", "-c", action_recipe, "--data", arms, "-r", run, *EPOCHS]
    call(*command, *switches)
    done = call(*_evolution(tmp_path, action_recipe, arms, "--epochs", "2", "--arms", "ce"), code=2)
    assert "has passed epoch 2 without saving its embeddings" in done.err
    assert not (tmp_path / "results").exists()
    # An ended evolution that kept other epochs is the same.
    other = call(*_evolution(evolved, action_recipe, arms, "--epochs", "2", "--arms", "ce"), code=2)
    assert "has passed epoch 2" in other.err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--epochs", "0,3"), "0 is not among the training's epochs, 1 to 4"),
        (("--epochs", "5"), "5 is not among the training's epochs, 1 to 4"),
        (("--epochs", "last"), "--epochs 'last': expected comma-separated integers"),
        (("--classes", "a,jump"), "class 'jump' has no test sample"),
        (("--classes", "a"), "a map needs 2 to 10 classes"),
        (("--arms", "acl,none"), "unknown arm 'none'"),
    ],
)
def test_a_bad_choice_is_refused_before_training(
    options: tuple[str, ...],
    words: str,
    call: Call,
    action_recipe: Path,
    arms: Path,
    tmp_path: Path,
) -> None:
    done = call(*_evolution(tmp_path, action_recipe, arms, *options), code=2)
    assert words in done.err
    assert not (tmp_path / "runs").exists()


def test_many_classes_must_be_chosen_from() -> None:
    labels = np.array([f"c{i}" for i in range(11)] * 2)
    with pytest.raises(ValueError, match="choose up to 10 with --classes"):
        class_rows(labels, None, "data")
    names, rows = class_rows(labels, ["c3", "c1"], "data")
    assert (names, rows.tolist()) == (["c3", "c1"], [1, 3, 12, 14])


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "embeddings-epoch001.npz").write_bytes(b"PK no archive")
    with pytest.raises(ValueError, match=r"embeddings-epoch001\.npz is damaged"):
        read_kept(tmp_path, 1)


def test_maps_and_silhouettes_of_known_embeddings() -> None:
    rng = np.random.default_rng(0)
    label = np.repeat(np.array(["a", "b"]), 6)
    axes = np.repeat(np.eye(2, 8), 6, axis=0)
    apart = (axes + rng.normal(0, 0.01, (12, 8))).astype(np.float32)
    mixed = rng.normal(size=(12, 8)).astype(np.float32)
    assert silhouette(apart, label) > 0.95
    assert abs(silhouette(mixed, label)) < 0.3
    # Length says nothing by cosine distance.
    assert silhouette(apart * rng.uniform(1, 9, (12, 1)).astype(np.float32), label) > 0.95
    points = embedding_map(apart, 0)
    np.testing.assert_array_equal(points, embedding_map(apart, 0))
    assert silhouette((points - points.mean(0)).astype(np.float32), label) > 0.5
