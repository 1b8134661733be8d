from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor

from aclnet.clips.augmentation import LIMBS, augment, exchange_sides, image_flip, limb_masks, rotate
from aclnet.clips.settings import AugmentSettings
from aclnet.clips.streams import make_stream
from aclnet.clips.transforms import mirror
from aclnet.skeleton import layout_from_dict, load_layout

ROOM, FLAT = load_layout("ntu25"), load_layout("coco17")
CHANGES = {"mirror": 0.5, "reverse": 0.5, "joint_noise": 0.1, "point_noise": 0.1, "scale": 0.1}
CHANGES["drop_joints"] = 0.2


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def chosen(**values: float) -> AugmentSettings:
    return AugmentSettings.model_validate({"mirror": 0, **values})


def bodies(count: int = 3, persons: int = 2, frames: int = 4) -> Tensor:
    return torch.randn((count, persons, frames, 25, 3), generator=generator(1))


def pictures(count: int = 3, missing: float = 0.2) -> Tensor:
    points = 320 * torch.rand((count, 1, 4, 17, 3), generator=generator(1)) + 1
    points[..., 2] = 0.5
    return points * (torch.rand((count, 1, 4, 17, 1), generator=generator(2)) >= missing)


def golden(shared: Path, name: str) -> dict[str, np.ndarray[Any, Any]]:
    with np.load(shared / "golden" / "action" / f"pipeline_{name}.npz") as archive:
        return {key: archive[key] for key in archive.files}


@pytest.mark.parametrize("name", ["ntu_1p_f32", "ntu_2p_f32", "ntu_2p_f16"])
def test_changes_of_bodies_equal_the_release(shared: Path, name: str) -> None:
    data = golden(shared, name)
    pre = torch.from_numpy(data["pre"])[None]
    angles = torch.from_numpy(data["rot_theta"])[None]
    # The release turns in double precision, whatever came in, and writes float32 here.
    turned = rotate(pre.double(), angles.double(), dims=3)[0].numpy()
    np.testing.assert_allclose(turned, data["rot"], rtol=0, atol=1e-6)
    exchanged = exchange_sides(pre, ROOM)[0].numpy()
    np.testing.assert_array_equal(exchanged, data["spatial_flip"])
    assert exchanged.dtype == data["spatial_flip"].dtype
    for number, mask in enumerate(limb_masks(ROOM)):
        made = (pre * mask[:, None])[0].numpy()
        np.testing.assert_array_equal(made, data[f"part_drop_{number}"])
        assert made.dtype == data[f"part_drop_{number}"].dtype


def test_the_flip_of_pictures_equals_the_release(shared: Path) -> None:
    data = golden(shared, "coco_1p")
    plain = np.concatenate([data["decoded_plain"], data["decoded_score_plain"][..., None]], -1)
    width = torch.tensor([float(data["img_shape"][1])])
    made = image_flip(torch.from_numpy(plain)[None], FLAT, width)[0].numpy()
    np.testing.assert_array_equal(made[..., :2], data["decoded_flip"])
    np.testing.assert_array_equal(made[..., 2], data["decoded_score_flip"])


@settings(max_examples=20)
@given(st.tuples(*[st.floats(-3, 3)] * 3))
def test_turning_keeps_bone_lengths_and_turns_back(angles: tuple[float, float, float]) -> None:
    clips = bodies()
    turned = rotate(clips, torch.tensor([angles] * 3), dims=3)
    lengths = make_stream(clips, ROOM, "l", dims=3)
    torch.testing.assert_close(
        make_stream(turned, ROOM, "l", dims=3), lengths, rtol=1e-4, atol=1e-5
    )
    x, y, z = angles
    back = turned
    for undo in ((0, 0, -z), (0, -y, 0), (-x, 0, 0)):
        back = rotate(back, torch.tensor([undo] * 3, dtype=torch.float32), dims=3)
    torch.testing.assert_close(back, clips, rtol=0, atol=1e-5)


def test_pictures_are_turned_in_their_plane() -> None:
    clips = torch.zeros(1, 1, 1, 17, 3)
    clips[..., 0, :] = torch.tensor([1.0, 0.0, 0.7])
    turned = rotate(clips, torch.tensor([[0.3, 0.4, math.pi / 2]]), dims=2)
    torch.testing.assert_close(turned[0, 0, 0, 0], torch.tensor([0.0, -1.0, 0.7]))
    assert not turned[..., 1:, :].any()


def test_angles_are_drawn_up_to_the_largest_for_each_clip() -> None:
    clips = torch.zeros(400, 1, 1, 25, 3)
    clips[..., 0, 0] = 1
    turned = augment(clips, ROOM, 3, chosen(rotate=0.2), generator())[:, 0, 0, 0]
    angle = torch.atan2(turned[:, 1], turned[:, 0])  # about z alone: x is turned first
    assert 0.19 < float(angle.abs().max()) <= 0.2 + 1e-6
    assert float(angle.mean()) == pytest.approx(0, abs=0.02)
    assert len(torch.unique(angle)) == 400


def test_limbs_are_dropped_as_often_as_asked_each_as_often() -> None:
    clips = torch.ones(2000, 2, 3, 25, 3)
    made = augment(clips, ROOM, 3, chosen(drop_part=0.4), generator())
    gone = made[:, 0, 0, :, 0] == 0
    assert torch.equal(made == 0, gone[:, None, None, :, None].expand_as(made))
    assert float(gone.any(dim=1).float().mean()) == pytest.approx(0.4, abs=0.04)
    for mask in limb_masks(ROOM):
        share = (gone == ~mask).all(dim=1).float().mean()
        assert float(share) == pytest.approx(0.4 / len(LIMBS), abs=0.025)


def test_sides_are_exchanged_in_as_many_clips_as_asked() -> None:
    clips = bodies(count=1).expand(500, -1, -1, -1, -1)
    made = augment(clips, ROOM, 3, chosen(exchange_sides=0.3), generator())
    became = (made == exchange_sides(clips, ROOM)).flatten(1).all(dim=1)
    assert (became ^ (made == clips).flatten(1).all(dim=1)).all()
    assert 0.24 < became.float().mean() < 0.36
    assert torch.equal(exchange_sides(exchange_sides(clips, ROOM), ROOM), clips)


def test_pictures_are_flipped_each_by_its_own_width() -> None:
    clips, widths = pictures(), torch.tensor([400.0, 500.0, 640.0])
    made = augment(clips, FLAT, 2, chosen(image_flip=1), generator(), widths)
    assert torch.equal(made, image_flip(clips, FLAT, widths))
    swapped = exchange_sides(clips, FLAT)
    total = (made + swapped)[..., 0]
    seen = swapped[..., 0] != 0
    torch.testing.assert_close(total, widths[:, None, None, None] * seen)
    assert torch.equal(made[..., 1:], swapped[..., 1:])
    many = clips[:1].expand(500, -1, -1, -1, -1)
    some = augment(many, FLAT, 2, chosen(image_flip=0.3), generator(), torch.full((500,), 400.0))
    assert 0.24 < (some != many).flatten(1).any(dim=1).float().mean() < 0.36


def test_a_flip_without_a_width_is_refused() -> None:
    clips = pictures()
    with pytest.raises(ValueError, match="needs the width of every video, and 3 of 3 clips"):
        augment(clips, FLAT, 2, chosen(image_flip=0.5), generator())
    widths = torch.tensor([400.0, math.nan, 400.0])
    with pytest.raises(ValueError, match="and 1 of 3 clips have none: convert"):
        augment(clips, FLAT, 2, chosen(image_flip=0.5), generator(), widths)
    assert torch.equal(augment(clips, FLAT, 2, chosen(), generator(), widths), clips)
    with pytest.raises(ValueError, match=r"these joints have 3 coordinates.*augment\.mirror"):
        augment(bodies(), ROOM, 3, chosen(image_flip=0.5), generator(), widths)


def test_a_layout_without_limbs_is_refused() -> None:
    layout = layout_from_dict({**ROOM.to_dict(), "parts": {"left_arm": ["left_elbow"]}})
    with pytest.raises(ValueError, match=r"ntu25 has no part left_leg.*drop_part"):
        augment(bodies(), layout, 3, chosen(drop_part=0.5), generator())


@pytest.mark.parametrize(
    "values",
    [
        {"mirror": 1.1}, {"reverse": -0.1}, {"joint_noise": -1}, {"point_noise": math.inf},
        {"drop_joints": 1}, {"flip": 0.5}, {"rotate": -0.1}, {"exchange_sides": 1.1},
        {"drop_part": -1}, {"image_flip": 2}, {"exchange_people": 1.5},
    ],
)  # fmt: skip
def test_senseless_settings_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(ValidationError, match=next(iter(values))):
        AugmentSettings.model_validate(values)


def test_draws_of_other_changes_stay_as_they_were() -> None:
    """Recorded results must come out again: what was drawn before there were these changes."""
    clips = torch.arange(1 * 1 * 2 * 17 * 3, dtype=torch.float32).reshape(1, 1, 2, 17, 3) / 10
    everything = chosen(**CHANGES)
    made = augment(clips, FLAT, 2, everything, generator(11))
    assert made.double().sum().item() == pytest.approx(158.53658193722367, rel=1e-6)
    turned = everything.model_copy(update={"exchange_sides": 1.0})
    later = augment(clips, FLAT, 2, turned, generator(11))
    assert torch.equal(later, exchange_sides(made, FLAT))


@pytest.mark.parametrize("values", [{"rotate": 0.3}, {"exchange_sides": 0.5}, {"drop_part": 0.5}])
def test_clips_and_the_frames_that_follow_change_alike(values: dict[str, float]) -> None:
    clips, following = bodies(count=8), bodies(count=8).flip(0)
    both = augment(torch.cat([clips, following], dim=2), ROOM, 3, chosen(**values), generator(5))
    alone = augment(clips, ROOM, 3, chosen(**values), generator(5))
    torch.testing.assert_close(both[:, :, :4], alone)
    after = augment(following, ROOM, 3, chosen(**values), generator(5))
    torch.testing.assert_close(both[:, :, 4:], after)


def test_no_change_asked_for_is_no_change() -> None:
    clips = pictures()
    assert torch.equal(augment(clips, FLAT, 2, chosen(), generator()), clips)


def test_changes_follow_the_generator_and_nothing_else() -> None:
    clips = pictures()
    torch.manual_seed(1)
    first = augment(clips, FLAT, 2, chosen(**CHANGES), generator(7))
    torch.manual_seed(2)
    state = torch.get_rng_state()
    assert torch.equal(augment(clips, FLAT, 2, chosen(**CHANGES), generator(7)), first)
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(augment(clips, FLAT, 2, chosen(**CHANGES), generator(8)), first)


def test_a_clips_changes_do_not_depend_on_its_neighbours() -> None:
    clips, others = pictures(), pictures().flip(0)
    mixed = torch.cat([others[:1], clips[1:2], others[2:]])
    changed = augment(clips, FLAT, 2, chosen(**CHANGES), generator())
    assert torch.equal(augment(mixed, FLAT, 2, chosen(**CHANGES), generator())[1], changed[1])


@pytest.mark.parametrize("name", CHANGES)
def test_every_clip_draws_for_itself(name: str) -> None:
    one = pictures(missing=0)[:1]
    many = one.expand(64, -1, -1, -1, -1)
    changed = augment(many, FLAT, 2, chosen(**{name: CHANGES[name]}), generator())
    kinds = len(torch.unique(changed.flatten(1), dim=0))
    assert kinds == 2 if name in ("mirror", "reverse") else kinds > 60


@pytest.mark.parametrize(
    ("name", "image"),
    [
        ("mirror", lambda clips: mirror(clips, FLAT)),
        ("reverse", lambda clips: clips.flip(2)),
    ],
)
def test_a_probability_is_how_many_clips_change_whole(
    name: str, image: Callable[[Tensor], Tensor]
) -> None:
    clips = pictures()[:1].expand(1000, -1, -1, -1, -1)
    changed = augment(clips, FLAT, 2, chosen(**{name: 0.3}), generator())
    became = (changed == image(clips)).flatten(1).all(dim=1)
    stayed = (changed == clips).flatten(1).all(dim=1)
    assert (became ^ stayed).all()
    assert 0.25 < became.float().mean() < 0.35
    surely = augment(clips, FLAT, 2, chosen(**{name: 1}), generator())
    assert torch.equal(surely, image(clips))


def noise_of(**values: float) -> Tensor:
    clips = torch.ones(200, 2, 5, 17, 3)
    changed = augment(clips, FLAT, 2, chosen(**values), generator())
    assert torch.equal(changed[..., 2], clips[..., 2])
    return (changed - clips)[..., :2]


def test_noise_is_as_strong_as_asked_for() -> None:
    point = noise_of(point_noise=0.3)
    assert float(point.std()) == pytest.approx(0.3, rel=0.01)
    assert float(point.mean()) == pytest.approx(0, abs=0.005)
    assert abs(float((point[:, :, 0] * point[:, :, 1]).mean())) < 0.01  # new in every frame
    joint = noise_of(joint_noise=0.3)
    assert float(joint[:, :, 0].std()) == pytest.approx(0.3, rel=0.03)
    torch.testing.assert_close(joint, joint[:, :, :1].expand_as(joint))  # the same in every frame
    assert abs(float((joint[:, 0] * joint[:, 1]).mean())) < 0.01  # each person its own


def test_size_changes_as_strongly_as_asked_for_and_keeps_the_shape() -> None:
    factor = noise_of(scale=0.1) + 1
    torch.testing.assert_close(factor, factor[:, :1, :1, :1, :1].expand_as(factor))
    assert float(factor[:, 0, 0, 0, 0].log().std()) == pytest.approx(0.1, rel=0.15)
    assert (noise_of(scale=1.0) > -1).all()  # a body is never turned inside out


def test_dropped_joints_are_gone_for_a_whole_clip() -> None:
    clips = torch.ones(400, 2, 5, 17, 3)
    changed = augment(clips, FLAT, 2, chosen(drop_joints=0.2), generator())
    gone = changed == 0
    assert torch.equal(gone, gone[:, :1, :1, :, :1].expand_as(gone))  # confidence too
    assert float(gone.float().mean()) == pytest.approx(0.2, abs=0.02)
    assert ((changed == 1) | gone).all()
