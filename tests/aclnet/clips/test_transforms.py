from __future__ import annotations

import math
from typing import Literal

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from aclnet.clips.augmentation import augment
from aclnet.clips.joints import present
from aclnet.clips.settings import AugmentSettings, NormaliseSettings
from aclnet.clips.streams import STREAMS, make_stream
from aclnet.clips.transforms import (
    centre,
    exchange_people,
    heading,
    mirror,
    normalise,
    scale_by_torso,
    turn,
)
from aclnet.skeleton import layout_names, load_layout

FLAT, ROOM = load_layout("coco17"), load_layout("kgbd20")
SHOULDERS = [FLAT.index("left_shoulder"), FLAT.index("right_shoulder")]
HIPS = [FLAT.index("left_hip"), FLAT.index("right_hip")]
PICTURE = NormaliseSettings()
ENDS = ("hip", "shoulder")
HEADING = NormaliseSettings(scale="none", heading="frame", heading_smooth_frames=5)

seeds = st.integers(0, 2**32 - 1)
quick = settings(max_examples=30, deadline=None)


def random_numbers(*shape: int, seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(seed: int = 0, persons: int = 1, frames: int = 6, missing: float = 0.2) -> Tensor:
    """3 clips in pixels with confidence, a torso of about 100 pixels, some joints not found."""
    points = 20 * random_numbers(3, persons, frames, 17, 2, seed=seed)
    points[..., HIPS, 1] += 100
    points += 300 + 100 * torch.arange(persons)[:, None, None, None]
    found = torch.rand(points.shape[:-1], generator=generator(seed)) >= missing
    found[:, :, 0, HIPS + SHOULDERS] = True
    confidence = found * (0.5 + 0.5 * torch.rand(found.shape, generator=generator(seed + 1)))
    return torch.cat([points * found[..., None], confidence[..., None]], dim=-1)


def bodies(seed: int = 0, persons: int = 1, frames: int = 12) -> Tensor:
    """2 clips in metres: a body with broad hips and shoulders that turns while it moves about."""
    joints = torch.randn((ROOM.joint_count, 3), generator=generator(seed)) * 0.2
    for side, place in (("left", 0.3), ("right", -0.3)):
        for height, name in enumerate(("hip", "shoulder")):
            joints[ROOM.index(f"{side}_{name}")] = torch.tensor([place, height * 0.5, 0.0])
    angles = 0.4 * random_numbers(2, persons, frames, seed=seed + 1).cumsum(dim=2)
    turned = spin(joints.expand(2, persons, frames, -1, -1), angles[..., None])
    places = torch.cumsum(0.1 * random_numbers(2, persons, frames, 1, 3, seed=seed + 2), dim=2)
    return turned + places + torch.arange(persons)[:, None, None, None]


def spin(clips: Tensor, angle: Tensor | float) -> Tensor:
    """Rotate about the vertical y."""
    angle = torch.as_tensor(angle)
    x, y, z = clips.unbind(-1)
    return torch.stack(
        [angle.cos() * x - angle.sin() * z, y, angle.sin() * x + angle.cos() * z], dim=-1
    )


def bone_lengths(clips: Tensor) -> Tensor:
    return make_stream(clips, ROOM, "l", dims=3)


def moved(clips: Tensor, shift: tuple[float, float], factor: float) -> Tensor:
    """What another camera would have stored: missing joints stay at zero."""
    there = present(clips, 2).unsqueeze(-1)
    points = (clips[..., :2] * factor + torch.tensor(shift)) * there
    return torch.cat([points, clips[..., 2:]], dim=-1)


# --- camera and place -----------------------------------------------------------------------------


@quick
@given(
    seeds,
    st.tuples(st.floats(-500, 500), st.floats(-500, 500)),
    st.floats(0.2, 10),
    st.sampled_from(["frame", "clip"]),
    st.integers(1, 2),
)
def test_normalised_pictures_depend_neither_on_place_nor_on_resolution(
    seed: int,
    shift: tuple[float, float],
    factor: float,
    per: Literal["frame", "clip"],
    persons: int,
) -> None:
    clips = pictures(seed, persons)
    chosen = NormaliseSettings(centre=per)
    torch.testing.assert_close(
        normalise(moved(clips, shift, factor), FLAT, 2, chosen),
        normalise(clips, FLAT, 2, chosen),
        rtol=0,
        atol=2e-3,
    )


@quick
@given(seeds, st.floats(-500, 500), st.floats(0.2, 10), st.sampled_from([HIPS, SHOULDERS, None]))
def test_so_do_clips_that_never_show_a_torso(
    seed: int, shift: float, factor: float, hidden: list[int] | None
) -> None:
    clips = pictures(seed, missing=0)
    clips[1, :, :, HIPS + SHOULDERS if hidden is None else hidden] = 0
    result = normalise(clips, FLAT, 2, PICTURE)
    assert result[..., :2].abs().max() < 5  # not pixels among torso lengths
    other = normalise(moved(clips, (shift, -shift), factor), FLAT, 2, PICTURE)
    torch.testing.assert_close(other, result, rtol=0, atol=2e-3)


def test_the_median_torso_is_one() -> None:
    clips = scale_by_torso(pictures(missing=0), FLAT, 2)
    ends = clips[:, 0, :, HIPS, :2].mean(dim=2) - clips[:, 0, :, SHOULDERS, :2].mean(dim=2)
    torch.testing.assert_close(
        ends.norm(dim=-1).quantile(0.5, dim=1), torch.ones(3), rtol=0, atol=1e-5
    )


def test_all_persons_of_a_clip_have_one_scale() -> None:
    clips = pictures(persons=2, missing=0)
    result = scale_by_torso(clips, FLAT, 2)
    ratio = clips[..., :2] / result[..., :2]
    torch.testing.assert_close(ratio, ratio[:, :1, :1, :1, :1].expand_as(ratio))


def test_an_empty_clip_stays_empty() -> None:
    empty = torch.zeros(2, 2, 5, 17, 3)
    for per in ("frame", "clip", "people", "none"):
        result = normalise(empty, FLAT, 2, NormaliseSettings.model_validate({"centre": per}))
        assert torch.equal(result, empty)
    assert torch.equal(
        normalise(torch.zeros(1, 2, 5, 20, 3), ROOM, 3, HEADING), torch.zeros(1, 2, 5, 20, 3)
    )
    assert not normalise(torch.zeros(1, 2, 5, 20, 3), ROOM, 3, BETWEEN).any()


def test_a_joint_alone_is_put_at_the_origin() -> None:
    clips = torch.zeros(1, 1, 3, 17, 3)
    clips[0, 0, 1, 4] = torch.tensor([812.0, 40.0, 0.9])
    result = normalise(clips, FLAT, 2, PICTURE)
    assert not result[..., :2].any()
    assert torch.equal(result[..., 2], clips[..., 2])


def test_hips_lie_at_the_origin_of_every_frame() -> None:
    result = centre(pictures(persons=2, missing=0), FLAT, 2, "frame")
    middle = result[..., HIPS, :2].mean(dim=-2)
    torch.testing.assert_close(middle, torch.zeros_like(middle), rtol=0, atol=1e-3)


def test_a_clip_is_centred_on_the_first_frame_with_hips() -> None:
    clips = pictures(missing=0)
    clips[:, :, :2, HIPS] = 0
    result = centre(clips, FLAT, 2, "clip")
    middle = result[:, 0, 2, HIPS, :2].mean(dim=1)
    torch.testing.assert_close(middle, torch.zeros_like(middle), rtol=0, atol=1e-3)
    way = clips[:, 0, 5, 0, :2] - clips[:, 0, 2, 0, :2]
    torch.testing.assert_close(result[:, 0, 5, 0, :2] - result[:, 0, 2, 0, :2], way)


def test_frames_without_hips_move_with_the_others() -> None:
    clips = pictures(missing=0)
    clips[:, :, 3, HIPS] = 0
    result = centre(clips, FLAT, 2, "frame")
    known = clips[:, 0, [0, 1, 2, 4, 5]][:, :, HIPS, :2].mean(dim=(1, 2))
    wanted = clips[:, 0, 3, 0, :2] - known
    torch.testing.assert_close(result[:, 0, 3, 0, :2], wanted, rtol=0, atol=1e-3)


@pytest.mark.parametrize("turning", ["none", "clip", "frame"])
def test_two_people_keep_their_distance_where_the_clip_is_centred(
    turning: Literal["none", "clip", "frame"],
) -> None:
    clips = bodies(persons=2)
    chosen = NormaliseSettings(centre="clip", scale="none", heading=turning)

    def distances(them: Tensor) -> Tensor:
        return torch.cdist(them[:, 0], them[:, 1])

    result = normalise(clips, ROOM, 3, chosen)
    torch.testing.assert_close(distances(result), distances(clips))
    each = normalise(clips, ROOM, 3, chosen.model_copy(update={"centre": "frame"}))
    assert not torch.allclose(distances(each), distances(clips), atol=0.1)


def test_a_clip_without_its_first_person_is_centred_on_the_second() -> None:
    clips = bodies(persons=2) + 50
    clips[:, 0] = 0
    chosen = NormaliseSettings(centre="clip", scale="none", heading="clip")
    result = normalise(clips, ROOM, 3, chosen)
    alone = normalise(clips[:, 1:], ROOM, 3, chosen)
    torch.testing.assert_close(result[:, 1:], alone)
    assert not result[:, 0].any()


# --- heading --------------------------------------------------------------------------------------


@quick
@given(seeds, st.floats(-math.pi, math.pi), st.sampled_from(["frame", "clip"]), st.integers(1, 9))
def test_alignment_undoes_turns_about_the_vertical(
    seed: int, angle: float, per: Literal["frame", "clip"], smooth: int
) -> None:
    clips = bodies(seed)
    chosen = NormaliseSettings(scale="none", heading=per, heading_smooth_frames=smooth)
    aligned = normalise(clips, ROOM, 3, chosen)
    turned = normalise(spin(clips, angle), ROOM, 3, chosen)
    torch.testing.assert_close(turned, aligned, rtol=0, atol=2e-3)


@quick
@given(seeds, st.sampled_from(["frame", "clip"]))
def test_alignment_keeps_bone_lengths_and_heights(seed: int, per: Literal["frame", "clip"]) -> None:
    clips = bodies(seed, persons=2)
    result = turn(clips, heading(clips, ROOM, per, smooth_frames=5))
    torch.testing.assert_close(bone_lengths(result), bone_lengths(clips), rtol=1e-4, atol=1e-5)
    assert torch.equal(result[..., 1], clips[..., 1])


def test_left_lies_along_x() -> None:
    clips = bodies()
    result = turn(clips, heading(clips, ROOM, "frame", smooth_frames=1))
    across = result[..., ROOM.index("left_hip"), :] - result[..., ROOM.index("right_hip"), :]
    flat = torch.tensor([0.6, 0.0, 0.0]).expand_as(across)
    torch.testing.assert_close(across, flat, rtol=0, atol=1e-5)


def test_one_turn_a_clip_leaves_the_way_as_it_was() -> None:
    lines = heading(bodies(), ROOM, "clip", smooth_frames=5)
    assert torch.equal(lines, lines[:, :, :1].expand_as(lines))
    assert (heading(bodies(), ROOM, "frame", 5).diff(dim=2) != 0).any()


def test_smoothing_averages_noise_of_the_heading() -> None:
    clips = bodies(frames=1).expand(-1, -1, 200, -1, -1)
    noisy = clips + 0.05 * random_numbers(*clips.shape, seed=3)

    def wobble(smooth: int) -> float:
        return float(heading(noisy, ROOM, "frame", smooth)[..., 1].std(dim=2).mean())

    assert wobble(15) < 0.4 * wobble(1)


def test_a_line_with_a_missing_end_does_not_turn_the_body() -> None:
    clips = bodies(frames=1) + torch.tensor([40.0, 0.0, 70.0])
    whole = heading(clips, ROOM, "frame", smooth_frames=1)
    clips[..., ROOM.index("left_hip"), :] = 0
    torch.testing.assert_close(heading(clips, ROOM, "frame", smooth_frames=1), whole)


def test_the_heading_has_the_bits_of_all_earlier_trainings() -> None:
    clips = random_numbers(4, 2, 30, 20, 3, seed=0)
    left, right = ([ROOM.index(f"{side}_{end}") for end in ENDS] for side in ("left", "right"))
    line = (clips[..., left, :] - clips[..., right, :]).sum(dim=-2)[..., [0, 2]]
    line = line / line.norm(dim=-1, keepdim=True)
    assert torch.equal(heading(clips, ROOM, "frame", 1), line / line.norm(dim=-1, keepdim=True))


def test_a_body_without_sides_is_not_turned() -> None:
    clips = torch.zeros(1, 1, 4, 20, 3)
    clips[..., ROOM.index("head"), :] = torch.tensor([0.3, 1.7, 0.2])
    assert torch.equal(turn(clips, heading(clips, ROOM, "frame", 3)), clips)


@pytest.mark.parametrize("channels", [2, 3])
def test_heading_needs_three_coordinates(channels: int) -> None:
    clips = torch.ones(1, 1, 2, 20, channels)
    with pytest.raises(ValueError, match=r"needs 3-D joints; these have 2 .*heading=none"):
        normalise(clips, ROOM, 2, HEADING)


@pytest.mark.parametrize("per", ["frame", "clip", "shoulders"])
def test_a_confidence_turns_with_nobody(per: Literal["frame", "clip", "shoulders"]) -> None:
    clips = bodies()
    confidence = torch.rand((*clips.shape[:-1], 1), generator=generator()) + 0.1
    chosen = NormaliseSettings(scale="none", heading=per)
    both = normalise(torch.cat([clips, confidence], dim=-1), ROOM, 3, chosen)
    torch.testing.assert_close(both[..., :3], normalise(clips, ROOM, 3, chosen), rtol=0, atol=0)
    assert torch.equal(both[..., 3:], confidence)


# --- two people -----------------------------------------------------------------------------------

BETWEEN = NormaliseSettings(centre="people", scale="none", heading="people")


def pairs(seed: int = 0) -> Tensor:
    """Two clips of two people some metres apart; the second person of the first comes late."""
    clips = bodies(seed, persons=2) + torch.tensor([[0.0, 0, 0], [2.0, 0, 1]])[:, None, None]
    clips[0, 1, :3] = 0
    return clips


@quick
@given(seeds, st.floats(-math.pi, math.pi), st.tuples(*[st.floats(-5, 5)] * 3))
def test_aligned_pairs_depend_neither_on_the_camera_nor_on_the_place(
    seed: int, angle: float, shift: tuple[float, float, float]
) -> None:
    clips = pairs(seed)
    there = present(clips, 3).unsqueeze(-1)
    other = (spin(clips, angle) + torch.tensor(shift)) * there
    aligned = normalise(clips, ROOM, 3, BETWEEN)
    torch.testing.assert_close(normalise(other, ROOM, 3, BETWEEN), aligned, rtol=0, atol=2e-3)
    assert not aligned[~present(clips, 3)].any()
    for stream in ("ip", "l"):
        made, kept = (make_stream(x, ROOM, stream, dims=3) for x in (clips, aligned))
        torch.testing.assert_close(kept, made, rtol=1e-3, atol=1e-4)


def test_the_line_leads_from_the_first_person_to_the_second_about_their_middle() -> None:
    aligned = normalise(pairs(), ROOM, 3, BETWEEN)
    hips = aligned[..., [ROOM.index("left_hip"), ROOM.index("right_hip")], :].mean(dim=-2)
    way = hips[1].mean(dim=1)  # both are seen throughout
    torch.testing.assert_close(way[0], -way[1], rtol=0, atol=1e-5)
    assert way[1, 0] > 0
    torch.testing.assert_close(way[1, 2], torch.tensor(0.0), rtol=0, atol=1e-5)
    late = (hips[0, 1] - hips[0, 0])[3:].mean(dim=0)
    assert late[0] > 0
    torch.testing.assert_close(late[2], torch.tensor(0.0), rtol=0, atol=1e-5)


@pytest.mark.parametrize("place", [0, 1])
def test_a_person_alone_is_centred_and_turned_by_itself(place: int) -> None:
    clips = bodies(persons=2)
    clips[:, 1 - place] = 0
    aligned = normalise(clips, ROOM, 3, BETWEEN)[:, place]
    body = bodies(persons=2)[:, place : place + 1]
    across = NormaliseSettings(centre="people", scale="none", heading="clip")
    torch.testing.assert_close(aligned, normalise(body, ROOM, 3, across)[:, 0])
    hips = aligned[..., [ROOM.index("left_hip"), ROOM.index("right_hip")], :].mean(dim=(1, 2))
    torch.testing.assert_close(hips, torch.zeros_like(hips), rtol=0, atol=1e-5)


@quick
@given(seeds, st.booleans())
def test_the_mirror_image_of_aligned_people_is_aligned_too(seed: int, alone: bool) -> None:
    clips = pairs(seed)
    if alone:
        clips[:, 1] = 0
    image = mirror(normalise(clips, ROOM, 3, BETWEEN), ROOM, between_people=True)
    wanted = normalise(mirror(clips, ROOM), ROOM, 3, BETWEEN)
    torch.testing.assert_close(image, wanted, rtol=0, atol=1e-3)


def test_people_in_a_picture_are_centred_between_them() -> None:
    clips = pictures(persons=2, missing=0)
    centred = normalise(clips, FLAT, 2, NormaliseSettings(centre="people"))
    middle = centred[..., HIPS, :2].mean(dim=(1, 2, 3))
    torch.testing.assert_close(middle, torch.zeros_like(middle), rtol=0, atol=1e-5)


def test_only_clips_that_show_everybody_exchange_people() -> None:
    clips = bodies(persons=3)
    clips[0, 2] = 0
    made = exchange_people(clips)
    assert torch.equal(made[0], clips[0])
    assert torch.equal(made[1], clips[1].flip(0))


# --- mirror ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", layout_names())
def test_mirroring_twice_changes_nothing_and_commutes_with_streams(name: str) -> None:
    layout = load_layout(name)
    clips = random_numbers(2, 2, 4, layout.joint_count, 3, seed=5)
    image = mirror(clips, layout)
    assert not torch.equal(image, clips)
    assert torch.equal(mirror(image, layout), clips)
    for stream in STREAMS:
        made, of_image = (make_stream(x, layout, stream, dims=3) for x in (clips, image))
        if stream[:2] in ("l", "ip", "jd"):  # they have no sign: the sides change places
            sides = torch.tensor(layout.mirror_index)
            swapped = made[:, :, :, sides]
            swapped = swapped if stream == "l" else swapped[..., sides]
            torch.testing.assert_close(of_image, swapped)
        else:
            torch.testing.assert_close(of_image, mirror(made, layout))


def test_the_mirror_image_has_the_sides_exchanged() -> None:
    clips = pictures(missing=0)
    image = mirror(clips, FLAT)
    left, right = FLAT.index("left_knee"), FLAT.index("right_knee")
    wanted = clips[:, :, :, right] * torch.tensor([-1.0, 1.0, 1.0])
    assert torch.equal(image[:, :, :, left], wanted)
    nose = FLAT.index("nose")
    assert torch.equal(image[..., nose, 1:], clips[..., nose, 1:])


@quick
@given(seeds, st.sampled_from(["frame", "clip"]))
def test_mirror_commutes_with_normalisation(seed: int, per: Literal["frame", "clip"]) -> None:
    flat, room = pictures(seed), bodies(seed)
    chosen = NormaliseSettings(scale="none", heading=per, heading_smooth_frames=3)
    for clips, layout, dims, how in ((flat, FLAT, 2, PICTURE), (room, ROOM, 3, chosen)):
        torch.testing.assert_close(
            normalise(mirror(clips, layout), layout, dims, how),
            mirror(normalise(clips, layout, dims, how), layout),
            rtol=0,
            atol=1e-3,
        )


# --- missing joints -------------------------------------------------------------------------------

EVERYTHING = AugmentSettings(
    mirror=0, reverse=0, joint_noise=0.1, point_noise=0.1, scale=0.2, drop_joints=0.1
)


@quick
@given(seeds, st.sampled_from(["frame", "clip", "none"]), st.sampled_from(["torso", "none"]))
def test_missing_joints_stay_at_zero(
    seed: int, per: Literal["frame", "clip", "none"], scale: Literal["torso", "none"]
) -> None:
    clips = pictures(seed, persons=2, missing=0.5)
    clips[0, 1] = 0  # nobody beside the first person
    missing = ~present(clips, 2)
    assert missing.any()
    result = normalise(clips, FLAT, 2, NormaliseSettings(centre=per, scale=scale))
    assert not result[missing].any()
    assert torch.equal(result[..., 2], clips[..., 2])
    changed = augment(result, FLAT, 2, EVERYTHING, generator(seed))
    assert not changed[missing].any()
    assert (mirror(changed, FLAT)[missing[..., torch.tensor(FLAT.mirror_index)]] == 0).all()


def test_a_place_without_confidence_is_no_place() -> None:
    clips = pictures(missing=0)
    clips[:, :, 2, 4, 2] = 0
    assert clips[:, :, 2, 4, :2].all()
    assert not normalise(clips, FLAT, 2, PICTURE)[:, :, 2, 4].any()


def test_missing_joints_in_the_room_stay_at_zero() -> None:
    clips = bodies()
    clips[..., 3:6, :] = 0
    result = normalise(clips, ROOM, 3, HEADING)
    assert not result[..., 3:6, :].any()
    assert not augment(result, ROOM, 3, EVERYTHING, generator())[..., 3:6, :].any()


def test_without_confidence_scale_does_not_depend_on_centring() -> None:
    # One hip alone becomes the origin: it must still count as seen.
    clips = pictures(missing=0)[..., :2]
    clips[:, :, 1:, HIPS[0]] = 0
    whole = scale_by_torso(clips, FLAT, 2)
    result = normalise(clips, FLAT, 2, PICTURE)
    torch.testing.assert_close(
        result[..., 0, :] - result[..., 5, :], whole[..., 0, :] - whole[..., 5, :]
    )


def test_present_reads_confidence_or_else_any_coordinate() -> None:
    clips = torch.tensor([[0.0, 0.0, 0.5], [3.0, 4.0, 0.0], [0.0, 1.0, 0.0]])[None, None, None]
    assert present(clips, 2).tolist() == [[[[True, False, False]]]]
    assert present(clips[..., :2], 2).tolist() == [[[[False, True, True]]]]
