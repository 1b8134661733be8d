"""What a comparison of two networks finds, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from aclnet.clips.settings import ClipSettings
from aclnet.clips.stored import Clips, StoredClips
from aclnet.data.sample import StoreInfo
from aclnet.data.store import Store
from aclnet.export.compare import compare, difference
from aclnet.runs.averages import Scored
from aclnet.runs.windows import window_store
from aclnet.skeleton import load_layout

LAYOUT = load_layout("coco17")
INFO = StoreInfo(name="toy", layout=LAYOUT.to_dict(), channels=("x", "y"), unit="normalised")
Answer = Callable[[Clips], np.ndarray]


def mean(clips: Clips) -> np.ndarray:
    means: np.ndarray = clips.mean(axis=(1, 2, 4))
    return means


class Toy:
    """Scored with a function of the clips."""

    def __init__(self, answer: Answer = mean) -> None:
        self.answer = answer
        self.clips = StoredClips(ClipSettings(frames=4), LAYOUT, INFO.channels)

    def __call__(self, clips: Clips, mirrored: bool = False) -> Scored:
        found = self.answer(-clips if mirrored else clips)
        return Scored(found, found, found)


@pytest.fixture
def store() -> Store:
    random = np.random.default_rng(0)
    return window_store([random.normal(size=(9, 2, 17, 2)).astype(np.float32)] * 3, INFO)


def shorter(clips: Clips) -> np.ndarray:
    """Right for clips of 4 frames alone."""
    return mean(clips[:, :, :4])


def alone(clips: Clips) -> np.ndarray:
    """Right for two persons alone."""
    if clips.shape[1] != 2:
        raise ValueError("two persons")
    return mean(clips)


def first(clips: Clips) -> np.ndarray:
    """Right for a single clip alone."""
    return np.repeat(mean(clips[:1]), len(clips), axis=0) * (1 + np.arange(len(clips))[:, None])


def test_every_axis_is_compared(store: Store) -> None:
    same = compare(Toy(), Toy(), store, lengths=True, persons=True)
    assert same == (6, 0, 0, 0)
    found = compare(Toy(shorter), Toy(), store, lengths=True, persons=True)
    assert found.difference == found.persons == 0
    assert found.lengths is not None
    assert found.lengths > 0.1
    assert compare(Toy(alone), Toy(), store, persons=True).persons == float("inf")
    assert compare(Toy(alone), Toy(), store) == (6, 0, None, None)
    assert compare(Toy(first), Toy(), store).difference > 0.1


@pytest.mark.parametrize(
    "answer",
    [
        lambda clips: np.ones((len(clips), 3), np.float32),
        lambda clips: np.arange(3 * len(clips), dtype=np.float32).reshape(-1, 3),  # by its place
    ],
)
def test_a_network_whose_answers_do_not_depend_on_the_clips_is_refused(
    answer: Answer, store: Store
) -> None:
    with pytest.raises(ValueError, match="gives the same probabilities for all of 6 clips"):
        compare(Toy(answer), Toy(answer), store)


def test_differences_are_shares_of_the_largest_value() -> None:
    def answers(*values: float) -> Scored:
        return Scored(*[np.array([values], np.float32)] * 3)

    assert difference(answers(1, 2), answers(1, 4)) == 0.5
    assert difference(answers(1, np.nan), answers(1, 4)) == float("inf")
    assert difference(answers(1, 2, 3), answers(1, 4)) == float("inf")
