from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from aclnet.clips.input import ClipInput
from aclnet.clips.settings import ClipSettings, stream_channels
from aclnet.clips.streams import STREAMS, grandparents, make_stream, make_streams
from aclnet.skeleton import layout_names, load_layout

NTU_FILES = ("pipeline_ntu_1p_f32", "pipeline_ntu_2p_f32", "pipeline_ntu_2p_f16")
SIX = ("j", "b", "k", "jm", "bm", "km")

# Joint two steps towards the root (spec/action.md 4.4); the root and its neighbours: themselves.
NTU_K = (20, 1, 2, 20, 4, 20, 4, 5, 8, 20, 8, 9, 1, 0, 12, 13, 1, 0, 16, 17, 20, 7, 6, 11, 10)
COCO_K = (0, 19, 19, 0, 0, 5, 6, 19, 19, 5, 6, 18, 18, 17, 17, 11, 12, 19, 18, 19)


def random_clips(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def golden(shared: Path, name: str) -> dict[str, np.ndarray]:
    with np.load(shared / "golden" / "action" / f"{name}.npz") as archive:
        return {key: archive[key] for key in archive.files}


@pytest.mark.parametrize("name", NTU_FILES)
@pytest.mark.parametrize("stream", SIX)
def test_streams_of_ntu_equal_the_release(shared: Path, name: str, stream: str) -> None:
    data = golden(shared, name)
    # Where the data are stored in half precision, the release subtracts in half precision.
    clips = torch.from_numpy(data["pre"])[None]
    made = make_stream(clips, load_layout("ntu25"), stream, dims=3)[0].numpy()
    np.testing.assert_array_equal(made, data[f"feat_{stream}"])


@pytest.mark.parametrize("stream", SIX)
def test_streams_of_coco_equal_the_release_in_coordinates(shared: Path, stream: str) -> None:
    data = golden(shared, "pipeline_coco_1p")
    clips = torch.from_numpy(data["joint20_plain"])[None]
    made = make_stream(clips, load_layout("coco20"), stream, dims=2)[0, 0].numpy()
    wanted = data[f"final_{stream}_plain"][0, 0]
    np.testing.assert_allclose(made[..., :2], wanted[..., :2], rtol=0, atol=1e-4)  # pixels


def test_confidence_of_bones_equals_the_release(shared: Path) -> None:
    data = golden(shared, "pipeline_coco_1p")
    clips = torch.from_numpy(data["joint20_plain"])[None]
    made = make_stream(clips, load_layout("coco20"), "b", dims=2)[0, 0, ..., 2].numpy()
    np.testing.assert_allclose(made, data["final_b_plain"][0, 0, ..., 2], rtol=0, atol=1e-6)


def test_confidence_is_averaged_in_every_stream() -> None:
    clips = random_clips(2, 1, 4, 20, 3).abs()
    layout = load_layout("coco20")
    score = clips[..., 2]
    after = torch.cat([score[:, :, 1:], score[:, :, -1:]], dim=2)

    def made(stream: str) -> Tensor:
        return make_stream(clips, layout, stream, dims=2)[..., 2]

    torch.testing.assert_close(made("j"), score)
    torch.testing.assert_close(made("jm"), (score + after) / 2)
    torch.testing.assert_close(made("k"), (score + score[..., torch.tensor(COCO_K)]) / 2)
    assert float(made("km").min()) > 0


@pytest.mark.parametrize(("name", "wanted"), [("ntu25", NTU_K), ("coco20", COCO_K)])
def test_grandparents_are_the_k_targets(name: str, wanted: tuple[int, ...]) -> None:
    assert grandparents(load_layout(name)) == wanted


@pytest.mark.parametrize("name", layout_names())
def test_bones_up_to_the_root_add_up_to_the_joint(name: str) -> None:
    layout = load_layout(name)
    clips = random_clips(2, 2, 3, layout.joint_count, 3)
    bones = make_stream(clips, layout, "b", dims=3)
    two_steps = make_stream(clips, layout, "k", dims=3)
    root = layout.centre_index
    assert not bones[..., root, :].any()
    for joint in range(layout.joint_count):
        path, place = torch.zeros_like(bones[..., 0, :]), joint
        while place != root:
            path = path + bones[..., place, :]
            place = int(layout.parents[place])
        torch.testing.assert_close(path, clips[..., joint, :] - clips[..., root, :])
        parent = int(layout.parents[joint])
        near = parent == root
        expected = torch.zeros_like(path) if near else bones[..., joint, :] + bones[..., parent, :]
        torch.testing.assert_close(two_steps[..., joint, :], expected)


def test_motion_adds_up_to_the_way_from_the_first_frame() -> None:
    clips = random_clips(2, 1, 6, 17, 2)
    motion = make_stream(clips, load_layout("coco17"), "jm", dims=2)
    assert not motion[:, :, -1].any()
    way = motion.cumsum(dim=2)[:, :, :-1]
    torch.testing.assert_close(way, clips[:, :, 1:] - clips[:, :, :1])


def test_a_single_frame_has_no_motion() -> None:
    clips = random_clips(2, 1, 1, 17, 2)
    assert not make_stream(clips, load_layout("coco17"), "bm", dims=2).any()


def test_bone_lengths_are_the_norms_of_bones_and_zero_where_an_end_is_missing() -> None:
    layout = load_layout("coco17")
    clips = random_clips(2, 2, 3, 17, 3)
    clips[..., 2] = clips[..., 2].abs() + 0.1
    shoulder = layout.index("left_shoulder")
    clips[0, 0, 0, shoulder] = 0
    lengths = make_stream(clips, layout, "l", dims=2)
    ends = [shoulder, *(np.flatnonzero(layout.parents == shoulder).tolist())]
    assert not lengths[0, 0, 0, ends].any()
    assert lengths[0, 0, 1, ends].all()
    assert lengths.shape == (2, 2, 3, 17, 1)
    assert not lengths[..., layout.centre_index, :].any()
    shoulder, elbow = layout.index("left_shoulder"), layout.index("left_elbow")
    wanted = torch.dist(clips[1, 0, 2, shoulder, :2], clips[1, 0, 2, elbow, :2])
    torch.testing.assert_close(lengths[1, 0, 2, elbow, 0], wanted)


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.tuples(*[st.floats(-5, 5, width=32)] * 3),
    st.sampled_from([s for s in STREAMS if s != "j"]),
)
def test_all_but_joints_are_blind_to_the_place(
    seed: int, shift: tuple[float, float, float], stream: str
) -> None:
    layout = load_layout("ntu25")
    clips = random_clips(1, 2, 4, 25, 3, seed=seed)
    moved = make_stream(clips + torch.tensor(shift), layout, stream, dims=3)
    torch.testing.assert_close(moved, make_stream(clips, layout, stream, dims=3), rtol=0, atol=1e-5)


@pytest.mark.parametrize(("stream", "other"), [("ip", 1), ("jd", 0)])
def test_distances_lead_to_every_joint_of_the_other_or_of_the_same(stream: str, other: int) -> None:
    clips = random_clips(2, 2, 3, 17, 3).abs()
    made = make_stream(clips, load_layout("coco17"), stream, dims=2)
    assert made.shape == (2, 2, 3, 17, 17)
    for person in (0, 1):
        ends = clips[1, person, 2, 4, :2], clips[1, abs(person - other), 2, 9, :2]
        wanted = torch.dist(*ends)
        torch.testing.assert_close(made[1, person, 2, 4, 9], wanted)


def test_distances_are_zero_where_a_joint_or_a_person_is_missing() -> None:
    layout = load_layout("coco17")
    clips = random_clips(3, 3, 4, 17, 3)
    clips[..., 2] = clips[..., 2].abs() + 0.1
    clips[0, 1, 0, 5] = 0  # a joint
    clips[1, :2] = 0  # all but one person
    clips[2, 1] = 0  # the one in the middle
    made = make_stream(clips, layout, "ip", dims=2)
    assert not made[0, 1, 0, 5].any()
    assert not made[0, 0, 0, :, 5].any()
    assert made[0, 0, 1, :, 5].all()
    assert not made[1].any()
    assert not made[2, 1].any()
    torch.testing.assert_close(made[2, 0], made[2, 2].transpose(-1, -2))  # of each other
    alone = make_stream(clips[:, :1], layout, "ipm", dims=2)
    assert not alone.any()
    assert not make_stream(clips, layout, "jd", dims=2)[0, 1, 0, :, 5].any()


@pytest.mark.parametrize("stream", ["ip", "jd"])
def test_the_motion_of_distances_leads_to_the_next_frame_or_the_one_that_follows(
    stream: str,
) -> None:
    layout = load_layout("ntu25")
    clips, following = random_clips(2, 2, 5, 25, 3), random_clips(2, 2, 5, 25, 3, seed=1)
    now, then = (make_stream(x, layout, stream, dims=3) for x in (clips, following))
    motion = make_stream(clips, layout, stream + "m", dims=3)
    torch.testing.assert_close(motion[:, :, :-1], now[:, :, 1:] - now[:, :, :-1])
    assert not motion[:, :, -1].any()
    made = make_stream(clips, layout, stream + "m", dims=3, following=following)
    torch.testing.assert_close(made, then - now)


@pytest.mark.parametrize("stream", ["jm", "bm", "km", "jdm"])
@pytest.mark.parametrize("confidence", [0, 1])
def test_a_motion_jumps_to_a_frame_without_the_person_only_if_asked(
    stream: str, confidence: int
) -> None:
    layout = load_layout("coco17")
    clips = random_clips(2, 2, 6, 17, 2 + confidence).abs()
    clips[0, 1, 2:4] = 0
    still = make_streams(clips, layout, (stream,), dims=2, jumps=False)
    jumping = make_stream(clips, layout, stream, dims=2)
    ends = slice(None) if stream == "jdm" else slice(2)
    assert not still[0, 1, 1:4, :, ends].any()
    assert jumping[0, 1, 1].any()
    still[0, 1, 1:4], jumping[0, 1, 1:4] = 0, 0
    torch.testing.assert_close(still, jumping, rtol=0, atol=0)


def test_small_distances_are_not_differences_of_large_numbers() -> None:
    clips = torch.zeros(1, 2, 1, 25, 3)
    clips += torch.tensor([3.0, -2.0, 4.0])
    clips[:, 1, ..., 0] += 1e-3
    made = make_stream(clips, load_layout("ntu25"), "ip", dims=3)
    torch.testing.assert_close(made, torch.full_like(made, 1e-3), rtol=1e-3, atol=0)


def test_streams_stand_side_by_side_in_the_order_asked_for() -> None:
    layout = load_layout("coco17")
    clips = random_clips(2, 1, 5, 17, 3)
    names = ("bm", "l", "jdm", "j")
    together = make_streams(clips, layout, names, dims=2)
    assert together.shape[-1] == stream_channels(names, channels=3, joints=17) == 24
    parts = [make_stream(clips, layout, name, dims=2) for name in names]
    assert torch.equal(together, torch.cat(parts, dim=-1))


def test_an_unknown_stream_is_named() -> None:
    clips = random_clips(1, 1, 2, 17, 2)
    with pytest.raises(ValueError, match="unknown stream 'joint'; the streams are j, b, k"):
        make_stream(clips, load_layout("coco17"), "joint", dims=2)


def test_the_frames_that_follow_are_stored_for_streams_of_motion_alone() -> None:
    layout = load_layout("ntu25")
    for streams, wanted in ((("j", "b", "l"), False), (("j", "bm"), True)):
        chosen = ClipSettings(streams=streams, motion="recording")
        assert ClipInput(chosen, layout, ("x", "y", "z")).follows is wanted
