from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from aclnet.data.degrade import KINDS, body_size, degrade, seen_joints
from aclnet.data.sample import Sample


def recording(key: str = "a", T: int = 40, confidence: bool = True) -> Sample:
    """Two people of 20 joints in pixels; the second one shows eleven joints of them."""
    draw = np.random.default_rng(1).uniform
    frames = draw(100, 200, (T, 2, 20, 3)).astype(np.float32)
    frames[..., 2] = 0.5
    frames[:, 1, 11:] = 0
    return Sample(key, frames if confidence else frames[..., :2])


def absent(before: Sample, after: Sample) -> Any:
    """(T, M, V): seen before, zero in all channels now; whatever is not has not changed."""
    gone = seen_joints(before.frames, 2) & ~after.frames.any(axis=-1)
    np.testing.assert_array_equal(after.frames[~gone], before.frames[~gone])
    return gone


@pytest.mark.parametrize("kind", KINDS)
def test_the_lowest_level_is_the_recording_itself(kind: Any) -> None:
    sample = recording()
    assert degrade(sample, kind, 1 if kind in ("length", "rate") else 0, 2) is sample


@pytest.mark.parametrize("confidence", [True, False])
@pytest.mark.parametrize("level", [0.1, 0.3, 0.5])
def test_the_share_of_each_persons_joints_is_absent_throughout(
    level: float, confidence: bool
) -> None:
    sample = recording(confidence=confidence)
    gone = absent(sample, degrade(sample, "joints", level, 2))
    assert (gone == gone[0]).all()
    assert gone[0].sum(axis=1).tolist() == [round(level * 20), round(level * 11)]


@pytest.mark.parametrize("level", [0.1, 0.3, 0.5])
def test_the_share_of_single_joints_is_absent(level: float) -> None:
    sample = recording()
    gone = absent(sample, degrade(sample, "gaps", level, 2))
    assert gone.sum() == round(level * 40 * 31)
    assert not (gone == gone[0]).all()


def test_noise_has_its_share_of_the_bodys_size_and_touches_only_seen_coordinates() -> None:
    sample = recording(T=400)
    moved = degrade(sample, "noise", 0.05, 2).frames - sample.frames
    seen = seen_joints(sample.frames, 2)
    assert moved[seen][:, :2].std() == pytest.approx(0.05 * body_size(sample.frames, 2), rel=0.02)
    assert not moved[~seen].any()
    assert not moved[..., 2].any()


def test_the_size_of_a_body_is_the_root_mean_square_from_its_middle() -> None:
    frames = np.zeros((2, 1, 3, 2))
    frames[:, 0, :2] = [[1.0, 5.0], [7.0, 13.0]]  # five from their middle; the third is not seen
    assert body_size(frames, 2) == pytest.approx(5)
    assert body_size(np.zeros((2, 1, 3, 2)), 2) == 0


def test_the_middle_and_every_nth_frame_keep_their_numbers() -> None:
    sample = recording()
    assert degrade(sample, "length", 0.25, 2).numbers.tolist() == list(range(15, 25))
    assert degrade(sample, "rate", 0.25, 2).numbers.tolist() == list(range(0, 40, 4))
    assert len(degrade(sample, "length", 0.001, 2).frames) == 1


@pytest.mark.parametrize("kind", ["noise", "joints", "gaps"])
def test_what_is_drawn_depends_on_the_seed_and_the_key_alone(kind: Any) -> None:
    def made(key: str = "a", seed: int = 0) -> Any:
        return degrade(recording(key), kind, 0.3, 2, seed).frames

    np.testing.assert_array_equal(made(), made())
    assert (made() != made("b")).any()
    assert (made() != made(seed=1)).any()


@pytest.mark.parametrize("kind", ["joints", "gaps"])
def test_a_higher_level_hides_more_of_the_same(kind: Any) -> None:
    sample = recording()
    less, more = (absent(sample, degrade(sample, kind, level, 2)) for level in (0.1, 0.3))
    assert (more | ~less).all()


@pytest.mark.parametrize(
    ("kind", "level", "words"),
    [
        ("noise", -0.1, "share of the body's size"),
        ("gaps", 1.5, "share of the joints"),
        ("length", 0, "share of the frames"),
        ("rate", 0.4, "every nth frame"),
        ("blur", 0.1, "known kinds are noise, joints"),
    ],
)
def test_levels_that_are_none_are_refused(kind: Any, level: float, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        degrade(recording(), kind, level, 2)
