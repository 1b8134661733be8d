from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from aclnet.models import SkeletonNetwork
from aclnet.models.ctr_gcn import CtrGcn, CtrGcnSettings, MultiScaleUnit, RefinedGraphConv
from aclnet.models.graph import directed_adjacency
from aclnet.skeleton import load_layout

SMALL: dict[str, Any] = {"width": 16, "blocks": 3, "widen_at": (2,), "stride_at": (3,)}


def shaken(module: Any) -> Any:
    """Every parameter off its initial value, in double precision."""
    generator = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
    return module.double()


def make_encoder(**changes: Any) -> CtrGcn:
    generator = torch.Generator().manual_seed(0)
    return CtrGcnSettings(**SMALL | changes).build(load_layout("ntu25"), 3, generator)


def normalise(norm: nn.Module, x: Tensor, channels: slice = slice(None)) -> Tensor:
    assert isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d)
    weight, bias = norm.weight[channels], norm.bias[channels]
    return functional.batch_norm(x, None, None, weight, bias, training=True)


def plain_graph_conv(unit: RefinedGraphConv, x: Tensor) -> Tensor:
    """Subset by subset: the mean over time after the convolutions, out[u] = sum of A[u, v] x[v]."""
    K, o = unit.sizes
    r = unit.refine.weight.shape[1]
    total = torch.zeros(())
    for k in range(K):
        rows = slice(k * r, (k + 1) * r)
        there = slice((K + k) * r, (K + k + 1) * r)
        mine = slice(k * o, (k + 1) * o)
        relate, bias = unit.relate.weight[..., None], unit.relate.bias
        assert bias is not None
        first = functional.conv2d(x, relate[rows], bias[rows]).mean(dim=2)
        second = functional.conv2d(x, relate[there], bias[there]).mean(dim=2)
        difference = torch.tanh(first[..., :, None] - second[..., None, :])  # (n, r, u, v)
        refine = unit.refine.weight[mine][:, :, None, None]
        refined = functional.conv2d(difference, refine, unit.refine.bias[mine]) * unit.scale
        graph = refined + unit.topology[k].t()
        assert unit.enter.bias is not None
        features = functional.conv2d(x, unit.enter.weight[mine], unit.enter.bias[mine])
        total = total + torch.einsum("ncuv,nctv->nctu", graph, features)
    out = normalise(unit.norm, total)
    if isinstance(unit.short_cut, nn.Sequential):
        return torch.relu(out + normalise(unit.short_cut[1], unit.short_cut[0](x)))
    return torch.relu(out + x)


def plain_temporal(unit: MultiScaleUnit, x: Tensor) -> Tensor:
    """Branch by branch, each with convolutions and normalisations of its own."""
    outputs, start = [], 0
    assert unit.enter.bias is not None
    for branch, width in enumerate([*unit.widths, x.shape[1] - unit.active]):
        mine = slice(start, start + width)
        y = functional.conv2d(x, unit.enter.weight[mine], unit.enter.bias[mine])
        if start < unit.active:
            y = torch.relu(normalise(unit.enter_norm, y, mine))
        if branch < len(unit.dilated):
            y = unit.dilated[branch](y)
        elif start < unit.active:
            y = functional.max_pool2d(y, (3, 1), (unit.stride, 1), (1, 0))
        else:
            y = y[:, :, :: unit.stride]
        outputs.append(normalise(unit.out_norm, y, mine))
        start += width
    return torch.cat(outputs, dim=1)


def assert_same(module: nn.Module, given: Tensor, expected: Tensor, x: Tensor) -> None:
    torch.testing.assert_close(given, expected)
    weights = torch.randn(
        given.shape, generator=torch.Generator().manual_seed(2), dtype=given.dtype
    )
    wanted = [x, *module.parameters()]
    gradients = [torch.autograd.grad((out * weights).sum(), wanted) for out in (given, expected)]
    torch.testing.assert_close(*gradients, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(("channels", "width"), [(16, 16), (3, 16), (16, 32)])
def test_graph_unit_equals_the_plain_reading(channels: int, width: int) -> None:
    layout = load_layout("msr20")
    graph = directed_adjacency(20, layout.bone_index)
    unit = shaken(RefinedGraphConv(channels, width, 2, graph)).train()
    x = torch.randn(3, channels, 7, 20, dtype=torch.float64, requires_grad=True)
    assert_same(unit, unit(x), plain_graph_conv(unit, x), x)


def test_the_graph_that_is_contrasted_is_the_mean_refinement_without_its_scale() -> None:
    unit = shaken(
        RefinedGraphConv(16, 32, 2, directed_adjacency(20, load_layout("msr20").bone_index))
    )
    x = torch.randn(3, 16, 7, 20, dtype=torch.float64)
    refined = unit._graph(x) - unit.topology.flatten(1).unsqueeze(1)
    torch.testing.assert_close(unit.mean_graph(x), (refined / unit.scale).mean(dim=2).flatten(1))


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(("channels", "dilations"), [(16, (1, 2)), (18, (1, 2)), (8, (3,))])
def test_temporal_unit_equals_the_plain_reading(
    channels: int, dilations: tuple[int, ...], stride: int
) -> None:
    unit = shaken(MultiScaleUnit(channels, 5, dilations, stride)).train()
    x = torch.randn(3, channels, 11, 6, dtype=torch.float64, requires_grad=True)
    out = unit(x)
    assert out.shape == (3, channels, 11 if stride == 1 else 6, 6)
    assert_same(unit, out, plain_temporal(unit, x), x)


def test_the_blocks_are_strung_as_published() -> None:
    """Graph unit, temporal unit, short cut, ReLU; none around the first block."""
    encoder = shaken(make_encoder()).train()
    clips = torch.randn(4, 1, 9, 25, 3, dtype=torch.float64)
    x = clips[:, 0].permute(0, 2, 3, 1).flatten(1, 2)  # (n, V * C, T)
    x = normalise(encoder.input_norm, x).unflatten(1, (25, 3)).permute(0, 2, 3, 1)
    for block in encoder.blocks:
        y = plain_temporal(block.temporal, plain_graph_conv(block.graph, x))
        if isinstance(block.short_cut, nn.Sequential):
            y = y + normalise(block.short_cut[1], block.short_cut[0](x))
        elif block.short_cut is not None:
            y = y + x
        x = torch.relu(y)
    kinds = [type(block.short_cut) for block in encoder.blocks]
    assert kinds == [type(None), nn.Sequential, nn.Sequential]
    torch.testing.assert_close(encoder(clips).pooled, x.mean(dim=(2, 3)))


def test_published_size() -> None:
    """1.46 M, published for 120 classes; there each of two persons has its input norm."""
    for classes, expected in ((120, 1_461_942), (60, 1_446_522)):
        network = SkeletonNetwork(CtrGcnSettings().build(load_layout("ntu25"), 3, None), classes)
        assert sum(parameter.numel() for parameter in network.parameters()) == expected
    second_person = 2 * 25 * 3
    assert round((1_461_942 + second_person) / 1e6, 2) == 1.46


def test_it_starts_from_the_skeleton_and_its_graph_units_as_short_cuts() -> None:
    encoder = make_encoder()
    graph = directed_adjacency(25, load_layout("ntu25").bone_index)
    unit = encoder.blocks[2].graph  # as many channels out as in
    for block in encoder.blocks:
        torch.testing.assert_close(block.graph.topology, torch.from_numpy(graph).float())
        assert block.graph.scale == 0
    x = torch.rand(2, 32, 6, 25)
    torch.testing.assert_close(unit(x), x, rtol=0, atol=1e-4)


def test_relations_have_a_channel_at_least() -> None:
    encoder = make_encoder(reduction=64)
    assert [block.graph.refine.in_features for block in encoder.blocks] == [1, 1, 1]
    encoder = make_encoder()
    assert [block.graph.refine.in_features for block in encoder.blocks] == [2, 2, 4]
