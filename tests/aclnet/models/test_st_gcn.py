from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from aclnet.models import SkeletonNetwork
from aclnet.models.st_gcn import StGcn, StGcnSettings, skeleton_graph
from aclnet.skeleton import load_layout

SMALL: dict[str, Any] = {"width": 8, "blocks": 4, "widen_at": (2, 4), "stride_at": (3,)}


def make_encoder(layout: str = "ntu25", channels: int = 3, **changes: Any) -> StGcn:
    """A small one, every parameter off its initial value."""
    generator = torch.Generator().manual_seed(0)
    encoder = StGcnSettings(**SMALL | changes).build(load_layout(layout), channels, generator)
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return encoder


def normalise(norm: nn.Module, x: Tensor) -> Tensor:
    assert isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d)
    return functional.batch_norm(x, None, None, norm.weight, norm.bias, training=True)


def plain_reading(encoder: StGcn, clips: Tensor) -> Tensor:
    """The authors' order: (n, c, T, V), convolution into K parts, then each over its graph."""
    n = clips.shape[0] * clips.shape[1]
    x = clips.permute(0, 1, 3, 4, 2).reshape(n, -1, clips.shape[2])  # (n, V * C, T)
    x = normalise(encoder.input_norm, x).unflatten(1, clips.shape[3:]).permute(0, 2, 3, 1)
    for block in encoder.blocks:
        graph = encoder.adjacency if block.edge is None else encoder.adjacency * block.edge
        mix = block.graph.mix
        parts = functional.conv2d(x, mix.weight[:, :, None, None], mix.bias)
        mixed = torch.einsum("nkctv,kvw->nctw", parts.unflatten(1, (len(graph), -1)), graph)
        y = torch.relu(normalise(block.graph_norm, mixed))
        y = functional.conv2d(
            y,
            block.temporal.weight,
            block.temporal.bias,
            stride=block.temporal.stride,
            padding=block.temporal.padding,
        )
        y = normalise(block.temporal_norm, y)
        if isinstance(block.short_cut, nn.Sequential):
            short = block.short_cut[0](x)
            y = y + normalise(block.short_cut[1], short)
        elif block.short_cut is not None:
            y = y + x
        x = torch.relu(y)
    return x.mean(dim=(2, 3)).unflatten(0, clips.shape[:2]).mean(dim=1)


@pytest.mark.parametrize(
    ("layout", "channels", "changes"),
    [
        ("ntu25", 3, {}),
        ("msr20", 9, {"partition": "uniform"}),
        ("coco17", 2, {"partition": "distance", "edge_importance": False, "kernel": 3}),
    ],
)
def test_equals_the_plain_reading(layout: str, channels: int, changes: dict[str, Any]) -> None:
    encoder = make_encoder(layout, channels, **changes).double().train()
    generator = torch.Generator().manual_seed(1)
    clips = torch.randn(
        3, 2, 11, encoder.joint_count, channels, generator=generator, dtype=torch.float64
    ).requires_grad_()
    given, expected = encoder(clips).pooled, plain_reading(encoder, clips)
    torch.testing.assert_close(given, expected)
    wanted = [clips, *encoder.parameters()]
    weights = torch.randn(given.shape, generator=generator, dtype=torch.float64)
    gradients = [
        torch.autograd.grad((pooled * weights).sum(), wanted) for pooled in (given, expected)
    ]
    torch.testing.assert_close(*gradients, rtol=1e-6, atol=1e-9)


def test_published_size() -> None:
    """3.10 M, as later papers list it; the authors' ten blocks and classifier by hand."""
    encoder = StGcnSettings().build(load_layout("ntu25"), 3, None)
    network = SkeletonNetwork(encoder, 60)
    count = sum(parameter.numel() for parameter in network.parameters())
    expected, before = 2 * 25 * 3, 3  # the input's normalisation
    for number, width in enumerate([64] * 4 + [128] * 3 + [256] * 3):
        expected += 3 * width * (before + 1) + 9 * width * width + width  # two convolutions
        expected += 4 * width + 3 * 25 * 25  # two normalisations, edge importance
        if number and before != width:
            expected += width * (before + 1) + 2 * width
        before = width
    expected += 60 * 257
    assert count == expected == 3_098_832
    assert round(count / 1e6, 2) == 3.10


def test_partitions_have_their_number_of_graphs() -> None:
    layout = load_layout("ntu25")
    partitions: tuple[Literal["uniform", "distance", "spatial"], ...]
    partitions = ("uniform", "distance", "spatial")
    graphs = [skeleton_graph(layout, partition) for partition in partitions]
    assert [len(graph) for graph in graphs] == [1, 2, 3]
    for graph in graphs:
        np.testing.assert_allclose(graph.sum(axis=0), graphs[0][0], rtol=0, atol=1e-12)


def test_a_joint_hears_only_of_its_neighbours_in_the_first_block() -> None:
    encoder = make_encoder(blocks=1, widen_at=(), stride_at=()).eval()
    layout = load_layout("ntu25")
    clips = torch.randn(1, 1, 9, 25, 3).requires_grad_()
    kept: list[Tensor] = []
    encoder.blocks[0].register_forward_hook(lambda module, given, out: kept.append(out))
    encoder(clips)
    joint = layout.index("left_elbow")
    (gradient,) = torch.autograd.grad(kept[0][joint].sum(), clips)
    reached = set(gradient.abs().sum(dim=(0, 1, 2, 4)).nonzero().flatten().tolist())
    bones = [set(bone) for bone in layout.bone_index.tolist()]
    assert reached == set.union(*(bone for bone in bones if joint in bone))


def test_dropout_takes_whole_channels_of_a_body_in_training_only() -> None:
    encoder = make_encoder(blocks=1, widen_at=(), stride_at=(), dropout=0.5)
    kept: list[Tensor] = []
    encoder.blocks[0].register_forward_hook(lambda module, given, out: kept.append(out))
    clips = torch.randn(40, 1, 9, 25, 3)
    torch.manual_seed(0)
    encoder.train()(clips)
    silent = (kept[0] == 0).all(dim=2).all(dim=0)  # (o, n)
    assert 0.3 < silent.float().mean() < 0.7
    assert len(set(map(tuple, silent.t().tolist()))) > 10  # each body has its own
    encoder.eval()(clips)
    assert not (kept[1] == 0).all(dim=2).all(dim=0).any()
