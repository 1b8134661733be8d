"""`train.tensorboard` in a run: the test's values, resuming, overwriting, and what is missing."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")


def scalars(run: Path) -> dict[str, list[tuple[int, float]]]:
    found = accumulator.EventAccumulator(str(run / "tensorboard"))
    found.Reload()
    return {
        tag: [(one.step, one.value) for one in found.Scalars(tag)]
        for tag in found.Tags()["scalars"]
    }


@pytest.fixture
def train(call: Any, recipe: Path, cache: Path) -> Any:
    def run(folder: Path, *options: object, code: int = 0) -> Any:
        return call(
            "gait", "train", "-c", recipe, "--cache", cache, "--run", folder,
            *options, code=code,
        )  # fmt: skip

    return run


def test_losses_validation_and_test_are_there_once(
    train: Any, record: Any, assert_same_run: Any, first: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    train(run, "-s", "train.tensorboard=true")
    found = scalars(run)
    (_, rank1), *more = found["test/rank1"]
    assert not more
    assert rank1 == pytest.approx(record(run)["metrics"]["rank1"])
    assert [step for step, _ in found["step/learning_rate"]] == [1, 2, 3, 4, 5, 6]
    assert [step for step, _ in found["epoch/seconds"]] == [3, 6]
    assert any(tag.startswith("evaluation/") for tag in found)
    # Evaluated again, and as an old run whose events were asked for later.
    train(run, "--resume")
    again = scalars(run)
    assert again == found
    plain = tmp_path / "plain"
    train(plain)
    train(plain, "--resume", "-s", "train.tensorboard=true")
    for tag, values in scalars(plain).items():
        if tag != "epoch/seconds":
            assert values == found[tag]
    # Overwritten, it leaves nothing behind.
    train(run, "--overwrite")
    assert not (run / "tensorboard").exists()
    assert_same_run(run, first)


def test_foreign_files_among_the_events_are_kept(
    copy: Path, mistake: Any, recipe: Path, cache: Path
) -> None:
    (copy / "tensorboard").mkdir()
    (copy / "tensorboard" / "notes.txt").write_text("years")
    mistake(
        "gait", "train", "-c", recipe, "--cache", cache, "--run", copy, "--overwrite",
        words=(f"{copy} holds tensorboard, which is not part of a run",),
    )  # fmt: skip
    assert (copy / "tensorboard" / "notes.txt").read_text() == "years"


def test_a_missing_extra_is_named_and_nothing_is_lost(
    copy: Path, mistake: Any, recipe: Path, cache: Path
) -> None:
    before = {item.name for item in copy.iterdir()}
    with mock.patch.dict(sys.modules, {"tensorboard.compat.proto.event_pb2": None}):
        mistake(
            "gait", "train", "-c", recipe, "--cache", cache, "--run", copy, "--overwrite",
            "-s", "train.tensorboard=true", words=("pip install 'aclnet[tensorboard]'",),
        )  # fmt: skip
    assert {item.name for item in copy.iterdir()} == before
