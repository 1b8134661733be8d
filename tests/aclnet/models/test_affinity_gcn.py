from __future__ import annotations

import importlib.util
import math
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from aclnet.models import SkeletonNetwork
from aclnet.models.affinity_gcn import AffinityGcn, AffinityGcnSettings
from aclnet.models.official import import_official

Golden = Mapping[str, np.ndarray]
RELEASED_PARAMETERS = 3_705_696  # backbone for 25 joints
DEAD_PARAMETERS = 140  # seven channel scales and seven adaptive scales in each of ten blocks


def read_golden(shared: Path, name: str) -> Golden:
    with np.load(shared / "golden" / "action" / f"{name}.npz") as file:
        return {key: file[key] for key in file.files}


def part(golden: Golden, prefix: str) -> dict[str, Tensor]:
    return {
        key.removeprefix(prefix): torch.from_numpy(array)
        for key, array in golden.items()
        if key.startswith(prefix)
    }


def regenerate(golden: Golden) -> dict[str, Tensor]:
    """The full-size weights, drawn as the golden data's description says."""
    random = np.random.RandomState(int(golden["seed"]))
    state = {}
    for key, text in zip(golden["keys"], golden["shapes"], strict=True):
        shape = tuple(int(size) for size in str(text).split(",") if size)
        values = random.standard_normal(shape)
        leaf = str(key).rpartition(".")[2]
        if leaf in ("running_mean", "running_var"):
            values = golden[f"w/{key}"]
        elif leaf == "A":
            values = values * 0.03 + 0.04
        elif leaf in ("alpha", "beta"):
            values = values * 0.1 + 0.5
        elif leaf == "add_coeff":
            values = values * 0.1 + 0.2
        elif len(shape) == 1:
            values = values * 0.1 + 1 if leaf == "weight" else values * 0.05
        else:
            values = values * math.sqrt(1.5 / math.prod(shape[1:]))
        state[str(key)] = torch.from_numpy(np.asarray(values, dtype=np.float32))
    sums = [tensor.double().sum().item() for tensor in state.values()]
    np.testing.assert_allclose(sums, golden["key_sums"], rtol=0, atol=1e-9)
    return state


def make_network(
    settings: AffinityGcnSettings, golden: Golden, state: Mapping[str, Tensor]
) -> SkeletonNetwork:
    V, C = golden["x"].shape[3:]
    network = SkeletonNetwork(AffinityGcn(settings, V, C), golden["eval_logits"].shape[1])
    result = network.load_state_dict(import_official(state), strict=False)
    assert result.unexpected_keys == []
    # The golden data leave these counters out; everything else must be there.
    assert all(key.endswith("num_batches_tracked") for key in result.missing_keys)
    return network


def assert_near(given: Tensor, expected: np.ndarray | Tensor, tolerance: float) -> None:
    """Equal to a share of the largest expected value."""
    expected = torch.as_tensor(expected)
    atol = tolerance * float(expected.abs().max())
    torch.testing.assert_close(given.detach(), expected, rtol=0, atol=atol)


@pytest.fixture
def small(shared: Path) -> Golden:
    return read_golden(shared, "backbone_small_ntu25")


@pytest.fixture
def small_network(small: Golden) -> SkeletonNetwork:
    settings = AffinityGcnSettings(width=16, blocks=4, widen_at=(3,), stride_at=(3,))
    return make_network(settings, small, part(small, "w/"))


def test_small_golden_evaluation(small: Golden, small_network: SkeletonNetwork) -> None:
    means: list[float] = []
    first: list[Tensor] = []
    for number in range(4):
        block = small_network.get_submodule(f"encoder.blocks.{number}")
        block.register_forward_hook(lambda module, given, out: means.append(out[0].mean().item()))
    small_network.get_submodule("encoder.blocks.0").register_forward_hook(
        lambda module, given, out: first.append(out[0][:1].clone())
    )
    with torch.no_grad():
        output = small_network.eval()(torch.from_numpy(small["x"]))
    assert_near(output.logits, small["eval_logits"], 2e-6)
    assert_near(output.pooled, small["eval_pooled"], 2e-6)
    assert_near(output.graph, small["eval_graph"], 2e-5)
    assert_near(first[0], small["block1"], 5e-6)
    np.testing.assert_allclose(means, small["block_mean"], rtol=1e-5)


def test_small_golden_training_step(small: Golden, small_network: SkeletonNetwork) -> None:
    clips = torch.from_numpy(small["x"]).requires_grad_()
    output = small_network.train()(clips)
    assert_near(output.logits, small["train_logits"], 2e-6)
    assert_near(output.graph, small["train_graph"], 2e-5)
    scalar = (output.logits * torch.from_numpy(small["train_wl"])).sum()
    scalar = scalar + (output.graph * torch.from_numpy(small["train_wg"])).sum()
    scalar.backward()
    assert scalar.item() == pytest.approx(float(small["train_scalar"]), rel=1e-4)
    assert clips.grad is not None
    assert_near(clips.grad, small["train_grad_x"], 1e-5)
    gradients = import_official(part(small, "grad/"))
    parameters = dict(small_network.named_parameters())
    assert gradients.keys() == parameters.keys()
    for name, expected in gradients.items():
        given = parameters[name].grad
        assert given is not None, name
        # Biases before a normalisation have a true gradient of zero and hold rounding noise.
        atol = max(1e-4 * float(expected.abs().max()), 2e-5)
        assert float((given - expected).abs().max()) <= atol, name
    statistics = import_official(part(small, "after/"))
    buffers = dict(small_network.named_buffers())
    for name, expected in statistics.items():
        assert_near(buffers[name], expected, 1e-6)
    assert {name for name in buffers if "running" in name} == statistics.keys()


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["backbone_full_ntu60", "backbone_full_k400", "backbone_full_pku_t50"]
)
def test_full_size_golden(shared: Path, name: str) -> None:
    golden = read_golden(shared, name)
    network = make_network(AffinityGcnSettings(), golden, regenerate(golden)).eval()
    with torch.no_grad():
        output = network(torch.from_numpy(golden["x"]))
    assert_near(output.logits, golden["eval_logits"], 1e-5)
    assert_near(output.pooled, golden["eval_pooled"], 1e-5)
    # The float32 noise of the released form's own graph is 3e-4 of its maximum.
    assert_near(output.graph, golden["eval_graph"], 5e-4)
    np.testing.assert_allclose(output.graph.numpy(), golden["eval_graph"], rtol=0, atol=1e-4)


def test_released_size() -> None:
    encoder = AffinityGcn(AffinityGcnSettings(), 25, 3)
    count = sum(parameter.numel() for parameter in encoder.parameters())
    assert count == RELEASED_PARAMETERS - DEAD_PARAMETERS
    assert (encoder.feature_dim, encoder.graph_dim) == (384, 625)


def test_initial_weights_are_those_of_the_released_code() -> None:
    encoder = AffinityGcn(AffinityGcnSettings(), 25, 3, torch.Generator().manual_seed(0))
    state = encoder.state_dict()
    topology = torch.stack([state[f"blocks.{i}.graph.topology"] for i in range(10)])
    assert topology.mean().item() == pytest.approx(0.04, abs=5e-4)
    assert topology.std().item() == pytest.approx(0.02, abs=5e-4)
    scales = [tensor for name, tensor in state.items() if name.endswith("_scale")]
    assert len(scales) == 30
    assert not any(tensor.any() for tensor in scales)
    bound = 1 / math.sqrt(384)
    weight = state["blocks.9.graph.enter.weight"]
    assert bound * 0.999 < weight.abs().max().item() <= bound


def test_dynamic_graph_is_zero_at_the_start_and_only_its_scales_learn_from_it() -> None:
    settings = AffinityGcnSettings(width=8, blocks=2, widen_at=(), stride_at=())
    encoder = AffinityGcn(settings, 17, 3, torch.Generator().manual_seed(0))
    graph = encoder(torch.randn(2, 1, 8, 17, 3)).graph
    assert graph is not None
    assert not graph.any()
    graph.sum().backward()
    moved = {n for n, p in encoder.named_parameters() if p.grad is not None and p.grad.any()}
    assert moved == {"blocks.1.graph.channel_scale", "blocks.1.graph.adaptive_scale"}


@pytest.fixture(scope="module")
def plain() -> ModuleType:
    """The plain, six-axis reading of the released blocks, kept with the benchmark."""
    path = Path(__file__).parents[2] / "benchmarks" / "bench_backbone.py"
    spec = importlib.util.spec_from_file_location("bench_backbone", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("sizes", "V", "C", "shape"),
    [
        ({"width": 18, "blocks": 3, "widen_at": (2,), "stride_at": (3,)}, 20, 6, (3, 1, 11)),
        (
            {"width": 7, "blocks": 2, "widen_at": (), "stride_at": (1, 2), "subsets": 3},
            15,
            2,
            (2, 2, 9),
        ),
        (
            {"width": 24, "blocks": 2, "widen_at": (1,), "stride_at": (), "subsets": 1},
            28,
            3,
            (2, 3, 5),
        ),
    ],
)
@pytest.mark.parametrize("training", [False, True])
def test_equals_the_plain_reading_at_other_sizes(
    plain: ModuleType,
    sizes: dict[str, Any],
    V: int,
    C: int,
    shape: tuple[int, ...],
    training: bool,
) -> None:
    torch.manual_seed(0)
    settings = AffinityGcnSettings(**sizes)
    slow = plain.PlainNetwork(settings, V, C, 5).train(training)
    with torch.no_grad():
        for parameter in slow.parameters():
            parameter += 0.1 * torch.randn(parameter.shape)
    ours = SkeletonNetwork(AffinityGcn(settings, V, C), 5).train(training)
    ours.load_state_dict(import_official(slow.state_dict()))
    clips = torch.randn(*shape, V, C)
    logits, graph = slow(clips)
    output = ours(clips)
    assert_near(output.logits, logits.detach(), 1e-5)
    assert_near(output.graph, graph.detach(), 1e-5)
    for scalar in (
        logits.square().sum() + graph.sum(),
        output.logits.square().sum() + output.graph.sum(),
    ):
        scalar.backward()
    expected = import_official(
        {n: p.grad for n, p in slow.named_parameters() if p.grad is not None}
    )
    for name, parameter in ours.named_parameters():
        assert parameter.grad is not None, name
        atol = max(1e-4 * float(expected[name].abs().max()), 1e-4)
        torch.testing.assert_close(parameter.grad, expected[name], rtol=1e-3, atol=atol)


def test_an_exported_graph_runs_where_gradients_are_on() -> None:
    settings = AffinityGcnSettings(width=8, blocks=2, widen_at=(), stride_at=())
    encoder = AffinityGcn(settings, 5, 3, torch.Generator().manual_seed(0)).eval()
    clips = torch.randn(2, 1, 8, 5, 3)
    exported = torch.export.export(encoder, (clips,)).module()
    torch.testing.assert_close(exported(clips)[0], encoder(clips)[0])
