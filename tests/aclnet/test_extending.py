"""A loss term of one's own, in a file outside the package."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
import torch

from aclnet.config import Settings, dump_settings, load_settings
from aclnet.losses.objective import Objective
from aclnet.losses.settings import ObjectiveSettings, TermSettings, register_term
from aclnet.models import SkeletonNetwork, build_encoder
from aclnet.models.settings import NetworkSettings
from aclnet.skeleton import load_layout
from aclnet.training.batches import Batch
from aclnet.training.checkpoint import load_checkpoint, save_checkpoint
from aclnet.training.engine import fit
from aclnet.training.settings import TrainSettings
from aclnet.training.state import load_weights
from aclnet.training.task import TrainingTask

FILE = """
from typing import Literal

import torch
from torch import nn

from aclnet.losses.settings import TermSettings, register_term
from aclnet.losses.term import Term


class CenterSettings(TermSettings):
    name: Literal["center"] = "center"
    power: float = 2.0

    def build(self, class_count, sizes, generator):
        return CenterLoss(class_count, sizes.feature, self.power)


class CenterLoss(Term):
    def __init__(self, class_count, feature_dim, power):
        super().__init__()
        self.centres, self.power = nn.Parameter(torch.zeros(class_count, feature_dim)), power
        self.epoch = nn.Buffer(torch.zeros(()))

    def set_epoch(self, epoch):
        self.epoch.fill_(epoch)

    def forward(self, feature, labels, **_):
        return (feature - self.centres[labels]).abs().pow(self.power).mean()


register_term("center", CenterSettings)
"""
RECIPE = """
network: {encoder: {name: temporal_conv, width: 4, blocks: 1}}
objective: {start_epoch: 0, queue_size: 8, projection_dim: 3, intra_weight: 0.3,
  terms: [{name: center, weight: 0.5}]}
"""


class Recipe(Settings):
    network: NetworkSettings = NetworkSettings()
    objective: ObjectiveSettings = ObjectiveSettings()


class Source:
    """One batch of twelve clips of three people."""

    steps_per_epoch = 1

    def batch(self, epoch: int, step: int, rank: int, world: int) -> Batch:
        generator = torch.Generator().manual_seed(epoch)
        clips = torch.randn(12, 1, 5, 17, 2, generator=generator)
        return Batch(clips, torch.arange(12) % 3, [f"clip{row}" for row in range(12)])


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recipe:
    """Settings that name what a file outside the package registers."""
    (tmp_path / "own_parts.py").write_text(FILE, "utf-8")
    (tmp_path / "recipe.yaml").write_text(RECIPE, "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(TermSettings, "members", dict(TermSettings.members))
    monkeypatch.delitem(sys.modules, "own_parts", raising=False)
    __import__("own_parts")
    return load_settings(Recipe, tmp_path / "recipe.yaml")


def make_task(recipe: Recipe) -> TrainingTask:
    generator = torch.Generator().manual_seed(0)
    encoder = build_encoder(recipe.network.encoder, load_layout("coco17"), 2, generator)
    network = SkeletonNetwork(encoder, 3, recipe.network.neck, generator=generator)
    return TrainingTask(network, Objective(recipe.objective, 3, encoder.feature_dim, generator))


def test_a_term_from_outside_trains(recipe: Recipe, tmp_path: Path) -> None:
    assert recipe.objective.name == "acl+center"
    (tmp_path / "dump.yaml").write_text(dump_settings(recipe), "utf-8")
    assert load_settings(Recipe, tmp_path / "dump.yaml") == recipe
    task = make_task(recipe)
    before = {name: value.clone() for name, value in task.state_dict().items()}
    result = fit(task, Source(), TrainSettings(epochs=1, accelerator="cpu"), tmp_path / "run")
    losses = {name: result.metrics[f"train/{name}"] for name in ("ce", "inter", "intra", "center")}
    weighted = losses["ce"] + 0.1 * losses["inter"] + 0.3 * losses["intra"]
    assert result.metrics["train/loss"] == pytest.approx(weighted + 0.5 * losses["center"])
    after = task.state_dict()
    assert after["objective.terms.center.epoch"] == 1
    name = "objective.terms.center.centres"
    assert not torch.equal(before[name], after[name])


def test_terms_are_refused_in_the_words_of_the_recipe(recipe: Recipe) -> None:
    for override, expected in (
        ("objective.terms=[{name: centre}]", "nearest known value `center`"),
        ("objective.terms=[{name: center, powr: 1}]", "`objective.terms.0.powr` (value 1), nea"),
        ("objective.terms=[{name: center}, {name: center}]", "a term may be named only once"),
    ):
        with pytest.raises(ValueError, match="objective") as error:
            load_settings(Recipe, None, [override])
        assert expected in str(error.value)
    with pytest.raises(ValueError, match="'inter', which is logged already"):
        register_term("inter", type(recipe.objective.terms[0]))


def test_checkpoints_from_before_the_list_of_terms_load(recipe: Recipe, tmp_path: Path) -> None:
    metric = {"name": "ArcFaceLoss"}
    objective = recipe.objective.model_copy(update={"terms": ()})
    objective = ObjectiveSettings.model_validate(objective.model_dump() | {"metric": metric})
    recipe = recipe.model_copy(update={"objective": objective})
    settings = TrainSettings(epochs=1, schedule="constant", accelerator="cpu")
    fit(make_task(recipe), Source(), settings, tmp_path / "whole")
    shutil.copytree(tmp_path / "whole", tmp_path / "old")
    path = tmp_path / "old" / "checkpoint.pt"
    saved = load_checkpoint(path)
    weights = saved["task"]
    for name in ("inter", "intra", "metric"):
        for key in [key for key in weights if f"terms.{name}." in key]:
            weights[key.replace(f"terms.{name}.", f"{name}_loss.")] = weights.pop(key)
    assert "objective.inter_loss.families.members" in weights
    assert not any("terms" in key for key in weights)
    save_checkpoint(path, saved)
    settings, ends = settings.model_copy(update={"epochs": 2}), []
    for run in ("whole", "old"):
        task = make_task(recipe)
        fit(task, Source(), settings, tmp_path / run, resume=True)
        ends.append(task.state_dict())
    torch.testing.assert_close(ends[0], ends[1], rtol=0, atol=0)
    own = make_task(recipe).objective
    assert isinstance(own, Objective)
    prefix = "objective."
    load_weights(own, {k[10:]: v for k, v in weights.items() if k.startswith(prefix)}, path)
    members = weights["objective.inter_loss.families.members"]
    assert torch.equal(own.state_dict()["terms.inter.families.members"], members)
