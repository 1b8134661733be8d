"""What holds of all changes, on every layout, in both precisions."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
import torch
from torch import Tensor

from aclnet.pretraining.body import body_of
from aclnet.pretraining.mixing import blend, draw_mix, key_weights
from aclnet.pretraining.transfer import draw_partners, transfer
from aclnet.pretraining.views.batch import Batch
from aclnet.pretraining.views.recipe import Change, ViewPlan, draw_changes, make_views
from aclnet.pretraining.views.settings import METHODS, ChangeSettings, Method, MixSettings
from aclnet.pretraining.views.spatial import (
    AxisMask,
    Drop,
    ExchangeSides,
    Noise,
    RescaleBones,
    Rotate,
    Shear,
)
from aclnet.pretraining.views.temporal import Blur, Crop, RescaleTime, Reverse
from aclnet.skeleton import layout_names, load_layout

CPU = torch.device("cpu")
SURE = ChangeSettings(probability=1)
NEVER, WHOLE = torch.zeros(4, dtype=torch.bool), torch.full((4,), 12)
UNCHANGED: dict[Method, Change] = {
    "crop": Crop(torch.full((4,), 2), padding=2),
    "shear": Shear(torch.eye(3).expand(4, 3, 3)),
    "exchange_sides": ExchangeSides(NEVER),
    "rotate": Rotate(torch.zeros(4, 3)),
    "noise": Noise(torch.zeros(4, 2, 12, 25, 3)),
    "blur": Blur(torch.ones(4), NEVER),
    "axis_mask": AxisMask(torch.ones(4, dtype=torch.int64), NEVER),
    "reverse": Reverse(NEVER),
    "drop": Drop(torch.ones(4, 2, 12, 25, 3, dtype=torch.bool)),
    "rescale_time": RescaleTime(WHOLE, ~NEVER),
    "rescale_bones": RescaleBones(torch.ones(4, 25)),
}


def generator(seed: int = 0, device: str = "cpu") -> torch.Generator:
    return torch.Generator(device).manual_seed(seed)


def clips_of(joints: int = 25, channels: int = 3, dtype: torch.dtype = torch.float64) -> Tensor:
    """Four clips of two people, of whom the second of the first clip is not there."""
    clips = torch.randn((4, 2, 12, joints, channels), generator=generator(1), dtype=dtype)
    clips[0, 1] = 0
    return clips


def drawn(method: Method, clips: Tensor, dims: int = 3, seed: int = 0) -> Change:
    plan = ViewPlan((method,), keep_centre=False)
    (change,) = draw_changes(Batch.of(clips, dims, generator(seed)), plan, SURE)
    return change


def rows_of(change: Any, rows: slice) -> Any:
    """The draws of some of the clips."""
    values = {f.name: getattr(change, f.name) for f in fields(change)}
    return replace(change, **{k: v[rows] for k, v in values.items() if isinstance(v, Tensor)})


@pytest.mark.parametrize("method", METHODS)
def test_a_draw_without_effect_changes_nothing(method: Method) -> None:
    clips = clips_of(dtype=torch.float32)
    made = UNCHANGED[method].apply(clips, body_of(load_layout("ntu25"), 3, CPU))
    torch.testing.assert_close(made, clips, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("dims", "channels"), [(3, 3), (2, 2), (2, 3)])
@pytest.mark.parametrize("name", layout_names())
def test_a_batch_is_its_clips_in_either_precision(name: str, dims: int, channels: int) -> None:
    layout = load_layout(name)
    body, clips = body_of(layout, dims, CPU), clips_of(layout.joint_count, channels)
    if channels > dims:
        clips[..., dims].abs_()
    given = clips.clone()
    for method in METHODS:
        change = drawn(method, clips, dims)
        made = change.apply(clips, body)
        assert made.shape == clips.shape
        assert made.dtype == clips.dtype
        assert not torch.equal(made, clips), method
        assert not made[0, 1].any(), method
        for row in range(4):
            one = slice(row, row + 1)
            assert torch.equal(made[one], rows_of(change, one).apply(clips[one], body)), method
        small = rows_of(change, slice(None))
        small = replace(small, **{
            f.name: value.float()
            for f in fields(small)
            if isinstance(value := getattr(small, f.name), Tensor) and value.is_floating_point()
        })  # fmt: skip
        single = small.apply(clips.float(), body)
        assert single.dtype == torch.float32
        torch.testing.assert_close(single.double(), made, rtol=1e-4, atol=1e-5)
    assert torch.equal(clips, given)


def test_joints_that_were_not_found_stay_at_zero() -> None:
    layout = load_layout("coco17")
    body, clips = body_of(layout, 2, CPU), clips_of(17)
    missing = torch.rand(clips.shape[:-1], generator=generator(2)) < 0.2
    clips[..., 2] = 0.5
    clips[missing] = 0
    for method in ("shear", "rotate", "noise", "blur", "axis_mask", "drop", "rescale_bones"):
        made = drawn(method, clips, dims=2).apply(clips, body)
        assert not made[missing].any(), method
        assert torch.equal(made[..., 2], clips[..., 2]), method


def test_sides_exchanged_and_time_reversed_twice_are_as_before() -> None:
    clips, body = clips_of(), body_of(load_layout("ntu25"), 3, CPU)
    for change in (ExchangeSides(~NEVER), Reverse(~NEVER)):
        assert not torch.equal(change.apply(clips, body), clips)
        assert torch.equal(change.apply(change.apply(clips, body), body), clips)


def test_draws_have_the_published_ranges() -> None:
    batch = Batch((3000, 1, 50, 25, 3), 3, torch.float64, generator())
    settings = ChangeSettings()
    assert sorted(set(Crop.draw(batch, settings).start.tolist())) == list(range(17))
    angles = Rotate.draw(batch, settings).angles.rad2deg()
    assert 29 < float(angles.max()) <= 30
    large = angles > 1
    assert (large.sum(dim=1) <= 1).all()
    torch.testing.assert_close(
        large.double().mean(dim=0), torch.full((3,), 29 / 90).double(), rtol=0, atol=0.04
    )
    slant = Shear.draw(batch, settings).matrices
    assert (slant.diagonal(dim1=1, dim2=2) == 1).all()
    off = slant[:, ~torch.eye(3, dtype=torch.bool)]
    assert -0.5 <= float(off.min()) < -0.49
    assert 0.49 < float(off.max()) < 0.5
    time = RescaleTime.draw(batch, settings)
    assert sorted(set(time.frames.tolist())) == list(range(25, 75))
    assert float(time.chosen.double().mean()) == pytest.approx(0.5, abs=0.04)
    factors = RescaleBones.draw(batch, settings).factors
    assert 0 <= float(factors.min()) < float(factors.max()) < 0.5
    for strong, deviation in ((False, 0.01), (True, 0.05)):
        small = Batch((3000, 1, 2, 3, 3), 3, torch.float64, generator())
        values = Noise.draw(small, settings, strong).values
        given = values[(values != 0).flatten(1).any(dim=1)]
        assert len(given) / 3000 == pytest.approx(0.5, abs=0.04)
        assert float(given.std()) == pytest.approx(deviation, rel=0.02)


def test_pictures_are_turned_in_their_plane_only() -> None:
    angles = Rotate.draw(Batch((50, 1, 1, 17, 2), 2, torch.float64, generator()), SURE).angles
    assert (angles[:, :2] <= torch.tensor(1.0).deg2rad()).all()
    assert float(angles[:, 2].max()) > 0.4


def test_views_are_drawn_apart_and_again_from_the_same_seed() -> None:
    body, clips = body_of(load_layout("ntu25"), 3, CPU), clips_of(dtype=torch.float32)
    plan = ViewPlan(("crop", "shear"))
    views, again = (
        make_views(
            clips, {"one": plan, "other": plan, "none": ViewPlan(())}, body, SURE, generator(3)
        )
        for _ in range(2)
    )
    assert not torch.equal(views["one"], views["other"])
    assert torch.equal(views["none"], clips)
    for name, view in views.items():
        assert torch.equal(view, again[name])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_nothing_waits_for_the_device() -> None:
    body = body_of(load_layout("ntu25"), 3, torch.device("cuda"))
    clips = clips_of(dtype=torch.float32).cuda()
    random = generator(device="cuda")
    torch.cuda.set_sync_debug_mode("error")
    try:
        view = make_views(clips, {"all": ViewPlan(METHODS)}, body, SURE, random)["all"]
        view = transfer(view, view[draw_partners(4, random)], "j", body)
        mix = draw_mix(view, body, MixSettings(), random)
        mask = torch.rand(4, 2, 3, 25, device="cuda", generator=random)
        blend(mix.apply(view), view, mask)
        key_weights(mask, mix, 12)
    finally:
        torch.cuda.set_sync_debug_mode("default")
