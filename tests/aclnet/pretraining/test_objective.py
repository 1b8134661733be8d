"""What the objectives of both stages have in common, and stage 1's golden loss."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from aclnet.models.st_gcn import StGcnSettings
from aclnet.pretraining.actclr import ActionletContrast
from aclnet.pretraining.aimclr import ExtremeContrast
from aclnet.pretraining.embedder import Embedder, Projector, unit
from aclnet.pretraining.objective import ViewObjective
from aclnet.pretraining.settings import ActionletSettings, ExtremeSettings
from aclnet.skeleton import load_layout

SIZES: dict[str, Any] = {"queue_size": 24, "projection_dim": 4}
VIEWS = ("query", "extreme", "strong", "normal", "weak", "key")


def make(stage: int, layout: str = "coco17", dims: int = 2, **changes: Any) -> ViewObjective:
    torch.manual_seed(0)
    settings = StGcnSettings(width=8, blocks=2, widen_at=(2,), stride_at=(2,))
    encoder = settings.build(load_layout(layout), dims, None)
    embedder = Embedder(encoder, Projector(encoder.feature_dim, 4))
    if stage == 1:
        return ExtremeContrast(embedder, ExtremeSettings(**SIZES, **changes), 4)
    chosen = ActionletSettings(**SIZES, **changes)
    return ActionletContrast(embedder, chosen, 4, load_layout(layout), dims)


def views(seed: int = 0, joints: int = 17, dims: int = 2) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.randn(5, 2, 16, joints, dims, generator=generator) for name in VIEWS}


def run(objective: ViewObjective, steps: range) -> None:
    optimiser = torch.optim.SGD(objective.online.parameters(), lr=0.1)
    for step in steps:
        objective.set_epoch(1 + step)
        loss = objective(views(step), torch.Generator().manual_seed(step))["loss"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


@pytest.mark.parametrize("stage", [1, 2])
def test_training_moves_all_and_resumes_from_its_state(stage: int) -> None:
    whole = make(stage).train()
    before = copy.deepcopy(whole.state_dict())
    run(whole, range(2))
    names = ("online.projector.out.weight", "slow.network.projector.out.weight", "queue.features")
    assert all(not torch.equal(before[name], whole.state_dict()[name]) for name in names)
    assert whole.queue.cursor == 10
    assert all(p.grad is not None and p.grad.any() for p in whole.online.parameters())
    resumed = make(stage).train()
    resumed.load_state_dict(copy.deepcopy(whole.state_dict()))
    for objective in (whole, resumed):
        run(objective, range(2, 4))
    torch.testing.assert_close(resumed.state_dict(), whole.state_dict(), rtol=0, atol=0)


@pytest.mark.parametrize("stage", [1, 2])
def test_evaluation_changes_nothing(stage: int) -> None:
    objective = make(stage).eval()
    before = copy.deepcopy(objective.state_dict())
    assert objective(views(), torch.Generator())["loss"].isfinite()
    torch.testing.assert_close(objective.state_dict(), before, rtol=0, atol=0)


@pytest.mark.parametrize(("layout", "dims"), [("coco17", 2), ("kinect20", 3), ("ntu25", 3)])
def test_layouts(layout: str, dims: int) -> None:
    objective = make(2, layout, dims, views={"style_transfer": False}).train()
    joints = load_layout(layout).joint_count
    losses = objective(views(joints=joints, dims=dims), torch.Generator())
    assert 0 < losses["actionlet"] < 1
    total = losses["kept"] + losses["styled"] + losses["mixed"]
    torch.testing.assert_close(losses["loss"].detach(), total)


def test_golden_loss_of_stage_1(tensors: Callable[[str], dict[str, Tensor]]) -> None:
    data, queue = tensors("stage1_loss"), tensors("loss")["queue"].t()
    objective = make(1, mine_from=0.5).double()
    objective.queue.features = queue
    embedded = tuple(unit(data[f"in/{name}"]) for name in ("q", "q_ext", "q_drop", "k"))
    for epoch, contrast in ((2, "loss/infonce"), (3, "nnm1/loss")):
        objective.set_epoch(epoch)
        loss, parts = objective.compare(embedded[:3], embedded[3])
        torch.testing.assert_close(parts["contrast"], data[contrast], rtol=0, atol=1e-9)
        if epoch == 2:
            torch.testing.assert_close(loss, data["loss/total"], rtol=0, atol=1e-9)
