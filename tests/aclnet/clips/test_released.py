from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aclnet.clips.released import (
    RULES,
    cut_as_released,
    overlapping_windows,
    whole_windows,
)

some_lengths = st.lists(st.integers(0, 60), max_size=6).map(lambda x: np.array(x, dtype=np.int64))


@pytest.mark.parametrize("rule", ["ks20", "kgbd"])
@pytest.mark.parametrize("frame_count", [6, 10])
@pytest.mark.parametrize("part", ["train", "gallery"])
def test_golden_windows(rule: str, frame_count: int, part: str, shared: Path) -> None:
    with np.load(shared / "golden" / "reid" / "windows.npz") as golden:
        lengths, labels = golden["lengths"], golden["labels"]
        values = golden["frames_concat"]
        wanted = golden[f"{rule}_f{frame_count}_{part}_windows"]
        people = golden[f"{rule}_f{frame_count}_{part}_ids"]
    cut = cut_as_released(lengths, frame_count, rule, train=part == "train", border=(0, 0))
    begins = np.cumsum(lengths) - lengths
    np.testing.assert_array_equal(values[begins[cut.owner][:, None] + cut.frames], wanted)
    np.testing.assert_array_equal(labels[cut.owner], people)


@given(some_lengths, st.integers(1, 12), st.sampled_from(sorted(RULES)), st.booleans())
def test_every_frame_is_accounted_for(
    lengths: np.ndarray, frame_count: int, rule: str, train: bool
) -> None:
    cut = cut_as_released(lengths, frame_count, rule, train=train)
    first, last = RULES[rule].train_border if train else RULES[rule].border
    seen = border = short = 0
    for i, length in enumerate(lengths.tolist()):
        mine = cut.frames[cut.owner == i]
        assert (np.diff(mine, axis=1) == 1).all()
        assert ((mine >= first) & (mine < length - last)).all()
        seen += len(np.unique(mine))
        border += min(first + last, length)
        short += len(mine) == 0
    assert cut.border_frames == border
    assert cut.short_recordings == short
    assert seen + cut.border_frames + cut.leftover_frames == lengths.sum()


@given(some_lengths, st.integers(2, 6).map(lambda half: 2 * half))
def test_overlapping_windows_are_every_run_of_frames(lengths: np.ndarray, count: int) -> None:
    owner, frames = overlapping_windows(lengths, count)
    for i, length in enumerate(lengths.tolist()):
        starts, times = np.unique(frames[owner == i, 0], return_counts=True)
        assert starts.tolist() == list(range(length - count + 1))
        # Twice, but where the later start offset comes too soon: in the first half window.
        assert (times == np.where(starts < count // 2, 1, 2)).all()


def test_adjoining_windows_leave_the_rest_out() -> None:
    owner, frames = whole_windows(np.array([7, 2, 3]), 3)
    assert owner.tolist() == [0, 0, 2]
    assert frames.tolist() == [[0, 1, 2], [3, 4, 5], [0, 1, 2]]


def test_borders_are_the_data_sets() -> None:
    lengths = np.array([40])
    begins = {
        (rule, train): cut_as_released(lengths, 10, rule, train=train)
        for rule in RULES
        for train in (True, False)
    }
    spans = {key: (int(c.frames.min()), int(c.frames.max())) for key, c in begins.items()}
    assert spans == {
        ("ks20", True): (0, 39),
        ("ks20", False): (0, 39),
        ("kgbd", True): (10, 29),
        ("kgbd", False): (10, 29),
        ("ias", True): (10, 39),
        ("ias", False): (10, 29),
        ("biwi", True): (10, 29),
        ("biwi", False): (10, 29),
    }
    told = cut_as_released(lengths, 10, "kgbd", train=False, border=(5, 0))
    assert (told.frames[0, 0], told.border_frames, told.leftover_frames) == (5, 5, 5)


def test_other_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="no cutting rule 'casia'; there are ks20, kgbd"):
        cut_as_released(np.array([9]), 3, "casia", train=True)
    with pytest.raises(ValueError, match="at least 1 frame and a border at least 0, got 0 and 10"):
        cut_as_released(np.array([9]), 0, "kgbd", train=True)
    with pytest.raises(ValueError, match="got 3 and -1, 0"):
        cut_as_released(np.array([9]), 3, "kgbd", train=True, border=(-1, 0))
