"""Missing joints, beside a plain, slow way."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aclnet.clips.completion import completed, joint_distances
from aclnet.clips.settings import ClipSettings
from aclnet.clips.stored import StoredClips
from aclnet.data.walkers.dataset import make_walkers
from aclnet.data.walkers.settings import WalkerSettings
from aclnet.runs.windows import window_store

INFO, WALKS = make_walkers(WalkerSettings(identities=3, views=(90,), frames=(20, 20), nm_takes=1))
RECORDINGS = [walk.frames for walk in WALKS]
DISTANCES = joint_distances(RECORDINGS, INFO.dims)
V = len(DISTANCES)


def bodies(dims: int, channels: int, seed: int, frames: int = 6) -> Any:
    """Random bodies, some joints of which were not seen."""
    random = np.random.default_rng(seed)
    clips = random.normal(size=(1, 2, frames, V, channels)).astype(np.float32)
    clips[..., dims:] = random.uniform(0.1, 1, clips[..., dims:].shape)
    seen = random.random((1, 2, frames, V, 1)) < random.random()
    return clips * seen, seen[..., 0]


def test_distances_are_the_mean_squares_in_sizes_of_the_body() -> None:
    random = np.random.default_rng(0)
    frames = random.normal(size=(5, 2, 4, 3)) * random.uniform(1, 9, (5, 2, 1, 1))
    wanted = np.zeros((4, 4))
    for body in frames.reshape(10, 4, 3):
        size = np.mean(np.sum((body - body.mean(axis=0)) ** 2, axis=1))
        wanted += [[np.sum((one - other) ** 2) / size for one in body] for other in body]
    np.testing.assert_allclose(joint_distances([frames[:2], frames[2:]], 3), wanted / 10)


@given(st.sampled_from([(3, 3), (3, 4), (2, 3)]), st.integers(0, 10_000))
@settings(deadline=None)
def test_as_the_plain_way(kind: tuple[int, int], seed: int) -> None:
    dims, channels = kind
    clips, seen = bodies(dims, channels, seed)
    made = completed(clips, DISTANCES, dims)
    for at in np.ndindex(clips.shape[:3]):
        there = np.flatnonzero(seen[at])
        if len(there) < 3:
            np.testing.assert_array_equal(made[at], clips[at])
            continue
        np.testing.assert_array_equal(made[at][there], clips[at][there])
        for joint in np.flatnonzero(~seen[at]):
            # Lagrange: the variance of the error is least under weights that add up to one.
            size = len(there)
            system = np.ones((size + 1, size + 1))
            system[size, size] = 0
            apart = DISTANCES[np.ix_(there, there)]
            system[:size, :size] = -apart / 2 + 1e-4 * np.eye(size)
            wanted = np.append(-DISTANCES[there, joint] / 2, 1)
            weights = np.linalg.solve(system, wanted)[:size]
            place = weights @ clips[at][there][:, :dims].astype(np.float64)
            np.testing.assert_allclose(made[at][joint][:dims], place, rtol=1e-4, atol=1e-4)
            if channels > dims:
                assert made[at][joint][dims] == clips[at][there][:, dims].min()


@given(st.integers(0, 10_000), st.floats(0.1, 1000), st.floats(-np.pi, np.pi))
@settings(deadline=None)
def test_estimates_move_turn_and_grow_with_the_body(seed: int, scale: float, angle: float) -> None:
    clips, seen = bodies(2, 3, seed)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])

    def moved(one: Any) -> Any:
        places = one[..., :2] @ turn + scale * np.array([3, -2])
        return np.concatenate([places, one[..., 2:]], axis=-1)

    there = (seen.sum(axis=-1) >= 3)[..., None, None]
    one = moved(completed(clips.astype(np.float64), DISTANCES, 2)) * there
    other = completed(moved(clips) * seen[..., None], DISTANCES, 2) * there
    np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6 * scale)


def test_a_walkers_joint_is_found_within_a_tenth_of_the_body() -> None:
    lost = RECORDINGS[0][:, None].copy()
    whole = lost.copy()
    lost[..., 5, :] = 0
    made = completed(lost, DISTANCES, INFO.dims)
    size = np.sqrt(np.square(whole[..., :2] - whole[..., :2].mean(axis=-2, keepdims=True)).sum(-1))
    error = np.linalg.norm(made[..., 5, :2] - whole[..., 5, :2], axis=-1)
    assert np.median(error) < 0.1 * size.mean()


def test_joints_that_nobody_showed_together_or_at_all() -> None:
    frames = np.array(RECORDINGS[0])
    frames[..., 2, :] = 0
    frames[::2, :, 0] = 0
    frames[1::2, :, 1] = 0
    distances = joint_distances([frames], INFO.dims)
    assert not distances[2].any()
    assert distances[0, 1] > 0
    known = np.flatnonzero(distances.any(axis=1))
    centred = distances[np.ix_(known, known)]
    centred = centred - centred.mean(0) - centred.mean(1)[:, None] + centred.mean()
    assert np.linalg.eigvalsh(-centred).min() > -1e-9
    made = completed(frames, distances, INFO.dims)
    np.testing.assert_array_equal(made[..., 2, :], 0)
    assert made[..., [0, 1], :2].any(axis=-1).all()


def test_clips_are_completed_as_they_are_taken_or_refused() -> None:
    lost = np.array(RECORDINGS[0])
    lost[3:, :, 4] = 0
    store = window_store([lost], INFO)
    rows, frames = np.array([0]), np.arange(8)[None]
    chosen = ClipSettings(missing="estimated")
    clips = StoredClips(chosen, store.layout, INFO.channels, DISTANCES)
    wanted = completed(lost[:8], DISTANCES, INFO.dims).transpose(1, 0, 2, 3)
    np.testing.assert_array_equal(clips.taken(store, rows, frames)[0], wanted)
    # A joint that is hidden is estimated from the others, and they are not estimated from it.
    lost[..., 2, :] = 0
    wanted = completed(lost[:8], DISTANCES, INFO.dims).transpose(1, 0, 2, 3)
    found = clips.for_network(store, rows, frames[:, None], np.array([2]))
    np.testing.assert_array_equal(found[0], wanted)
    with pytest.raises(ValueError, match=r"clip\.missing=estimated"):
        StoredClips(chosen, store.layout, INFO.channels).taken(store, rows, frames)
