from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from aclnet.models.channels_last import BatchNorm, mix_joints, pool_frames

N, C, T, V, K = 3, 6, 7, 5, 2
Step = Callable[..., Tensor]


def maps(channels: int = C, joints: int = V) -> Tensor:
    """Distinct values channels last: no two are equal, as after a ReLU zeros may be."""
    drawn = torch.randn(N, channels, T, joints, dtype=torch.float64)
    return drawn.contiguous(memory_format=torch.channels_last)


def plain_mix(entered: Tensor, relations: Tensor, shared: Tensor, scale: Tensor) -> Tensor:
    rows, columns = relations.unbind(1)
    graph = shared[:, :, None] + scale * torch.tanh(rows[..., None] - columns[..., None, :])
    features = torch.relu(entered).unflatten(1, (K, -1))
    return torch.einsum("nkctv,nkcvw->nkctw", features, graph).flatten(1, 2)


@pytest.mark.parametrize(
    ("ours", "plain", "others"),
    [
        (mix_joints, plain_mix, [(N, 2, K, C // K, V), (N, K, V, V), ()]),
        (lambda x: pool_frames(x, 1), lambda x: functional.max_pool2d(x, (3, 1), 1, (1, 0)), []),
        (
            lambda x: pool_frames(x, 2),
            lambda x: functional.max_pool2d(x, (3, 1), (2, 1), (1, 0)),
            [],
        ),
    ],
)
def test_a_step_equals_the_plain_one_and_keeps_its_layout(
    ours: Step, plain: Step, others: Sequence[tuple[int, ...]]
) -> None:
    torch.manual_seed(0)
    inputs = [maps(), *(torch.randn(shape, dtype=torch.float64) for shape in others)]
    found, wanted = ([one.clone().requires_grad_() for one in inputs] for _ in range(2))
    result, reference = ours(*found), plain(*wanted)
    torch.testing.assert_close(result, reference)
    assert result.is_contiguous(memory_format=torch.channels_last)
    weights = torch.randn_like(reference)
    result.backward(weights)
    reference.backward(weights)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one.grad, other.grad)


@pytest.mark.parametrize("training", [True, False])
def test_the_batch_norm_is_that_of_torch(training: bool) -> None:
    torch.manual_seed(0)
    x = (maps(C, 30).float() + 4).contiguous(memory_format=torch.channels_last)
    layers = [BatchNorm(C).train(training), nn.BatchNorm2d(C).train(training)]
    inputs = [x.clone().requires_grad_(), x.contiguous().requires_grad_()]
    weights = torch.randn_like(x)
    for layer, one in zip(layers, inputs, strict=True):
        for _ in range(2):
            found = layer(one)
        found.backward(weights)
    torch.testing.assert_close(layers[0](x), layers[1](x))
    torch.testing.assert_close(inputs[0].grad, inputs[1].grad)
    torch.testing.assert_close(layers[0].state_dict(), layers[1].state_dict())


def test_the_batch_norm_is_exact_over_many_rows() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(16, 4, 100, 25, generator=generator) + 10
    x = x.contiguous(memory_format=torch.channels_last)
    wanted = nn.BatchNorm2d(4, dtype=torch.float64)(x.double())
    assert float((BatchNorm(4)(x) - wanted).abs().max().detach()) < 3e-6


@pytest.mark.parametrize(
    ("options", "rows"), [({"track_running_stats": False}, N), ({"affine": False}, N), ({}, 0)]
)
def test_the_batch_norm_takes_what_torchs_takes(options: dict[str, bool], rows: int) -> None:
    torch.manual_seed(0)
    x = torch.randn(rows, C, T, V)
    layers = [BatchNorm(C, **options), nn.BatchNorm2d(C, **options)]
    found = [layer(x) for layer in layers]
    torch.testing.assert_close(found[0], found[1])
    torch.testing.assert_close(layers[0].state_dict(), layers[1].state_dict())


def test_a_small_map_is_kept_of_the_pool() -> None:
    kept: list[Tensor] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        pool_frames(maps().requires_grad_(), 1)
    assert [one.dtype for one in kept] == [torch.float64]
