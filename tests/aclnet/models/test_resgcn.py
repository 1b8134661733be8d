from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from aclnet.models.resgcn import ResGcn, ResGcnSettings, gaitgraph_edges
from aclnet.skeleton import load_layout

GAITGRAPH_PARAMETERS = 319_530  # resgcn-n39-r8 with one branch of three channels
DEAD_PARAMETERS = 7 * 17 * 17  # seven modules' edge weights of the hop that is never read


def make_encoder(settings: ResGcnSettings, channels: int, seed: int = 0) -> ResGcn:
    return settings.build(load_layout("coco17"), channels, torch.Generator().manual_seed(seed))


def load_golden(shared: Path, name: str, encoder: ResGcn) -> dict[str, Tensor]:
    with np.load(shared / "golden" / "gait" / f"{name}.npz") as file:
        golden = {key: torch.from_numpy(file[key].astype(np.float32)) for key in file.files}
    state = {key[3:]: tensor for key, tensor in golden.items() if key.startswith("sd/")}
    # GaitGraph keeps the edge weights of a hop that it never reads, and the graph itself.
    own = {key: tensor[:3] if key.endswith(".edge") else tensor for key, tensor in state.items()}
    own = {key: tensor for key, tensor in own.items() if key.rpartition(".")[2] != "A"}
    result = encoder.load_state_dict(own, strict=False)
    assert result.unexpected_keys == []
    assert all(key.endswith("num_batches_tracked") for key in result.missing_keys)
    torch.testing.assert_close(encoder.adjacency, golden["A"][:3], rtol=0, atol=1e-7)
    encoder.eval()
    return golden


def test_gaitgraph_golden(shared: Path) -> None:
    encoder = make_encoder(ResGcnSettings(), 3)
    golden = load_golden(shared, "resgcn_v1", encoder)
    means: list[Tensor] = []
    for module in (encoder.input_branches[0], encoder.main_stream[0]):
        module.register_forward_hook(lambda m, given, out: means.append(out.mean(dim=(2, 3))))
    clips = golden["input"].permute(0, 1, 3, 4, 2)  # one branch is one person
    with torch.no_grad():
        torch.testing.assert_close(encoder(clips).pooled, golden["output"], rtol=1e-5, atol=1e-6)
        reversed_in_time = encoder(clips.flip(2)).pooled
    expected = golden["output_time_flipped"]
    torch.testing.assert_close(reversed_in_time, expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(means[0], golden["act_input_branch_mean"], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(means[1], golden["act_main0_mean"], rtol=1e-5, atol=1e-6)


def test_gaitgraph_golden_before_the_linear_layer(shared: Path) -> None:
    encoder = make_encoder(ResGcnSettings(embedding_dim=None, unit_length=False), 3)
    whole = make_encoder(ResGcnSettings(), 3)
    golden = load_golden(shared, "resgcn_v1", whole)
    state = {key: tensor for key, tensor in whole.state_dict().items() if "fcn" not in key}
    encoder.load_state_dict(state)
    with torch.no_grad():
        pooled = encoder.eval()(golden["input"].permute(0, 1, 3, 4, 2)).pooled
    torch.testing.assert_close(pooled, golden["act_pool"], rtol=1e-5, atol=1e-6)


def test_gaitgraph2_golden(shared: Path) -> None:
    encoder = make_encoder(ResGcnSettings(depth="n21", branches=3, unit_length=False), 15)
    golden = load_golden(shared, "resgcn_v2", encoder)
    clips = golden["input"].flatten(3).unsqueeze(1)  # (N, T, V, 3, 5) branch by branch
    with torch.no_grad():
        torch.testing.assert_close(encoder(clips).pooled, golden["output"], rtol=1e-5, atol=1e-6)


def test_gaitgraph_edges(shared: Path) -> None:
    with np.load(shared / "golden" / "gait" / "graphs.npz") as file:
        expected = file["v1_coco_edges"]
    np.testing.assert_array_equal(gaitgraph_edges(load_layout("coco17")), expected)


def test_released_size() -> None:
    encoder = make_encoder(ResGcnSettings(), 3)
    count = sum(parameter.numel() for parameter in encoder.parameters())
    assert count == GAITGRAPH_PARAMETERS - DEAD_PARAMETERS


def test_bottlenecks_begin_as_their_short_cut() -> None:
    encoder = make_encoder(ResGcnSettings(), 3).eval()
    module = encoder.main_stream[1]  # same width, no stride
    x = torch.rand(2, 128, 6, 17)
    assert torch.equal(module(x, encoder.adjacency), x)


def test_unit_length() -> None:
    clips = torch.randn(3, 1, 20, 17, 3)
    with torch.no_grad():
        unit = make_encoder(ResGcnSettings(), 3)(clips).pooled
        free = make_encoder(ResGcnSettings(unit_length=False), 3)(clips).pooled
    torch.testing.assert_close(unit.norm(dim=1), torch.ones(3))
    torch.testing.assert_close(unit, free / free.norm(dim=1, keepdim=True))


def test_graph_follows_the_setting() -> None:
    ring = make_encoder(ResGcnSettings(), 3).adjacency
    tree = make_encoder(ResGcnSettings(graph="bones"), 3).adjacency
    hips = [load_layout("coco17").index(name) for name in ("left_hip", "right_hip")]
    assert ring[1, hips[0], hips[1]] > 0
    assert tree[1, hips[0], hips[1]] == 0


@pytest.mark.parametrize("depth", ["n21", "n39", "n51"])
def test_depth_counts_the_layers(depth: str) -> None:
    encoder = ResGcnSettings.model_validate({"depth": depth}).build(load_layout("coco17"), 3, None)
    names = {name for name, _ in encoder.named_modules() if name.endswith(".scn")}
    bottlenecks = {name for name, _ in encoder.named_modules() if name.endswith(".scn.conv_down")}
    basic = len(names) - len(bottlenecks)
    assert basic == 1
    assert 2 * basic + 6 * len(bottlenecks) + 1 == int(depth[1:])
