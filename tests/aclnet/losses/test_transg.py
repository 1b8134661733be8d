from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

import aclnet.losses.term
import aclnet.losses.transg
from aclnet.losses.settings import TransgObjectiveSettings
from aclnet.losses.transg import TransgObjective

N, T, V, C, D, K = 5, 4, 6, 3, 7, 4


def make_objective(shape: tuple[int, int, int] = (T, V, C), **settings: Any) -> TransgObjective:
    values: dict[str, Any] = {"dropped_joints": 2, "dropped_frames": 1, "trajectory_width": 5}
    generator = torch.Generator().manual_seed(0)
    objective = TransgObjective(
        TransgObjectiveSettings(**values | settings), K, D, shape, generator
    )
    objective.store_prototypes(torch.randn(K, D, generator=generator), 1)
    return objective.double()


def batch(
    seed: int = 1, shape: tuple[int, int, int] = (T, V, C), rows: int = N
) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(rows, *shape[:2], D, generator=generator, dtype=torch.float64)
    clips = torch.randn(rows, *shape, generator=generator, dtype=torch.float64)
    labels = torch.randint(K, (rows,), generator=generator)
    return features.requires_grad_(), clips, labels


def entropy(logits: list[Tensor], label: int) -> Tensor:
    return -(logits[label].exp() / sum(value.exp() for value in logits)).log()


def plain_contrast(
    objective: TransgObjective, features: Tensor, labels: Tensor
) -> tuple[Tensor, Tensor]:
    """GPC clip by clip, frame by frame, class by class."""
    settings, zero = objective.settings, torch.zeros((), dtype=torch.float64)
    sequence, skeleton = zero, zero
    for feature, label in zip(features, labels.tolist(), strict=True):
        whole = sum(feature[t, v] for t in range(T) for v in range(V)) / (T * V)
        cosines = [
            whole @ prototype / (whole.norm() * prototype.norm())
            for prototype in objective.prototypes
        ]
        sequence = sequence + entropy([c / settings.sequence_temperature for c in cosines], label)
        for t in range(T):
            pose = sum(feature[t, v] for v in range(V)) / V
            mapped = objective.skeleton_map.weight @ pose
            products = [
                mapped @ (objective.prototype_map.weight @ prototype)
                for prototype in objective.prototypes
            ]
            skeleton = skeleton + entropy(
                [p / settings.skeleton_temperature for p in products], label
            )
    return sequence / len(labels), skeleton / len(labels)


def plain_head(head: torch.nn.Module, x: Tensor) -> Tensor:
    hidden = head.get_parameter("0.weight") @ x + head.get_parameter("0.bias")
    return head.get_parameter("2.weight") @ hidden.clamp(min=0) + head.get_parameter("2.bias")


def plain_reconstruction(
    objective: TransgObjective,
    features: Tensor,
    clips: Tensor,
    joints: list[int],
    frames: list[int],
) -> tuple[Tensor, Tensor]:
    """STPR value by value, from the joints and frames that remain."""
    structure = trajectory = torch.zeros((), dtype=torch.float64)
    for feature, clip in zip(features, clips, strict=True):
        for t in range(T):
            rest = sum(feature[t, v] for v in joints) / len(joints)
            restored = plain_head(objective.structure_head, rest)
            for v in range(V):
                for c in range(C):
                    structure = structure + (restored[v * C + c] - clip[t, v, c]).abs()
        for v in range(V):
            rest = sum(feature[t, v] for t in frames) / len(frames)
            restored = plain_head(objective.trajectory_head, rest)
            for t in range(T):
                for c in range(C):
                    trajectory = trajectory + (restored[t * C + c] - clip[t, v, c]).abs()
    values = len(clips) * T * V * C
    return structure / values / len(clips), trajectory / values / len(clips)


@pytest.mark.parametrize("training", [True, False])
def test_equals_the_plain_reading(training: bool) -> None:
    objective = make_objective(alpha=0.3, beta=0.2, contrast_weight=0.7, reconstruction_weight=1.5)
    objective.train(training)
    features, clips, labels = batch()
    torch.manual_seed(7)
    losses = objective(features, clips, labels)
    torch.manual_seed(7)
    joints, frames = list(range(V)), list(range(T))
    if training:
        joints, frames = torch.randperm(V)[2:].tolist(), torch.randperm(T)[1:].tolist()
    sequence, skeleton = plain_contrast(objective, features, labels)
    structure, trajectory = plain_reconstruction(objective, features, clips, joints, frames)
    parts = {
        "sequence": sequence,
        "skeleton": skeleton,
        "structure": structure,
        "trajectory": trajectory,
    }
    assert losses.keys() == {"loss", *parts}
    for name, part in parts.items():
        torch.testing.assert_close(losses[name], part.detach())
        assert not losses[name].requires_grad
    expected = 0.7 * (0.3 * sequence + 0.7 * skeleton) + 1.5 * (0.2 * structure + 0.8 * trajectory)
    torch.testing.assert_close(losses["loss"], expected)
    wanted = [features, *objective.parameters()]
    gradients = [torch.autograd.grad(loss, wanted) for loss in (losses["loss"], expected)]
    torch.testing.assert_close(*gradients, rtol=1e-6, atol=1e-10)


def test_the_defaults_are_the_released_ones() -> None:
    settings = TransgObjectiveSettings()
    assert (settings.contrast_weight, settings.alpha) == (0.5, 0.5)
    assert (settings.sequence_temperature, settings.skeleton_temperature) == (0.07, 14.0)
    assert (settings.reconstruction_weight, settings.beta) == (0.5, 0.5)
    assert (settings.dropped_joints, settings.dropped_frames) == (10, 2)


def test_gradient_of_the_features_by_differences() -> None:
    objective = make_objective().eval()
    features, clips, labels = batch(rows=2)
    assert torch.autograd.gradcheck(
        lambda given: objective(given, clips, labels)["loss"], (features,), atol=1e-5
    )


def test_the_second_division_is_by_the_batch_size() -> None:
    features, clips, labels = batch()
    released = make_objective(divide_twice=True).eval()(features, clips, labels)
    once = make_objective(divide_twice=False).eval()(features, clips, labels)
    for part in ("structure", "trajectory"):
        torch.testing.assert_close(released[part] * N, once[part])
    assert torch.equal(released["skeleton"], once["skeleton"])


@pytest.mark.parametrize(
    ("shape", "dropped_joints", "dropped_frames", "joints_left", "frames_left"),
    [
        ((T, V, C), 2, 1, 4, 3),
        ((T, V, C), 0, 0, 6, 4),
        ((T, V, C), 6, 4, 1, 1),
        ((1, 1, 2), 10, 2, 1, 1),
        ((3, 2, 2), 10, 2, 1, 1),
    ],
)
def test_what_is_left_out_and_that_something_always_remains(
    shape: tuple[int, int, int],
    dropped_joints: int,
    dropped_frames: int,
    joints_left: int,
    frames_left: int,
) -> None:
    features, clips, labels = batch(shape=shape)
    torch.manual_seed(0)
    for beta, axis, left in ((1.0, 2, joints_left), (0.0, 1, frames_left)):
        objective = make_objective(
            shape,
            dropped_joints=dropped_joints,
            dropped_frames=dropped_frames,
            beta=beta,
            contrast_weight=0,
        ).train()
        loss = objective(features, clips, labels)["loss"]
        (gradient,) = torch.autograd.grad(loss, features)
        others = tuple(a for a in range(4) if a != axis)
        assert int(gradient.abs().sum(dim=others).count_nonzero()) == left


def test_draws_follow_the_generator_and_change() -> None:
    objective = make_objective().train()
    features, clips, labels = batch()
    values = []
    for seed in (1, 1, 2, 3):
        torch.manual_seed(seed)
        values.append(float(objective(features, clips, labels)["structure"]))
    assert values[0] == values[1]
    assert len(set(values)) >= 3


@pytest.mark.parametrize(
    "settings",
    [
        {"alpha": 0.0, "beta": 0.0},
        {"alpha": 1.0, "beta": 1.0},
        {"contrast_weight": 0.0},
        {"reconstruction_weight": 0.0},
    ],
)
def test_every_parameter_takes_part_whatever_the_weights(settings: dict[str, Any]) -> None:
    objective = make_objective(**settings).train()
    features, clips, labels = batch()
    objective(features, clips, labels)["loss"].backward()
    gradients = [weight.grad for weight in (features, *objective.parameters())]
    assert all(gradient is not None and gradient.isfinite().all() for gradient in gradients)


def test_equal_prototypes_give_the_entropy_of_a_guess() -> None:
    objective = make_objective().eval()
    objective.store_prototypes(torch.ones(K, D, dtype=torch.float64), 2)
    losses = objective(*batch())
    torch.testing.assert_close(losses["sequence"].item(), math.log(K))
    torch.testing.assert_close(losses["skeleton"].item(), T * math.log(K))


def test_a_class_without_prototype_and_an_empty_clip_stay_finite() -> None:
    objective = make_objective().train()
    objective.prototypes[1] = 0
    features, clips, labels = batch()
    with torch.no_grad():
        features[0], clips[0] = 0, 0
    loss = objective(features, clips, labels)["loss"]
    loss.backward()
    assert loss.isfinite()
    assert features.grad is not None
    assert features.grad.isfinite().all()


@pytest.mark.parametrize("divide_twice", [True, False])
def test_the_average_over_uneven_ranks_is_the_loss_of_the_joined_batch(
    monkeypatch: pytest.MonkeyPatch, divide_twice: bool
) -> None:
    """Two ranks of 4 clips and 1, one after the other; nothing is left out."""
    objective = make_objective(dropped_joints=0, dropped_frames=0, divide_twice=divide_twice)
    features, clips, labels = batch()
    whole = objective.train()(features, clips, labels)
    (expected,) = torch.autograd.grad(whole["loss"], features)
    monkeypatch.setattr(aclnet.losses.transg, "row_counts", lambda labels: (4, 1))
    monkeypatch.setattr(aclnet.losses.term, "world_size", lambda: 2)
    ranks = [objective(features[r], clips[r], labels[r]) for r in (slice(0, 4), slice(4, 5))]
    for name, value in whole.items():
        torch.testing.assert_close((ranks[0][name] + ranks[1][name]) / 2, value)
    (gradient,) = torch.autograd.grad((ranks[0]["loss"] + ranks[1]["loss"]) / 2, features)
    torch.testing.assert_close(gradient, expected)


def test_half_precision_features_are_lifted_under_autocast() -> None:
    objective = make_objective().float().eval()
    features, clips, labels = batch()
    half = features.detach().bfloat16()
    expected = objective(half.float(), clips.float(), labels)["loss"]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = objective(half, clips.float(), labels)["loss"]
    assert loss.dtype == torch.float32
    assert torch.equal(loss, expected)


def test_a_step_needs_no_value_on_the_host() -> None:
    """Meta tensors have no values: whatever looked at one would raise."""
    objective = make_objective().to("meta").train()
    features, clips, labels = (tensor.detach().to("meta") for tensor in batch())
    losses = objective(features.requires_grad_(), clips, labels)
    losses["loss"].backward()
    assert losses["loss"].shape == ()
    assert features.grad is not None


def test_prototypes_and_their_epoch_are_saved() -> None:
    objective = make_objective()
    other = TransgObjective(objective.settings, K, D, (T, V, C)).double()
    assert int(other.prototype_epoch) == 0
    assert not other.prototypes.any()  # so that the logits are 0 before the first ones
    other.load_state_dict(objective.state_dict())
    assert int(other.prototype_epoch) == 1
    assert torch.equal(other.prototypes, objective.prototypes)


def test_wrong_shapes_and_types_are_refused() -> None:
    objective = make_objective()
    features, clips, labels = batch()
    with pytest.raises(ValueError, match="labels must be int64"):
        objective(features, clips, labels.int())
    with pytest.raises(ValueError, match=r"clips must have shape \(5, 4, 6, 3\)"):
        objective(features, clips[:, 1:], labels)
    with pytest.raises(ValueError, match="features must have shape"):
        objective(features[..., 1:], clips, labels)
    with pytest.raises(ValueError, match="at least 2 classes"):
        TransgObjective(objective.settings, 1, D, (T, V, C))
    with pytest.raises(ValueError, match="sizes from 1"):
        TransgObjective(objective.settings, K, D, (0, V, C))
