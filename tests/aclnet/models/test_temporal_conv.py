from __future__ import annotations

from typing import Literal

import pytest
import torch

from aclnet.models.temporal_conv import TemporalConv, TemporalConvSettings
from aclnet.skeleton import load_layout

Pooling = Literal["mean", "mean_max", "mean_std"]
poolings = pytest.mark.parametrize("pooling", ["mean", "mean_max", "mean_std"])


def make_encoder(pooling: Pooling = "mean_max", stem_kernel: int = 3) -> TemporalConv:
    settings = TemporalConvSettings(width=10, pooling=pooling, stem_kernel=stem_kernel)
    encoder = TemporalConv(settings, 4, 3, torch.Generator().manual_seed(0)).eval()
    generator = torch.Generator().manual_seed(1)
    for name, buffer in encoder.named_buffers():
        if "running_mean" in name:  # so that zero in does not stay zero by itself
            buffer.copy_(torch.randn(buffer.shape, generator=generator))
    return encoder


def make_clips(T: int) -> torch.Tensor:
    return torch.randn(3, 1, T, 4, 3, generator=torch.Generator().manual_seed(T))


@poolings
@pytest.mark.parametrize("T", [1, 7, 16])
def test_empty_frames_at_the_end_change_nothing(pooling: Pooling, T: int) -> None:
    encoder = make_encoder(pooling)
    clips = make_clips(T)
    padded = torch.cat([clips, torch.zeros(3, 1, 9, 4, 3)], dim=2)
    torch.testing.assert_close(encoder(padded).pooled, encoder(clips).pooled, rtol=1e-4, atol=1e-5)


def test_a_missing_frame_within_is_not_a_frame_of_zeros_elsewhere() -> None:
    encoder = make_encoder()
    clips = make_clips(20)
    missing = clips.clone()
    missing[:, :, 9] = 0
    nearly = missing.clone()
    nearly[:, :, 9, 0, 0] = 1e-12  # seen, with all joints at the origin
    assert not torch.allclose(encoder(missing).pooled, encoder(clips).pooled, atol=1e-3)
    assert not torch.allclose(encoder(missing).pooled, encoder(nearly).pooled, atol=1e-3)


@poolings
def test_pooling_equals_its_definition(pooling: Pooling) -> None:
    encoder = make_encoder(pooling)
    kept: list[torch.Tensor] = []
    encoder.blocks[-1].register_forward_hook(lambda module, given, out: kept.append(out[0]))
    pooled = encoder(make_clips(16)).pooled
    over_time = kept[0]  # (n, D, T') with every frame seen
    second = {
        "mean": [],
        "mean_max": [over_time.max(dim=2).values],
        "mean_std": [over_time.std(dim=2, unbiased=False)],
    }[pooling]
    expected = torch.cat([over_time.mean(dim=2), *second], dim=1)
    assert over_time.shape[2] == 4  # halved twice
    torch.testing.assert_close(pooled, expected, rtol=1e-3, atol=1e-3)


def test_order_in_time_matters() -> None:
    encoder = make_encoder()
    clips = make_clips(16)
    assert not torch.allclose(encoder(clips).pooled, encoder(clips.flip(2)).pooled, atol=1e-3)


def test_stride_every_zero_keeps_the_frames() -> None:
    settings = TemporalConvSettings(width=4, blocks=3, stride_every=0)
    encoder = TemporalConv(settings, 4, 3)
    kept: list[torch.Tensor] = []
    encoder.blocks[-1].register_forward_hook(lambda module, given, out: kept.append(out[0]))
    encoder(make_clips(16))
    assert kept[0].shape == (3, 4, 16)


def test_who_does_what_to_whom_matters_only_where_persons_are_seen_together() -> None:
    layout = load_layout("sbu15")
    clips = torch.randn(3, 2, 16, 15, 3, generator=torch.Generator().manual_seed(0))
    for persons in (1, 2):
        settings = TemporalConvSettings(width=8, blocks=1, persons=persons)
        encoder = settings.build(layout, 3, torch.Generator().manual_seed(1)).eval()
        same = torch.allclose(encoder(clips).pooled, encoder(clips.flip(1)).pooled, atol=1e-5)
        assert same == (persons == 1)


def test_other_persons_than_the_encoder_sees_together_are_refused() -> None:
    encoder = TemporalConvSettings(width=8, blocks=1, persons=2).build(
        load_layout("sbu15"), 3, None
    )
    with pytest.raises(ValueError, match="sees 2 persons together"):
        encoder(torch.zeros(1, 1, 16, 15, 3))
