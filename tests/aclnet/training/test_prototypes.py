from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from aclnet.losses.settings import TransgObjectiveSettings
from aclnet.losses.transg import TransgObjective
from aclnet.models import SkeletonNetwork
from aclnet.models.temporal_conv import TemporalConvSettings
from aclnet.models.transg import TransgSettings
from aclnet.skeleton import load_layout
from aclnet.training.batches import Batch
from aclnet.training.checkpoint import load_checkpoint
from aclnet.training.engine import CHECKPOINT, fit
from aclnet.training.machine.interrupts import Interrupted
from aclnet.training.prototypes import PrototypeTask
from aclnet.training.samplers import ShuffleSampler, rank_slice
from aclnet.training.settings import TrainSettings

K, T, V, C = 3, 3, 15, 3
LAYOUT = load_layout("sbu15")
Same = Callable[..., None]


class Source:
    """24 clips of three people in batches of 8; each person has a pose of their own."""

    def __init__(self) -> None:
        generator = np.random.default_rng(1)
        self.labels = torch.from_numpy(np.arange(24) % K)
        poses = generator.normal(size=(K, 1, 1, V, C))
        clips = poses[self.labels] + 0.5 * generator.normal(size=(24, 1, T, V, C))
        self.clips = torch.from_numpy(clips).float()
        self.sampler = ShuffleSampler(24, 8, seed=0)
        self.steps_per_epoch = self.sampler.steps_per_epoch

    def batch(self, epoch: int, step: int, rank: int, world: int) -> Batch:
        rows = torch.from_numpy(rank_slice(self.sampler.batches(epoch)[step], rank, world))
        return Batch(self.clips[rows], self.labels[rows], [f"clip{row}" for row in rows.tolist()])

    def all_clips(self) -> Iterator[tuple[Tensor, Tensor]]:
        for first in range(0, 24, 10):  # an uneven last batch
            yield self.clips[first : first + 10], self.labels[first : first + 10]


class CountingTask(PrototypeTask):
    """Raises Ctrl-C at a call of `forward`."""

    interrupt_at = 0
    calls = 0

    def forward(self, clips: Tensor, labels: Tensor) -> dict[str, Tensor]:
        self.calls += 1
        if self.calls == self.interrupt_at:
            signal.raise_signal(signal.SIGINT)
        return super().forward(clips, labels)


def make_network(neck: Any = "none", **changes: Any) -> SkeletonNetwork:
    generator = torch.Generator().manual_seed(0)
    values: dict[str, Any] = {"width": 16, "heads": 2, "positions": 4, "attention_std": 0.3}
    encoder = TransgSettings(**values | changes).build(LAYOUT, C, generator)
    return SkeletonNetwork(encoder, K, neck, generator=generator)


def make_objective(classes: int = K, width: int = 16) -> TransgObjective:
    generator = torch.Generator().manual_seed(1)
    settings = TransgObjectiveSettings(dropped_frames=1)
    return TransgObjective(settings, classes, width, (T, V, C), generator)


def make_task(source: Source, interrupt_at: int = 0, **changes: Any) -> CountingTask:
    def noise(clips: Tensor, generator: torch.Generator, widths: Tensor | None = None) -> Tensor:
        return clips + 0.1 * torch.randn(clips.shape, generator=generator)

    task = CountingTask(make_network(**changes), make_objective(), source.all_clips, noise)
    task.interrupt_at = interrupt_at
    return task


def settings(**changes: Any) -> TrainSettings:
    values: dict[str, Any] = {
        "epochs": 3,
        "accelerator": "cpu",
        "optimizer": "adam",
        "learning_rate": 0.003,
        "schedule": "constant",
    }
    return TrainSettings(**values | changes)


def test_prototypes_are_the_mean_features_of_the_classes_in_evaluation_mode() -> None:
    source = Source()
    task = make_task(source).train()
    task.set_epoch(1)
    assert task.network.training
    assert int(task.objective.prototype_epoch) == 1
    task.eval()
    for label in range(K):
        rows = [row for row in range(24) if source.labels[row] == label]
        pooled = [task.network.encoder(source.clips[row : row + 1]).pooled[0] for row in rows]
        expected = torch.stack(pooled).mean(dim=0)
        torch.testing.assert_close(task.objective.prototypes[label], expected, rtol=1e-4, atol=1e-5)
    assert not task.objective.prototypes.requires_grad


def test_the_same_epoch_told_twice_changes_nothing_and_the_next_one_does() -> None:
    task = make_task(Source())
    task.set_epoch(1)
    before = task.objective.prototypes.clone()
    with torch.no_grad():
        for parameter in task.network.parameters():
            parameter.add_(0.1)
    task.set_epoch(1)
    assert torch.equal(task.objective.prototypes, before)
    task.set_epoch(2)
    assert not torch.equal(task.objective.prototypes, before)


def test_all_that_is_trained_takes_part_and_the_classifier_is_not_trained() -> None:
    source = Source()
    task = make_task(source).train()
    task.set_epoch(1)
    losses = task(source.clips, source.labels)
    losses["loss"].backward()
    frozen = {name for name, weight in task.named_parameters() if not weight.requires_grad}
    assert frozen == {"network.classifier.weight", "network.classifier.bias"}
    assert [
        name
        for name, weight in task.named_parameters()
        if weight.requires_grad and (weight.grad is None or not weight.grad.any())
    ] == []
    assert not losses["accuracy"].requires_grad


def test_accuracy_is_the_share_nearest_to_their_own_prototype() -> None:
    source = Source()
    task = make_task(source).eval()
    task.set_epoch(1)
    pooled = task.network.encoder(source.clips).pooled
    right = 0
    for row, label in zip(pooled, source.labels.tolist(), strict=True):
        cosines = [(row @ p / (row.norm() * p.norm())).item() for p in task.objective.prototypes]
        right += cosines.index(max(cosines)) == label
    accuracy = task(source.clips, source.labels)["accuracy"]
    assert accuracy.item() == pytest.approx(right / 24)
    wrong = task(source.clips, (source.labels + 1) % K)["accuracy"]
    assert wrong < accuracy


@pytest.mark.parametrize("norm", ["batch", "frozen"])
@pytest.mark.parametrize("interrupt_at", [1, 3, 5])
def test_resumed_equals_uninterrupted(
    tmp_path: Path, norm: str, interrupt_at: int, assert_same_run: Same
) -> None:
    """In the first step of an epoch, in its last, and in the middle of the second epoch."""
    source = Source()
    fit(make_task(source, norm=norm), source, settings(), tmp_path / "whole")
    with pytest.raises(Interrupted):
        fit(make_task(source, interrupt_at, norm=norm), source, settings(), tmp_path / "cut")
    stopped = load_checkpoint(tmp_path / "cut" / CHECKPOINT)["task"]
    resumed = make_task(source, norm=norm)
    fit(resumed, source, settings(), tmp_path / "cut", resume=True)
    assert not torch.equal(stopped["objective.prototypes"], resumed.objective.prototypes)
    assert_same_run(tmp_path / "whole", tmp_path / "cut")


def test_a_longer_run_equals_a_run_of_that_length(tmp_path: Path, assert_same_run: Same) -> None:
    source = Source()
    fit(make_task(source), source, settings(), tmp_path / "whole")
    fit(make_task(source), source, settings(epochs=1), tmp_path / "longer")
    fit(make_task(source), source, settings(), tmp_path / "longer", resume=True)
    assert_same_run(tmp_path / "whole", tmp_path / "longer")


def test_it_learns(tmp_path: Path) -> None:
    source = Source()
    task = make_task(source, dropout=0.1, norm="layer")
    task.eval().set_epoch(99)
    before = task(source.clips, source.labels)
    fit(task, source, settings(epochs=10, learning_rate=0.01), tmp_path)
    task.set_epoch(99)
    after = task(source.clips, source.labels)
    for part in ("sequence", "skeleton"):
        assert after[part] < 0.5 * before[part]
    assert after["loss"] < before["loss"]
    assert after["accuracy"] == 1


def test_what_does_not_fit_is_refused() -> None:
    source = Source()
    task = make_task(source)
    with pytest.raises(ValueError, match=r"one person, got 2 persons"):
        task(source.clips.repeat(1, 2, 1, 1, 1), source.labels)
    with pytest.raises(ValueError, match=r"network\.neck: none"):
        PrototypeTask(make_network("bn"), make_objective(), source.all_clips)
    encoder = TemporalConvSettings(width=16, pooling="mean").build(LAYOUT, C, None)
    other = SkeletonNetwork(encoder, K)
    with pytest.raises(ValueError, match=r"TemporalConv .*name: transg"):
        PrototypeTask(other, make_objective(), source.all_clips)
    with pytest.raises(ValueError, match="3 classes and features of 16"):
        PrototypeTask(make_network(), make_objective(classes=4), source.all_clips)
    with pytest.raises(ValueError, match="no training clip"):
        PrototypeTask(make_network(), make_objective(), list).set_epoch(1)
