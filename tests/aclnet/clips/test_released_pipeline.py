"""The released data pipeline from the stored key points to the network, as far as it draws nothing.

Every array of the golden files is made again by the project's functions: those of random changes in
test_augmentation.py, of preparation in data/test_prepare.py, of sampling in data/test_sampling.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from aclnet.clips.augmentation import image_flip
from aclnet.clips.sampling import Rule, released_test_frames
from aclnet.clips.streams import make_stream
from aclnet.data.prepare import layout_centre, prepare_recording
from aclnet.skeleton import load_layout
from aclnet.skeleton.mapping import map_joints

STREAMS = ("j", "b", "k", "jm", "bm", "km")
NTU, COCO17, COCO20 = load_layout("ntu25"), load_layout("coco17"), load_layout("coco20")

Array = npt.NDArray[Any]


def golden(shared: Path, name: str) -> dict[str, Array]:
    with np.load(shared / "golden" / "action" / f"pipeline_{name}.npz") as archive:
        return {key: archive[key] for key in archive.files}


def frames_of(length: int, frames: int, clips: int, rule: Rule) -> npt.NDArray[np.int64]:
    return released_test_frames(np.array([length]), frames, clips, rule).reshape(clips, frames)


def padded(clips: Array) -> Array:
    """(N, M, T, V, C) with a second, empty person where there is one."""
    empty = np.zeros((len(clips), 2 - clips.shape[1], *clips.shape[2:]), dtype=clips.dtype)
    return np.concatenate([clips, empty], axis=1)


@pytest.mark.parametrize("name", ["ntu_1p_f32", "ntu_2p_f32", "ntu_2p_f16"])
def test_bodies_from_the_file_to_the_network(shared: Path, name: str) -> None:
    data = golden(shared, name)
    # Halves stay halves all the way, as in the release, where halves are fed.
    frames = prepare_recording(data["kp"].swapaxes(0, 1), layout_centre(NTU))

    def clips(stream: str, index: npt.NDArray[np.int64]) -> Array:
        now = torch.from_numpy(frames[index].swapaxes(1, 2))
        after = torch.from_numpy(frames[np.minimum(index + 1, len(frames) - 1)].swapaxes(1, 2))
        return make_stream(now, NTU, stream, 3, confidence="released", following=after).numpy()

    for stream in STREAMS:
        # The whole recording as one clip, whose motion leads to its own next frame.
        whole = torch.from_numpy(frames.swapaxes(0, 1))[None]
        every = make_stream(whole, NTU, stream, 3)[0].numpy()
        np.testing.assert_array_equal(every, data[f"feat_{stream}"], err_msg=stream)
        assert every.dtype == frames.dtype
        one = clips(stream, frames_of(len(frames), 100, 1, "decode"))
        np.testing.assert_array_equal(padded(one), data[f"final1_{stream}"], err_msg=stream)
    three = clips("j", frames_of(len(frames), 100, 3, "decode"))
    np.testing.assert_array_equal(padded(three), data["final_j_len100_clips3"])
    ten = clips("b", frames_of(len(frames), 50, 10, "decode"))[[0, 3, 6, 9]]
    np.testing.assert_array_equal(padded(ten), data["final_b_len50_clips10"])


@pytest.mark.parametrize("kind", ["plain", "flip"])
def test_pictures_from_the_file_to_the_network(shared: Path, kind: str) -> None:
    data = golden(shared, "coco_1p")
    points = np.concatenate([data["kp"], data["score"][..., None]], axis=-1).astype(np.float32)
    length = points.shape[1]
    index = frames_of(length, 100, 1, "frames")
    np.testing.assert_array_equal(index[0], data["frame_inds"])
    clip = torch.from_numpy(points[None][:, :, index[0]])
    if kind == "flip":
        clip = image_flip(clip, COCO17, torch.tensor([float(data["img_shape"][1])]))
    np.testing.assert_array_equal(clip[0, ..., :2], data[f"decoded_{kind}"])
    np.testing.assert_array_equal(clip[0, ..., 2], data[f"decoded_score_{kind}"])
    joints = map_joints(COCO17, COCO20).apply(clip.numpy())
    np.testing.assert_allclose(joints[0], data[f"joint20_{kind}"], rtol=1e-6)
    for stream in STREAMS if kind == "plain" else ("j",):
        made = make_stream(torch.from_numpy(joints), COCO20, stream, 2, confidence="released")
        np.testing.assert_allclose(
            padded(made.numpy()), data[f"final_{stream}_{kind}"], rtol=1e-6, atol=2e-5
        )


def test_motion_of_pictures_runs_over_all_clips_of_a_test(shared: Path) -> None:
    data = golden(shared, "coco_1p")
    points = np.concatenate([data["kp"], data["score"][..., None]], axis=-1).astype(np.float32)
    index = frames_of(points.shape[1], 100, 3, "frames").reshape(-1)
    joined = torch.from_numpy(map_joints(COCO17, COCO20).apply(points[:, index]))[None]
    made = make_stream(joined, COCO20, "jm", 2, confidence="released")[0].numpy()
    clips = made.reshape(1, 3, 100, 20, 3).swapaxes(0, 1)
    np.testing.assert_allclose(padded(clips), data["final_jm_clips3"], rtol=1e-6, atol=2e-5)


def test_confidence_of_the_release_is_averaged_in_bones_alone() -> None:
    clips = torch.rand((2, 1, 4, 20, 3), generator=torch.Generator().manual_seed(0))
    score, parents = clips[..., 2], torch.tensor(COCO20.parents)
    bone = (score + score[..., parents]) / 2

    def made(stream: str) -> torch.Tensor:
        return make_stream(clips, COCO20, stream, 2, confidence="released")[..., 2]

    torch.testing.assert_close(made("b"), bone)
    torch.testing.assert_close(made("jm")[:, :, :-1], score[:, :, 1:] - score[:, :, :-1])
    torch.testing.assert_close(made("bm")[:, :, :-1], bone[:, :, 1:] - bone[:, :, :-1])
    assert not made("bm")[:, :, -1].any()
    assert not made("k")[..., COCO20.centre_index].any()


def test_motion_leads_to_the_frames_that_are_given() -> None:
    clips = torch.randn((2, 2, 5, 25, 3), generator=torch.Generator().manual_seed(0))
    inner = clips[:, :, :-1]
    for stream in ("jm", "bm", "km"):
        whole = make_stream(clips, NTU, stream, 3)
        part = make_stream(inner, NTU, stream, 3, following=clips[:, :, 1:])
        torch.testing.assert_close(part, whole[:, :, :-1])
        still = make_stream(clips, NTU, stream, 3, following=clips)
        assert not still.any()
    for stream in ("j", "b", "k", "l"):
        plain = make_stream(inner, NTU, stream, 3)
        assert torch.equal(make_stream(inner, NTU, stream, 3, following=clips[:, :, 1:]), plain)
