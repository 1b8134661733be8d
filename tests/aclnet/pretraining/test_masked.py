from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from aclnet.models.joint_transformer import JointTransformerSettings
from aclnet.pretraining.masked import (
    MaskedMotion,
    kept_tokens,
    masked_error,
    masking_order,
)
from aclnet.pretraining.settings import MaskedSettings
from aclnet.skeleton import layout_names, load_layout


def make(layout: str = "msr20", channels: int = 3, dims: int = 3, **changes: Any) -> MaskedMotion:
    torch.manual_seed(0)
    settings = JointTransformerSettings(width=8, blocks=1, heads=2, positions=3)
    encoder = settings.build(load_layout(layout), channels, None)
    return MaskedMotion(encoder, MaskedSettings(width=8, blocks=1, heads=2, **changes), dims)


def draw_clips(N: int = 3, M: int = 2, T: int = 10, V: int = 20, C: int = 3) -> Tensor:
    return torch.randn(N, M, T, V, C, generator=torch.Generator().manual_seed(1))


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("temperature", [0.8, 0.3, None])
def test_tokens_are_masked_one_after_the_other_by_their_motion(temperature: float | None) -> None:
    intensity = [0.2, 1.0, 0.5]
    weights = [1.0 if temperature is None else math.exp(i / temperature) for i in intensity]
    steps = torch.tensor(intensity)[:, None] * torch.tensor([1.0, -1.0])
    count = 200_000
    order = masking_order(steps.expand(count, 3, 2), temperature, seeded())
    for last, second, first in itertools.permutations(range(3)):
        share = (order == torch.tensor([first, second, last])).all(dim=1).sum() / count
        wanted = weights[last] / sum(weights) * weights[second] / (weights[second] + weights[first])
        assert float(share) == pytest.approx(wanted, abs=4 * math.sqrt(wanted / count))


def test_only_the_sharpness_of_the_motion_matters() -> None:
    steps = torch.rand(4, 9, 6, generator=seeded())
    orders = [masking_order(factor * steps, 0.8, seeded(3)) for factor in (1, 0.01, 100)]
    assert all(torch.equal(order, orders[0]) for order in orders)
    still = masking_order(torch.zeros(4, 9, 6), 0.8, seeded(3))
    assert torch.equal(still, masking_order(steps, None, seeded(3)))


def test_the_motion_of_tokens_is_that_of_seen_joints() -> None:
    objective = make(motion_stride=2)
    clips = draw_clips(N=1, M=1)
    clips[0, 0, 3, 7] = 0  # not seen
    steps, known = objective.motion(clips)
    assert steps.shape == known.shape == (1, 3 * 20, 12)
    for frame, joint in itertools.product(range(12), (6, 7)):
        at = (0, frame // 4 * 20 + joint, slice(frame % 4 * 3, frame % 4 * 3 + 3))
        there = frame + 2 < 10 and not (joint == 7 and 3 in (frame, frame + 2))
        assert known[at].tolist() == [there] * 3
        wanted = clips[0, 0, frame + 2, joint] - clips[0, 0, frame, joint] if there else 0
        torch.testing.assert_close(steps[at], torch.zeros(3) + wanted)


def test_the_error_is_a_mean_over_clips() -> None:
    generator = seeded()
    predicted, steps = (torch.randn(4, 5, 6, generator=generator) for _ in range(2))
    weight = torch.rand(4, 5, 6, generator=generator) > 0.5
    weight[2:] = False  # a clip without anybody
    weight[0, 0] = True
    steps.requires_grad_()
    clips = []
    for clip in range(2):
        errors = []
        for body, token in itertools.product((2 * clip, 2 * clip + 1), range(5)):
            values = steps[body, token].tolist()
            mean = sum(values) / 6
            deviation = math.sqrt(sum((v - mean) ** 2 for v in values) / 5 + 1e-6)
            for entry in range(6):
                if weight[body, token, entry]:
                    target = (values[entry] - mean) / deviation
                    errors.append((float(predicted[body, token, entry]) - target) ** 2)
        clips.append(sum(errors) / max(len(errors), 1))
    loss = masked_error(predicted.requires_grad_(), steps, weight, 2)
    assert loss.item() == pytest.approx(sum(clips) / 2, rel=1e-5)
    loss.backward()
    assert steps.grad is None
    assert predicted.grad is not None
    assert torch.equal(predicted.grad != 0, weight)


def test_masked_tokens_are_not_seen_and_visible_ones_not_predicted() -> None:
    objective = make(mask_ratio=0.5)
    clips = draw_clips(N=2, M=1)
    motion = objective.motion(clips)
    order = objective.draw(motion, seeded())
    visible = torch.zeros(2, 60, dtype=torch.bool).scatter(1, order[:, :30], True)
    clips.requires_grad_()
    steps, predicted = motion.steps.requires_grad_(), []
    objective.decoder.register_full_backward_hook(lambda _, given, got: predicted.append(got[0]))
    loss = objective.compare(clips, motion, order)["loss"]
    loss.backward()
    assert torch.equal(predicted[0] != 0, motion.known & ~visible.unsqueeze(2))
    assert clips.grad is not None
    by_token = clips.grad[:, 0].abs().sum(dim=3)  # (N, T, V)
    filled = torch.cat([by_token, torch.zeros(2, 2, 20)], dim=1).view(2, 3, 4, 20).sum(dim=2)
    assert torch.equal(filled.flatten(1) > 0, visible)
    assert steps.grad is None
    changed = motion._replace(steps=motion.steps.detach() + visible.unsqueeze(2))
    changed = changed._replace(steps=changed.steps * (1 + visible.unsqueeze(2)))
    assert torch.equal(objective.compare(clips, changed, order)["loss"], loss)


def test_absent_persons_carry_nothing() -> None:
    objective = make()
    clips = draw_clips(M=1)
    order = objective.draw(objective.motion(clips), seeded())
    padded = torch.cat([clips, torch.zeros_like(clips)], dim=1)
    orders = torch.stack([order, order.flip(1)], dim=1).flatten(0, 1)
    found = []
    for given, drawn in ((clips, order), (padded, orders)):
        objective.zero_grad()
        loss = objective.compare(given, objective.motion(given), drawn)["loss"]
        loss.backward()
        found.append([loss.detach(), *(p.grad.clone() for p in objective.parameters())])
    torch.testing.assert_close(found[1], found[0], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("layout", layout_names())
def test_every_layout_with_a_confidence_is_trained(layout: str) -> None:
    objective = make(layout, channels=3, dims=2).train()
    clips = draw_clips(V=load_layout(layout).joint_count)
    clips[..., 2] = clips[..., 2].abs()
    clips[0] = 0
    loss = objective(clips, seeded())["loss"]
    loss.backward()
    assert loss > 0
    for name, parameter in objective.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


def test_it_learns_what_moves() -> None:
    objective = make(mask_ratio=0.5)
    optimiser = torch.optim.AdamW(objective.parameters(), lr=0.01)
    phase = torch.linspace(0, 6, 12)[None, :, None] + torch.linspace(0, 3, 20)
    clips = (
        torch.stack([phase.sin(), phase.cos(), phase], dim=-1)
        .unsqueeze(1)
        .expand(8, -1, -1, -1, -1)
    )
    generator, losses = seeded(), []
    for _ in range(80):
        loss = objective(clips, generator)["loss"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_masks_follow_the_generator() -> None:
    objective, clips = make(), draw_clips()
    first, again, other = (objective(clips, seeded(s))["loss"].item() for s in (0, 0, 1))
    assert first == again != other


@pytest.mark.parametrize(("tokens", "ratio", "kept"), [(750, 0.9, 75), (2, 0.99, 1), (2, 0.01, 1)])
def test_some_tokens_stay_and_some_are_masked(tokens: int, ratio: float, kept: int) -> None:
    assert kept_tokens(tokens, ratio) == kept


def test_another_encoder_is_refused() -> None:
    with pytest.raises(ValueError, match=r"needs network\.encoder joint_transformer, whose"):
        MaskedMotion(nn.Identity(), MaskedSettings(), 3)
