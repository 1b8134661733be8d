from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from aclnet.pretraining.actclr import ActionletContrast, StepDraws
from aclnet.pretraining.body import body_of
from aclnet.pretraining.embedder import Embedder
from aclnet.pretraining.mixing import CUT, MIXUP, RESIZE, Mix
from aclnet.pretraining.settings import ActionletSettings
from aclnet.pretraining.transfer import partners
from aclnet.skeleton import load_layout

GRADIENTS = {
    "data_bn.weight": "encoder.input_norm.weight",
    "st_gcn_networks.0.gcn.conv.weight": "encoder.blocks.0.graph.mix.weight",
    "st_gcn_networks.9.tcn.2.bias": "encoder.blocks.9.temporal.bias",
    "edge_importance.3": "encoder.blocks.3.edge",
    "fc.0.weight": "projector.hidden.weight",
    "fc.2.bias": "projector.out.bias",
}
GOLDEN_PARTS = ("trunk", "right_arm", "left_arm", "right_leg", "left_leg")
"""Their names in the layout, in the golden order."""


def mix_of(values: list[Any]) -> Mix:
    """The mix that the next golden draws, which are taken off, say."""
    shift, _, parts, units, start, choice = (values.pop(0) for _ in range(6))
    kind = CUT if choice > 0.5 else RESIZE if choice > 0.25 else MIXUP
    share = values.pop(0) if kind == MIXUP else 0.0
    layout = load_layout("ntu25")
    joints = torch.zeros(25, dtype=torch.bool)
    for part in parts:
        joints[layout.part_index(GOLDEN_PARTS[part])] = True
    numbers = [torch.full((4,), number) for number in (kind, 4 * start, 4 * units)]
    shares = torch.full((4,), share, dtype=torch.float64)
    return Mix(numbers[0], partners(4, shift), joints.expand(4, 25), *numbers[1:], shares)


def draws_of(text: object) -> StepDraws:
    values = [value for _, value in json.loads(str(text))][1:]  # a shuffle has no effect here
    return StepDraws(partners(4, values.pop(0)), mix_of(values), mix_of(values))


@pytest.fixture
def contrast(
    tensors: Callable[[str], dict[str, Tensor]], embedder: Callable[[], Embedder]
) -> ActionletContrast:
    """The golden step's start: nine tenths of the query's numbers are the key's."""
    queue = tensors("loss")["queue"].t()
    settings = ActionletSettings(
        queue_size=len(queue), projection_dim=16, neighbours_share=8192 / len(queue), sharpness=1e-8
    )
    made = ActionletContrast(embedder(), settings, 350, load_layout("ntu25"), 3).double()
    for tensor in made.slow.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(tensor.float() * 0.9)
    made.queue.features.copy_(queue)
    made.queue.cursor.fill_(8444)
    return made.train()


def views_of(data: Mapping[str, Tensor]) -> dict[str, Tensor]:
    names = ("strong", "normal", "weak", "key")
    return {name: data[f"view/{name}"].permute(0, 4, 2, 3, 1) for name in names}


@pytest.mark.parametrize("step", [0, 1, 2])
def test_golden_step(
    step: int,
    golden: Callable[[str], dict[str, Any]],
    tensors: Callable[[str], dict[str, Tensor]],
    contrast: ActionletContrast,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = tensors("step")
    draws = draws_of(golden("step")[f"step{step}/draws_json"])
    monkeypatch.setattr(contrast, "draw", lambda *_: draws)
    losses = contrast(views_of(data), torch.Generator())
    data = {k.removeprefix(f"step{step}/"): t for k, t in data.items() if k.startswith("step")}
    # Within the kinds of mixing that are computed in single precision there.
    close = {"rtol": 0, "atol": 2e-8}
    terms = torch.stack([losses[name] for name in ("kept", "styled", "mixed")])
    torch.testing.assert_close(terms, data["kl_terms"], **close)
    torch.testing.assert_close(losses["loss"], data["loss"], **close)
    losses["loss"].backward()
    for name, own in GRADIENTS.items():
        found, expected = contrast.online.get_parameter(own).grad, data[f"grad/{name}"]
        assert found is not None
        torch.testing.assert_close(found, expected.view_as(found), rtol=2e-8, atol=1e-7)
    exact = {"rtol": 0, "atol": 1e-9}
    torch.testing.assert_close(contrast.queue.features[8444:], data["queue_written"].t(), **exact)
    assert contrast.queue.cursor == data["queue_ptr"]
    slow = contrast.slow.network
    torch.testing.assert_close(slow.projector.out.bias, data["key_after/fc.2.bias"], **exact)
    for model, name in ((contrast.online, "q"), (slow, "k")):
        mean = model.encoder.input_norm.running_mean
        torch.testing.assert_close(mean, data[f"{name}_running/data_bn.running_mean"], **exact)


def test_golden_parts_are_the_layouts() -> None:
    parts = body_of(load_layout("ntu25"), 3, torch.device("cpu")).parts
    layout = load_layout("ntu25")
    for row, name in zip(parts, GOLDEN_PARTS, strict=True):
        assert set(row.nonzero().flatten().tolist()) == set(layout.part_index(name).tolist())


def test_the_search_pulls_the_projector_alone(contrast: ActionletContrast) -> None:
    pooled = torch.randn(4, 32, dtype=torch.float64, requires_grad=True)
    pull = contrast._anchor_pull(pooled, anchor=torch.randn(1, 16, dtype=torch.float64))
    assert pull == 0
    pull.backward()
    assert pooled.grad is None
    moved = {name for name, p in contrast.named_parameters() if p.grad is not None}
    layers = ("hidden.weight", "hidden.bias", "out.weight", "out.bias")
    assert moved == {f"online.projector.{name}" for name in layers}
