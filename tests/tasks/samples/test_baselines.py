from __future__ import annotations

import math
import warnings
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from aclnet.data.sample import COLUMNS, StoreInfo
from aclnet.data.store import Store
from aclnet.skeleton import Layout, load_layout
from tasks.samples.baselines import bone_lengths, standardised_bone_lengths

Array = npt.NDArray[np.float64]
FLAT, ROOM = load_layout("coco17"), load_layout("kgbd20")


def make_store(
    clips: list[Array],
    layout: Layout,
    channels: tuple[str, ...],
    unit: Literal["pixel", "metre", "normalised"],
) -> Store:
    """A store in memory of clips (T, M, V, C)."""
    ends = np.cumsum([len(clip) for clip in clips])
    index = pd.DataFrame("", index=range(len(clips)), columns=list(COLUMNS))
    index["sample"] = [f"s{i}" for i in range(len(clips))]
    index["length"] = [len(clip) for clip in clips]
    index["start"] = ends - index["length"].to_numpy()
    info = StoreInfo(name="toy", layout=layout.to_dict(), channels=channels, unit=unit)
    return Store(info, index, np.concatenate(clips).astype(np.float32))


def rigid_body(layout: Layout, lengths: Array, frames: int, seed: int, dims: int = 3) -> Array:
    """Bones of given lengths (V - 1,) in directions that change all the time: (T, V, dims)."""
    generator = np.random.default_rng(seed)
    joints = np.zeros((frames, layout.joint_count, dims))
    joints[:, layout.centre_index] = generator.normal(size=(frames, dims)) + 5
    placed = {layout.centre_index}
    waiting = list(zip(layout.bone_index.tolist(), lengths.tolist(), strict=True))
    while waiting:
        (child, parent), length = waiting.pop(0)
        if parent not in placed:
            waiting.append(((child, parent), length))
            continue
        way = generator.normal(size=(frames, dims))
        way *= length / np.linalg.norm(way, axis=1, keepdims=True)
        joints[:, child] = joints[:, parent] + way
        placed.add(child)
    return joints


def room_store(*bodies: Array, frames: int = 7) -> Store:
    clips = [rigid_body(ROOM, body, frames + i, i)[:, None] for i, body in enumerate(bodies)]
    return make_store(clips, ROOM, ("x", "y", "z"), "metre")


def some_lengths(seed: int) -> Array:
    return np.random.default_rng(seed).uniform(0.1, 0.6, ROOM.joint_count - 1)


def picture(seed: int, frames: int = 9, missing: float = 0.0) -> Array:
    """(T, 1, 17, 3) pixels and confidence."""
    generator = np.random.default_rng(seed)
    points = generator.normal(300, 25, (frames, 17, 2))
    points[:, [FLAT.index("left_hip"), FLAT.index("right_hip")], 1] += 120
    found = generator.random((frames, 17, 1)) >= missing
    return np.concatenate([points * found, found], axis=-1)[:, None]


def picture_store(*clips: Array, unit: Literal["pixel", "normalised"] = "pixel") -> Store:
    return make_store(list(clips), FLAT, ("x", "y", "confidence"), unit)


def bone(layout: Layout, child: str) -> int:
    return int(np.flatnonzero(layout.bone_index[:, 0] == layout.index(child))[0])


def test_bones_of_rigid_bodies_are_exact() -> None:
    bodies = [some_lengths(1), some_lengths(2)]
    np.testing.assert_allclose(bone_lengths(room_store(*bodies)), bodies, rtol=0, atol=2e-6)


def test_only_the_first_person_is_measured() -> None:
    two = np.stack(
        [rigid_body(ROOM, some_lengths(seed), frames=5, seed=seed) for seed in (1, 2)], axis=1
    )
    store = make_store([two], ROOM, ("x", "y", "z"), "metre")
    np.testing.assert_allclose(bone_lengths(store)[0], some_lengths(1), atol=2e-6)


def test_the_middle_length_of_the_frames_counts() -> None:
    clip = rigid_body(ROOM, some_lengths(1), frames=9, seed=1)
    clip[:4, ROOM.index("head")] += 100  # an estimator that errs in fewer than half of the frames
    store = make_store([clip[:, None]], ROOM, ("x", "y", "z"), "metre")
    np.testing.assert_allclose(bone_lengths(store)[0], some_lengths(1), atol=2e-6)


@pytest.mark.parametrize(("factor", "shift"), [(0.25, 0.0), (3.0, 250.0)])
def test_lengths_in_the_picture_do_not_depend_on_the_camera(factor: float, shift: float) -> None:
    clips = [picture(seed, missing=0.2) for seed in range(3)]
    others = [clip.copy() for clip in clips]
    for clip in others:
        clip[..., :2] = (clip[..., :2] * factor + shift) * clip[..., 2:]
    lengths = bone_lengths(picture_store(*clips))
    np.testing.assert_allclose(bone_lengths(picture_store(*others)), lengths, rtol=1e-4)
    assert 0.1 < np.median(lengths) < 3  # torso lengths


def test_shares_of_the_picture_are_no_metres() -> None:
    pixels = picture(0)
    shares = pixels.copy()
    shares[..., :2] /= 1920
    wanted = bone_lengths(picture_store(pixels))
    lengths = bone_lengths(picture_store(shares, unit="normalised"))
    np.testing.assert_allclose(lengths, wanted, rtol=1e-4)


def test_frames_with_a_missing_end_do_not_count() -> None:
    clip = rigid_body(ROOM, some_lengths(1), frames=9, seed=1)
    clip[:6, ROOM.index("left_wrist")] = 0
    store = make_store([clip[:, None]], ROOM, ("x", "y", "z"), "metre")
    np.testing.assert_allclose(bone_lengths(store)[0], some_lengths(1), atol=2e-6)


def test_a_bone_never_seen_is_unknown() -> None:
    clip = picture(0)
    clip[:, :, FLAT.index("left_elbow")] = 0
    lengths = bone_lengths(picture_store(clip, picture(1)))
    unknown = [bone(FLAT, "left_elbow"), bone(FLAT, "left_wrist")]
    assert np.flatnonzero(np.isnan(lengths[0])).tolist() == sorted(unknown)
    assert np.isfinite(lengths[1]).all()


def test_standardised_lengths_of_the_training_people_are_standard() -> None:
    store = room_store(*[some_lengths(seed) for seed in range(20)])
    scores = standardised_bone_lengths(store, store)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(scores.std(axis=0), 1, atol=1e-5)


def test_scores_are_measured_by_the_training_people_alone() -> None:
    known = [some_lengths(seed) for seed in range(8)]
    train = room_store(*known)
    wanted = some_lengths(99)
    scores = standardised_bone_lengths(train, room_store(wanted))
    expected = (wanted - np.mean(known, axis=0)) / np.std(known, axis=0)
    np.testing.assert_allclose(scores[0], expected, atol=1e-4)


def test_a_test_sample_does_not_depend_on_the_others() -> None:
    train = picture_store(*[picture(seed) for seed in range(5)])
    clip = picture(7)
    clip[:, :, FLAT.index("left_ankle")] = 0
    alone = standardised_bone_lengths(train, picture_store(clip))
    together = standardised_bone_lengths(train, picture_store(picture(8), clip, picture(9)))
    np.testing.assert_array_equal(together[1], alone[0])
    assert alone[0, bone(FLAT, "left_ankle")] == 0  # average
    assert np.isfinite(alone).all()


def test_missing_bones_of_training_people_leave_the_mean_to_the_others() -> None:
    clips = [picture(seed) for seed in range(6)]
    full = standardised_bone_lengths(picture_store(*clips), picture_store(picture(7)))
    hidden = picture(6)
    hidden[:, :, FLAT.index("left_ankle")] = 0
    scores = standardised_bone_lengths(picture_store(*clips, hidden), picture_store(picture(7)))
    ankle = bone(FLAT, "left_ankle")
    assert scores[0, ankle] == pytest.approx(full[0, ankle], abs=1e-5)


def test_a_length_that_all_people_share_says_nothing() -> None:
    bodies = [some_lengths(seed) for seed in range(4)]
    for body in bodies:
        body[0] = math.pi / 10  # the same but for the rounding of coordinates
    store = room_store(*bodies)
    assert np.abs(standardised_bone_lengths(store, store)[:, 0]).max() < 1e-3


def test_nothing_is_warned_of() -> None:
    clips = [picture(seed) for seed in range(3)]
    for clip in clips:
        clip[:, :, FLAT.index("left_ear")] = 0
    store = picture_store(*clips)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isfinite(standardised_bone_lengths(store, store)).all()
