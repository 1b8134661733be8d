from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from aclnet.models.transg import TransgEncoder, TransgSettings, laplacian_encoding
from aclnet.skeleton import load_layout

SMALL: dict[str, Any] = {"width": 12, "heads": 3, "positions": 4, "attention_std": 0.6}
CALM: dict[str, Any] = SMALL | {"dropout": 0.0, "flip_signs": False}


def make_encoder(layout: str = "sbu15", channels: int = 3, **settings: Any) -> TransgEncoder:
    """Every parameter off its initial value."""
    generator = torch.Generator().manual_seed(0)
    encoder = TransgSettings(**settings).build(load_layout(layout), channels, generator)
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return encoder


def make_clips(N: int = 3, M: int = 1, T: int = 4, V: int = 15, C: int = 3) -> Tensor:
    return torch.randn(N, M, T, V, C, generator=torch.Generator().manual_seed(1))


def plain_norm(norm: nn.Module, rows: Tensor, training: bool) -> Tensor:
    """Row by row or column by column, from the definition."""
    if isinstance(norm, nn.LayerNorm):
        mean, var = rows.mean(1, keepdim=True), rows.var(1, correction=0, keepdim=True)
    elif training:
        mean, var = rows.mean(0), rows.var(0, correction=0)
    elif isinstance(norm, nn.BatchNorm1d):
        assert norm.running_mean is not None
        assert norm.running_var is not None
        mean, var = norm.running_mean, norm.running_var
    else:
        return rows * norm.get_parameter("weight") + norm.get_parameter("bias")
    scaled = (rows - mean) / (var + 1e-5).sqrt()
    return scaled * norm.get_parameter("weight") + norm.get_parameter("bias")


def plain_attention(x: Tensor, weight: Tensor, heads: int, limit: float | None) -> Tensor:
    """One frame (V, D), head by head and joint by joint."""
    D = x.shape[1]
    d = D // heads
    out = []
    for h in range(heads):
        rows = [weight[part * D + h * d : part * D + (h + 1) * d] for part in range(3)]
        q, k, v = (x @ row.t() for row in rows)
        mixed = []
        for query in q:
            scores = k @ query / math.sqrt(d)
            powers = (scores if limit is None else scores.clamp(-limit, limit)).exp()
            mixed.append((powers / powers.sum()) @ v)
        out.append(torch.stack(mixed))
    return torch.cat(out, dim=1)


def plain_linear(module: nn.Module, name: str, x: Tensor) -> Tensor:
    return x @ module.get_parameter(f"{name}.weight").t() + module.get_parameter(f"{name}.bias")


def plain_reading(encoder: TransgEncoder, clips: Tensor, heads: int, limit: float | None) -> Tensor:
    """Joint features frame by frame; no dropout, no signs."""
    frames = []
    for frame in clips.flatten(0, 2):
        first = plain_linear(encoder, "embed.2", plain_linear(encoder, "embed.0", frame).relu())
        first = first + plain_linear(encoder, "place", encoder.encoding)
        x = first
        for layer in encoder.attention:
            x = plain_attention(x, layer.get_parameter("maps.weight"), heads, limit)
        frames.append(plain_linear(encoder, "output", x) + first)
    x = plain_norm(encoder.norm, torch.cat(frames), encoder.training)
    inner = plain_linear(encoder, "feed_forward.0", x).relu()
    x = x + plain_linear(encoder, "feed_forward.3", inner)
    x = plain_norm(encoder.last_norm, x, encoder.training)
    N, M, T, V, _ = clips.shape
    return x.view(N * M, T, V, -1)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    "changes",
    [
        {"norm": "batch", "layers": 1},
        {"norm": "frozen", "clip_scores": 0.4},
        {"norm": "layer", "clip_scores": None, "heads": 4},
    ],
)
def test_equals_the_plain_reading(changes: dict[str, Any], training: bool) -> None:
    settings = CALM | changes
    encoder = make_encoder(**settings).double().train(training)
    clips = make_clips(N=1, M=2, T=2).double().requires_grad_()
    given = encoder.joint_features(clips)
    expected = plain_reading(encoder, clips, settings["heads"], settings.get("clip_scores", 5.0))
    assert given.shape == (2, 2, 15, 12)
    torch.testing.assert_close(given, expected)
    wanted = [clips, *encoder.parameters()]
    weights = torch.randn(given.shape, generator=torch.Generator().manual_seed(2)).double()
    gradients = [torch.autograd.grad((out * weights).sum(), wanted) for out in (given, expected)]
    torch.testing.assert_close(*gradients, rtol=1e-6, atol=1e-9)


def test_a_clip_is_the_mean_of_its_joints_and_frames() -> None:
    encoder = make_encoder(**CALM).eval()
    clips = make_clips(M=2)
    features = encoder.joint_features(clips).view(3, 2, 4, 15, 12)
    torch.testing.assert_close(encoder(clips).pooled, features.mean(dim=(1, 2, 3)))


def test_renumbered_joints_with_their_encoding_are_the_same_skeleton() -> None:
    encoder, other = make_encoder(**CALM).eval(), make_encoder(**CALM).eval()
    clips = make_clips()
    order = torch.randperm(15, generator=torch.Generator().manual_seed(0))
    other.encoding.copy_(encoder.encoding[order])
    pooled = other(clips[:, :, :, order]).pooled
    torch.testing.assert_close(pooled, encoder(clips).pooled, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(encoder(clips[:, :, :, order]).pooled, pooled, rtol=1e-3)


def test_published_size() -> None:
    encoder = TransgSettings().build(load_layout("kinect20"), 3, None)
    D = 128
    expected = 3 * D + D + D * D + D + 10 * D + D  # embedding, place
    expected += 2 * 3 * D * D  # queries, keys, values
    expected += D * D + D + 2 * D * 2 * D + 3 * D + 2 * 2 * D  # output, FFN, two normalisations
    assert sum(p.numel() for p in encoder.parameters()) == expected
    weight = encoder.attention[0].get_parameter("maps.weight")
    assert 0.97 < weight.std().item() < 1.03


def test_the_encoding_is_the_layouts_and_lives_with_the_weights() -> None:
    layout = load_layout("kinect20")
    encoder = TransgSettings().build(layout, 3, None)
    edges = np.zeros((20, 20))
    for child, parent in layout.bone_index:
        edges[child, parent] = edges[parent, child] = 1
    np.testing.assert_allclose(
        encoder.encoding.numpy(), laplacian_encoding(edges, 10), rtol=0, atol=1e-6
    )
    turned = encoder.state_dict() | {"encoding": -encoder.encoding.clone()}
    other = TransgSettings().build(layout, 3, None)
    other.load_state_dict(turned)
    assert torch.equal(other.encoding, -encoder.encoding)


def test_signs_are_random_in_training_only_and_follow_the_generator() -> None:
    encoder = make_encoder(**SMALL | {"dropout": 0.0, "positions": 2, "norm": "layer"})
    clips = make_clips(N=1)
    encoder.eval()
    usual, encoding = encoder(clips).pooled, encoder.encoding.clone()
    assert torch.equal(usual, encoder(clips).pooled)
    allowed = []
    for signs in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
        encoder.encoding.copy_(encoding * torch.tensor(signs))
        allowed.append(encoder(clips).pooled)
    encoder.encoding.copy_(encoding)
    encoder.train()
    found = set()
    for seed in range(20):
        torch.manual_seed(seed)
        drawn = encoder(clips).pooled
        torch.manual_seed(seed)
        assert torch.equal(encoder(clips).pooled, drawn)
        found.add(next(i for i, other in enumerate(allowed) if torch.allclose(other, drawn)))
    assert found == {0, 1, 2, 3}
    assert torch.equal(encoder.encoding, encoding)
    calm = make_encoder(**CALM).train()
    assert torch.equal(calm(clips).pooled, calm(clips).pooled)


def test_frozen_averages_stay_whatever_is_trained() -> None:
    encoder = make_encoder(**CALM | {"norm": "frozen"})
    assert set(dict(encoder.named_buffers())) == {"encoding"}
    clips = make_clips()
    before = encoder.eval()(clips).pooled
    encoder.train()(clips + 1)
    assert torch.equal(encoder.eval()(clips).pooled, before)


def test_the_released_initial_weights_reach_the_limit_of_the_scores() -> None:
    clips, pooled = make_clips(V=20), []
    for limit in (5.0, None):
        settings = TransgSettings(clip_scores=limit)
        generator = torch.Generator().manual_seed(0)
        encoder = settings.build(load_layout("kinect20"), 3, generator).eval()
        pooled.append(encoder(clips).pooled)
    assert (pooled[0] - pooled[1]).norm() > 0.01 * pooled[1].norm()


def test_more_positions_than_the_layout_has_are_refused() -> None:
    with pytest.raises(ValueError, match=r"encoder\.positions, layout sbu15.*1 to 14"):
        TransgSettings(positions=15).build(load_layout("sbu15"), 3, None)
