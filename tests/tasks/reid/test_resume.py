from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aclnet.data.store import Store
from aclnet.training.checkpoint import load_checkpoint
from tasks.reid.adapter import ReidAdapter

BASE = """
base: {base}
clip: {{streams: [j]}}
network: {{encoder: {{name: transg, width: 8, heads: 2, layers: 1, positions: 5}}, neck: none}}
transg: {{}}
sequences: {{training: fixed}}
sampler: {{kind: shuffle, batch_size: 64}}
embed: {{feature: pooled}}
"""


@pytest.fixture(scope="module")
def transg_recipe(reid_recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "transg.yaml"
    path.write_text(BASE.format(base=reid_recipe))
    return path


def torn_in_epoch_2(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop the training, as Ctrl-C does, when epoch 2 is about to be evaluated."""
    validate = ReidAdapter.watch

    def watch(self: ReidAdapter, network: Any, epoch: int) -> dict[str, float]:
        if epoch == 2:
            raise KeyboardInterrupt
        return validate(self, network, epoch)

    monkeypatch.setattr(ReidAdapter, "watch", watch)


def test_resumed_run_equals_the_uninterrupted(
    reid_run: Path,
    reid_recipe: Path,
    cache: Path,
    call: Any,
    assert_same_run: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torn = tmp_path / "torn"
    torn_in_epoch_2(monkeypatch)
    command = ("reid", "train", "-c", reid_recipe, "--cache", cache, "--run", torn)
    call(*command, code=130)
    unfinished = call("reid", "eval", "--run", torn, code=2)
    assert f"aclnet-task reid train --run {torn} --resume" in unfinished.err
    monkeypatch.undo()
    done = call("reid", "train", "--run", torn, "--resume", "--cache", cache)
    assert "resuming at epoch 2 of 2" in done.err
    assert_same_run(reid_run, torn)


def test_more_epochs_need_the_recipe_alone(
    reid_recipe: Path, reid_walkers: Store, call: Any, record: Any, tmp_path: Path
) -> None:
    """As the README prints it for TranSG: the run knows its data."""
    recipe, run = tmp_path / "file.yaml", tmp_path / "run"
    train = "train: {epochs: 1, schedule: constant}"
    recipe.write_text(f"base: {reid_recipe}\ndata: {{source: file}}\n{train}\n")
    command = ("reid", "train", "--config", recipe, "--run", run)
    call(*command, "--data", reid_walkers.path)
    done = call(*command, "--resume", "--set", "train.epochs=2")
    assert "resuming at epoch 2 of 2" in done.err
    assert record(run)["settings"]["train"]["epochs"] == 2


@pytest.mark.slow
def test_transg_trains_and_resumes_equal(
    transg_recipe: Path,
    cache: Path,
    call: Any,
    assert_same_run: Any,
    record: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole, torn = tmp_path / "whole", tmp_path / "torn"
    command = ("reid", "train", "-c", transg_recipe, "--cache", cache)
    done = call(*command, "--run", whole)
    assert "never applied" not in done.err  # said of an objective that does not train here
    assert record(whole)["objective"] == "transg"
    task = load_checkpoint(whole / "checkpoint.pt")["task"]
    (prototypes,) = [value for name, value in task.items() if name.endswith(".prototypes")]
    assert prototypes.shape == (3, 8)
    assert prototypes.abs().sum() > 0
    torn_in_epoch_2(monkeypatch)
    call(*command, "--run", torn, code=130)
    monkeypatch.undo()
    done = call(*command, "--run", torn, "--resume")
    assert_same_run(whole, torn)
    other = call(*command, "--run", torn, "--resume", "-s", "transg.alpha=1.0", code=2)
    assert "transg.alpha" in other.err
