"""The one test that every encoder passes; a new backbone is one more line in CASES."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from aclnet.models import SkeletonNetwork, build_encoder
from aclnet.models.affinity_gcn import AffinityGcnSettings
from aclnet.models.clip_mlp import ClipMlpSettings
from aclnet.models.ctr_gcn import CtrGcnSettings
from aclnet.models.encoder import Encoder, person_weights
from aclnet.models.joint_transformer import JointTransformerSettings
from aclnet.models.resgcn import ResGcnSettings
from aclnet.models.settings import EncoderSettings
from aclnet.models.skate_former import SkateFormerSettings
from aclnet.models.st_gcn import StGcnSettings
from aclnet.models.temporal_conv import TemporalConvSettings
from aclnet.models.transg import TransgSettings
from aclnet.skeleton import load_layout

SMALL_GCN: dict[str, Any] = {
    "width": 24,
    "blocks": 3,
    "widen_at": (2,),
    "stride_at": (2, 3),
    "subsets": 4,
}
SMALL_STAGES: dict[str, Any] = {"width": 12, "blocks": 3, "widen_at": (2,), "stride_at": (2, 3)}
CASES: dict[str, tuple[EncoderSettings, str, int]] = {
    "temporal_conv": (TemporalConvSettings(width=12), "coco17", 5),
    "temporal_conv/mean": (TemporalConvSettings(width=9, blocks=1, pooling="mean"), "msr20", 3),
    "temporal_conv/std": (TemporalConvSettings(width=8, pooling="mean_std"), "sbu15", 3),
    "clip_mlp": (ClipMlpSettings(width=16, dropout=0.1), "kinect20", 7),
    "affinity_gcn": (AffinityGcnSettings(**SMALL_GCN), "ntu25", 3),
    "affinity_gcn/ignore": (
        AffinityGcnSettings(**SMALL_GCN, absent_persons="ignore"),
        "coco17",
        4,
    ),
    "resgcn": (ResGcnSettings(), "coco17", 3),
    "resgcn/bones": (
        ResGcnSettings(
            depth="n21", branches=2, graph="bones", embedding_dim=None, unit_length=False
        ),
        "kinect20",
        6,
    ),
    "st_gcn": (StGcnSettings(**SMALL_STAGES, dropout=0.1), "ntu25", 3),
    "st_gcn/uniform": (
        StGcnSettings(**SMALL_STAGES, partition="uniform", edge_importance=False, kernel=5),
        "msr20",
        9,
    ),
    "st_gcn/released": (
        StGcnSettings(
            **SMALL_STAGES,
            last_width=40,
            partition="spatial_released",
            dropout=0.5,
            dropout_of="values",
            absent_persons="count",
        ),
        "kinect20",
        3,
    ),
    "ctr_gcn": (CtrGcnSettings(**SMALL_STAGES), "ntu25", 3),
    "ctr_gcn/one_dilation": (
        CtrGcnSettings(**SMALL_STAGES | {"width": 16}, reduction=2, kernel=3, dilations=(3,)),
        "msr20",
        9,
    ),
    "joint_transformer": (
        JointTransformerSettings(width=16, blocks=2, heads=2, segment=3, positions=4, dropout=0.1),
        "msr20",
        3,
    ),
    "skate_former": (
        SkateFormerSettings(
            widths=(16, 32),
            blocks=1,
            heads=8,
            window=4,
            kernel=3,
            attention_dropout=0.1,
            dropped_blocks=0.1,
        ),
        "ntu25",
        3,
    ),
    "transg": (
        TransgSettings(width=24, heads=4, positions=6, dropout=0.1, attention_std=0.2),
        "kinect20",
        3,
    ),
    "transg/free_scores": (
        TransgSettings(
            width=32, heads=2, layers=1, dropout=0.0, clip_scores=None, attention_std=0.2
        ),
        "coco17",
        4,
    ),
}
OF_THE_BONES = ("resgcn/bones", "st_gcn", "st_gcn/uniform", "ctr_gcn")
STAGED = ("affinity_gcn", "ctr_gcn", "st_gcn")
WITHOUT_MAP = ("clip_mlp", "resgcn", *(case for case in CASES if "temporal" in case))
WITHOUT_STATISTICS = ("joint_transformer",)
every_case = pytest.mark.parametrize("case", CASES)


def make_encoder(case: str, seed: int = 0) -> Encoder:
    settings, layout, channels = CASES[case]
    return build_encoder(
        settings, load_layout(layout), channels, torch.Generator().manual_seed(seed)
    )


def make_live_encoder(case: str) -> Encoder:
    """In evaluation mode, every parameter and statistic off its initial value.

    Parts that start at zero would hide what comes before them.
    """
    encoder = make_encoder(case).eval()
    generator = torch.Generator().manual_seed(9)
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
        for name, buffer in encoder.named_buffers():
            if "running" in name:
                buffer.add_(0.1 * torch.rand(buffer.shape, generator=generator))
    return encoder


def make_clips(encoder: Encoder, N: int = 4, M: int = 2, T: int = 13, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(N, M, T, encoder.joint_count, encoder.channels, generator=generator)


def test_every_registered_encoder_has_a_case() -> None:
    chosen = [EncoderSettings.model_validate({"name": name}) for name in EncoderSettings.members]
    assert {type(settings) for settings in chosen} == {type(case[0]) for case in CASES.values()}
    assert [settings.name for settings in chosen] == list(EncoderSettings.members)


@every_case
def test_output_has_the_promised_shapes(case: str) -> None:
    encoder = make_encoder(case)
    for N, M, T in ((2, 1, 1), (3, 2, 13), (2, 3, 60)):
        clips = make_clips(encoder, N, M, T)
        pooled, graph, features, stages = encoder(clips)
        assert stages == ()
        assert pooled.shape == (N, encoder.feature_dim)
        assert pooled.dtype == torch.float32
        assert (graph is None) == (encoder.graph_dim is None or "ctr_gcn" in case)
        if graph is not None:
            assert graph.shape == (N, encoder.graph_dim)
        if features is not None:
            assert features.shape[:3] == (N, M, encoder.feature_dim)
            assert features.shape[4] == encoder.joint_count


@every_case
def test_the_map_pools_to_the_representation(case: str) -> None:
    encoder = make_live_encoder(case)
    clips = make_clips(encoder)
    clips[0, 1] = 0
    output = encoder(clips)
    assert (output.map is not None) == encoder.has_map == (case not in WITHOUT_MAP)
    if output.map is not None:
        weights = person_weights(clips, encoder.absent_persons)
        pooled = (output.map.mean(dim=(3, 4)) * weights[:, :, None]).sum(dim=1)
        torch.testing.assert_close(pooled, output.pooled, rtol=1e-4, atol=1e-5)


@every_case
def test_graph_and_stages_are_kept_where_they_are_asked_for(case: str) -> None:
    encoder = make_live_encoder(case)
    clips = make_clips(encoder)
    clips[0, 1] = 0
    before = encoder(clips)
    encoder.kept = frozenset(("graph", "stages"))
    output = encoder(clips)
    assert torch.equal(before.pooled, output.pooled)
    assert (output.graph is None) == (encoder.graph_dim is None)
    if output.graph is not None:
        assert output.graph.shape == (len(clips), encoder.graph_dim)
    assert len(output.stages) == (3 if case.startswith(STAGED) else 0)
    if output.stages:
        torch.testing.assert_close(output.stages[-1].mean(dim=(2, 3)), output.pooled)
        lengths = [stage.shape[2] for stage in output.stages]
        assert lengths == sorted(lengths, reverse=True)
        assert lengths[0] == clips.shape[2]


@every_case
def test_backward_reaches_every_parameter_and_the_clips(case: str) -> None:
    encoder = make_live_encoder(case)
    clips = make_clips(encoder).requires_grad_()
    pooled, graph, *_ = encoder(clips)
    weights = torch.randn(pooled.shape, generator=torch.Generator().manual_seed(2))
    total = (pooled * weights).sum() + (0 if graph is None else graph.square().sum())
    total.backward()
    idle = [
        name
        for name, parameter in encoder.named_parameters()
        if parameter.grad is None or not parameter.grad.any()
    ]
    assert idle == []
    assert clips.grad is not None
    assert clips.grad.flatten(3).any(dim=3).all()  # every clip, person and frame counts


@every_case
def test_evaluation_is_deterministic_and_leaves_no_trace(case: str) -> None:
    encoder = make_live_encoder(case)
    clips = make_clips(encoder)
    before = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    first, second = encoder(clips), encoder(clips)
    assert torch.equal(first.pooled, second.pooled)
    assert all(torch.equal(tensor, before[name]) for name, tensor in encoder.state_dict().items())


@every_case
def test_training_moves_the_running_statistics(case: str) -> None:
    encoder = make_encoder(case).train()
    before = {n: b.clone() for n, b in encoder.named_buffers() if "running_mean" in n}
    encoder(make_clips(encoder) + 1)
    after = dict(encoder.named_buffers())
    assert bool(before) == (case not in WITHOUT_STATISTICS)
    assert all(not torch.equal(after[name], mean) for name, mean in before.items())


@every_case
def test_a_clip_does_not_depend_on_its_neighbours(case: str) -> None:
    encoder = make_live_encoder(case)
    clips = make_clips(encoder)
    together = encoder(clips)
    for row in range(len(clips)):
        alone = encoder(clips[row : row + 1])
        torch.testing.assert_close(alone.pooled[0], together.pooled[row], rtol=1e-4, atol=1e-5)
        if alone.graph is not None:
            torch.testing.assert_close(alone.graph[0], together.graph[row], rtol=1e-4, atol=1e-5)


@every_case
def test_an_absent_person_weighs_nothing_or_as_much_as_anybody(case: str) -> None:
    encoder = make_live_encoder(case)
    one = make_clips(encoder, M=1)
    nobody = torch.zeros_like(one)
    padded = encoder(torch.cat([one, nobody], dim=1))
    expected = encoder(one)
    if getattr(CASES[case][0], "absent_persons", "ignore") == "count":
        absent = encoder(nobody)
        for given, present, empty in zip(padded[:2], expected[:2], absent[:2], strict=True):
            wanted = None if given is None else (present + empty) / 2
            torch.testing.assert_close(given, wanted, rtol=1e-4, atol=1e-5)
    else:
        torch.testing.assert_close(padded.pooled, expected.pooled, rtol=1e-4, atol=1e-5)


@every_case
def test_the_order_of_the_persons_does_not_matter(case: str) -> None:
    encoder = make_live_encoder(case)
    clips = make_clips(encoder, M=3)
    torch.testing.assert_close(
        encoder(clips).pooled, encoder(clips.flip(1)).pooled, rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("case", OF_THE_BONES)
def test_the_order_of_the_joints_does_not_matter_where_the_layout_says_it(case: str) -> None:
    """Renumbered joints with their bones are the same skeleton; without them they are not."""
    settings, name, channels = CASES[case]
    layout = load_layout(name)
    V = layout.joint_count
    order = torch.randperm(V, generator=torch.Generator().manual_seed(0))
    renumbered = dataclasses.replace(layout, joints=tuple(layout.joints[i] for i in order.tolist()))
    pooled = []
    for given in (layout, renumbered):
        generator = torch.Generator().manual_seed(3)
        encoder = build_encoder(settings, given, channels, generator).eval()
        with torch.no_grad():
            for parameter in encoder.parameters():
                if not {V, V * channels} & set(parameter.shape):  # nothing that knows the joints
                    parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
        clips = make_clips(encoder)
        pooled += [encoder(clips).pooled, encoder(clips[:, :, :, order]).pooled]
    torch.testing.assert_close(pooled[0], pooled[3], rtol=1e-4, atol=1e-5)
    assert not torch.allclose(pooled[0], pooled[1], rtol=1e-3, atol=1e-4)


@every_case
def test_an_empty_clip_has_a_finite_representation_and_gradient(case: str) -> None:
    encoder = make_encoder(case).train()
    clips = make_clips(encoder)
    clips[0] = 0
    clips.requires_grad_()
    pooled = encoder(clips).pooled
    pooled.square().sum().backward()
    assert pooled.isfinite().all()
    assert all(p.grad is None or p.grad.isfinite().all() for p in encoder.parameters())
    assert clips.grad is not None
    assert clips.grad.isfinite().all()


@every_case
def test_weights_survive_a_file(case: str, tmp_path: Path) -> None:
    encoder = make_live_encoder(case)
    torch.save(encoder.state_dict(), tmp_path / "weights.pt")
    other = make_encoder(case, seed=5).eval()
    clips = make_clips(encoder)
    assert not torch.equal(other(clips).pooled, encoder(clips).pooled)
    other.load_state_dict(torch.load(tmp_path / "weights.pt", weights_only=True))
    assert torch.equal(other(clips).pooled, encoder(clips).pooled)


@every_case
def test_initial_weights_follow_the_generator_alone(case: str) -> None:
    torch.manual_seed(1)
    first = make_encoder(case, seed=3).state_dict()
    torch.manual_seed(2)
    second = make_encoder(case, seed=3).state_dict()
    third = make_encoder(case, seed=4).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert any(not torch.equal(first[name], third[name]) for name in first)


@every_case
def test_double_precision_agrees(case: str) -> None:
    encoder = make_live_encoder(case)
    clips = make_clips(encoder)
    single = encoder(clips).pooled
    double = encoder.double()(clips.double()).pooled
    assert double.dtype == torch.float64
    torch.testing.assert_close(single, double.float(), rtol=1e-3, atol=1e-4)


@every_case
def test_bf16_autocast_is_close(case: str) -> None:
    encoder = make_live_encoder(case)
    clips = make_clips(encoder)
    exact = encoder(clips).pooled
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = encoder(clips).pooled.float()
    assert (rounded - exact).norm() < 0.05 * exact.norm()


@every_case
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ((0, 0, 0, 1, 0), "was built for clips"),
        ((0, 0, 0, 0, -1), "was built for clips"),
        ((0, -2, 0, 0, 0), "at least one person"),
        ((0, 0, -13, 0, 0), "one frame"),
    ],
)
def test_other_shapes_are_refused(case: str, change: tuple[int, ...], message: str) -> None:
    encoder = make_encoder(case)
    sizes = (4, 2, 13, encoder.joint_count, encoder.channels)
    clips = torch.ones([size + delta for size, delta in zip(sizes, change, strict=True)])
    with pytest.raises(ValueError, match=message):
        encoder(clips)


@every_case
def test_clips_of_four_axes_are_refused(case: str) -> None:
    encoder = make_encoder(case)
    with pytest.raises(ValueError, match=r"\(N, M, T, V="):
        encoder(make_clips(encoder)[:, 0])


@every_case
@pytest.mark.parametrize("neck", ["none", "bn"])
def test_a_network_around_it_learns(case: str, neck: Any) -> None:
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)  # dropout
    encoder = make_encoder(case)
    network = SkeletonNetwork(encoder, 4, neck=neck, generator=generator).train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=0.01)
    clips, labels = make_clips(encoder, M=1), torch.arange(4)
    losses = []
    for _ in range(8):
        loss = nn.functional.cross_entropy(network(clips).logits, labels)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
