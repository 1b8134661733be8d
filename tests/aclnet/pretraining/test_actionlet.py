from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from aclnet.pretraining.actionlet import (
    actionlet_key,
    activation,
    activation_weights,
    locate,
    mask_of,
    static_anchor,
)
from aclnet.pretraining.body import body_of
from aclnet.pretraining.embedder import Embedder, Embedding, Projector, pool
from aclnet.skeleton import load_layout

Load = Callable[[str], dict[str, Tensor]]
EXACT = {"rtol": 0, "atol": 1e-9}


@pytest.fixture
def parts() -> Tensor:
    """The body parts (5, 25) of the layout."""
    return body_of(load_layout("ntu25"), 3, torch.device("cpu")).parts


@pytest.mark.parametrize("mode", ["eval", "train"])
def test_golden_actionlet(
    mode: str, tensors: Load, embedder: Callable[[], Embedder], parts: Tensor
) -> None:
    data, model = tensors("actionlet_mask"), embedder().train(mode == "train")
    data = {k.removeprefix(f"{mode}/"): t for k, t in data.items() if k.startswith(mode)}
    clips = tensors("encoder")["x"].permute(0, 4, 2, 3, 1)
    with torch.no_grad():
        anchor = static_anchor(model, clips, (4,))
        torch.testing.assert_close(anchor, data["anchor_embedding"], **EXACT)
        found = model(clips)
    torch.testing.assert_close(found.raw, data["embedding_gap"], **EXACT)
    likeness = nn.functional.cosine_similarity(found.raw, anchor)
    torch.testing.assert_close(likeness, data["cosine"], **EXACT)
    weights = activation_weights(found, model.projector, anchor, 4)
    torch.testing.assert_close(weights.flatten(0, 1), data["alpha"], rtol=1e-7, atol=1e-14)
    cam = activation(found.map, weights, parts).flatten(0, 1)
    torch.testing.assert_close(cam, data["cam_part"].squeeze(1), rtol=1e-7, atol=1e-14)
    mask = locate(found, model.projector, anchor, parts, sharpness=1e-8)
    expected = data["mask"].squeeze(1).float()
    torch.testing.assert_close(mask.flatten(0, 1), expected, rtol=0, atol=1e-6)
    pooled = pool(found.map, torch.full((4, 2), 0.5), mask)
    expected = data["pooled_act"].view(4, 2, -1).mean(dim=1)
    torch.testing.assert_close(pooled, expected, **EXACT)
    # The golden sum of a mask is of single precision, in an order of its own.
    rounded = {"rtol": 0, "atol": 1e-7}
    torch.testing.assert_close(model.projector(pooled), data["embedding_act"], **rounded)
    key = actionlet_key(found, model.projector, mask)
    torch.testing.assert_close(key, data["key"], **rounded)


def test_weights_are_the_gradient_in_the_map(parts: Tensor) -> None:
    """By automatic differentiation through the mean, with persons of unequal weight."""
    torch.manual_seed(0)
    projector = Projector(6, 4).double()
    features = torch.randn(3, 2, 6, 5, 25, dtype=torch.float64, requires_grad=True)
    persons = torch.tensor([[1.0, 0.0], [0.5, 0.5], [0.25, 0.75]], dtype=torch.float64)
    anchor = torch.randn(1, 4, dtype=torch.float64)
    pooled = pool(features, persons)
    raw = projector(pooled)
    unlike = 1 - nn.functional.cosine_similarity(raw, anchor).mean()
    (gradient,) = torch.autograd.grad(unlike, features, retain_graph=True)
    weights = activation_weights(Embedding(features, persons, pooled, raw), projector, anchor, 3)
    torch.testing.assert_close(weights, gradient.mean(dim=(3, 4)))
    assert all(p.grad is None for p in projector.parameters())
    cam = activation(features, weights, parts)
    assert not cam.requires_grad
    assert not cam[0, 1].any()  # who weighs nothing has no actionlet


def test_the_hard_mask_does_not_depend_on_the_scale() -> None:
    cam = torch.tensor([0.0, 1e-30, 2.0])
    assert mask_of(cam, None).tolist() == [0, 1, 1]
    assert mask_of(cam, 1e-8).tolist() == pytest.approx([0, 1e-22, 1])
