"""Two ranks train as one rank with the joined batch, where batch norms see all ranks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from aclnet.data.store import open_store, write_store
from aclnet.training.checkpoint import load_checkpoint

PROGRAM = Path(__file__).with_name("train_ranks.py")
SAME = (
    "train={sync_batch_norm: true, optimizer: sgd, learning_rate: 0.05, epochs: 3}",
    "network.dropout=0",
    "objective={start_epoch: 1, queue_size: 8}",
    "clip.augment={mirror: 0, joint_noise: 0, point_noise: 0, scale: 0, rotate: 0}",
)
"""Nothing random differs between ranks, and no step size hides how large a gradient is."""

BACKBONES = {
    "action": "network.encoder={name: affinity_gcn, width: 6, blocks: 2, widen_at: [], "
    "stride_at: [], subsets: 2}",
    "gait": "network.encoder={name: temporal_conv, width: 8, blocks: 1, dropout: 0}",
    "reid": "network.encoder={name: st_gcn, width: 8, blocks: 2, widen_at: [], stride_at: [], "
    "dropout: 0}",
}


@pytest.fixture(scope="module")
def noise(arms: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `arms`, but no joint stands still: dividing by a variance of 0 would enlarge rounding."""
    path, store, draw = (
        tmp_path_factory.mktemp("noise") / "store",
        open_store(arms),
        np.random.default_rng(0),
    )
    noisy = (
        replace(
            sample, frames=sample.frames + draw.normal(size=sample.frames.shape).astype(np.float32)
        )
        for sample in map(store.sample, range(len(store)))
    )
    write_store(path, noisy, store.info)
    return path


@pytest.fixture(scope="module")
def runs(
    recipe: Path, action_recipe: Path, reid_recipe: Path, noise: Path, cache: Path
) -> Sequence[str]:
    """The arguments of the program: three runs."""
    recipes = {"action": action_recipe, "gait": recipe, "reid": reid_recipe}
    arguments: list[str] = []
    for task, path in recipes.items():
        data = ["--data", str(noise)] if task == "action" else []
        sets = [part for setting in (*SAME, BACKBONES[task]) for part in ("-s", setting)]
        arguments += [task, "-c", str(path), "--cache", str(cache), *data, *sets, "--"]
    return arguments[:-1]


@pytest.mark.slow
@pytest.mark.ddp
@pytest.mark.timeout(600)
def test_two_ranks_with_batch_norm_equal_one(
    ready: Any, ranks: Any, runs: Sequence[str], tmp_path: Path
) -> None:
    alone = ready(PROGRAM, tmp_path / "one", *runs)
    _, errors = alone.communicate()
    assert alone.returncode == 0, errors
    ranks(PROGRAM, tmp_path / "two", *runs)
    for task in BACKBONES:
        one, two = (
            load_checkpoint(tmp_path / name / task / "checkpoint.pt")["task"]
            for name in ("one", "two")
        )
        assert any(key.endswith("running_var") for key in one)
        torch.testing.assert_close(two, one, rtol=1e-3, atol=1e-4)
