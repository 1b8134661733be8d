from __future__ import annotations

from types import SimpleNamespace
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn

from aclnet.training.task import TrainingTask


class Output(NamedTuple):
    logits: Tensor
    pooled: Tensor
    graph: Tensor
    embedding: Tensor


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(12, 3)

    def forward(self, clips: Tensor) -> Output:
        pooled = clips.flatten(1)
        return Output(self.layer(pooled), pooled, pooled * 2, pooled)


class Objective(nn.Module):
    def __init__(self, feature: str) -> None:
        super().__init__()
        self.settings = SimpleNamespace(feature=feature, needs=())
        self.projection = nn.Parameter(torch.ones(()))
        self.centres = nn.Buffer(torch.zeros(2))
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def forward(self, logits: Tensor, feature: Tensor, labels: Tensor) -> dict[str, Tensor]:
        return {"loss": feature.sum() * self.projection + logits.sum() * 0, "ce": logits.sum()}


CLIPS = torch.rand(4, 1, 3, 2, 2)


@pytest.mark.parametrize(("feature", "factor"), [("pooled", 1), ("graph", 2)])
def test_the_chosen_feature_reaches_the_objective(feature: str, factor: int) -> None:
    task = TrainingTask(Network(), Objective(feature))
    losses = task(CLIPS, torch.zeros(4, dtype=torch.int64))
    assert losses.keys() == {"loss", "ce", "accuracy"}
    torch.testing.assert_close(losses["loss"], factor * CLIPS.sum())
    assert losses["loss"].requires_grad


def test_accuracy_has_no_gradient() -> None:
    task = TrainingTask(Network(), Objective("pooled"))
    right = task.network(CLIPS).logits.argmax(dim=1)
    labels = torch.where(torch.arange(4) < 3, right, (right + 1) % 3)
    accuracy = task(CLIPS, labels)["accuracy"]
    assert accuracy == 0.75
    assert not accuracy.requires_grad


def test_epoch_is_passed_on() -> None:
    objective = Objective("pooled")
    TrainingTask(Network(), objective).set_epoch(7)
    assert objective.epoch == 7


def test_augmentation_gets_the_generator() -> None:
    def augment(clips: Tensor, generator: torch.Generator, widths: Tensor | None) -> Tensor:
        return clips + torch.rand(clips.shape, generator=generator)

    task = TrainingTask(Network(), Objective("pooled"), augment)
    once, again, other = (
        task.augmented(CLIPS, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(once, again)
    assert not torch.equal(once, other)


def test_without_augmentation_clips_stay() -> None:
    task = TrainingTask(Network(), Objective("pooled"))
    assert task.augmented(CLIPS, torch.Generator()) is CLIPS
