"""What a class is confused with."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.action.confusion import confused_with, confusion_matrix, worst_classes

COUNTS = np.array([[5, 2, 2, 1], [0, 0, 0, 0], [0, 0, 3, 0], [4, 0, 0, 4]])
NAMES = ["sit", "rise", "wave", "drink"]


def test_others_come_by_count_and_then_by_number() -> None:
    rows = confused_with(COUNTS, NAMES, top=2)
    assert [(other.name, other.count) for other in rows[0].taken_for] == [("rise", 2), ("wave", 2)]
    assert rows[0].taken_for[0].rate == pytest.approx(0.2)
    assert rows[0].accuracy == pytest.approx(0.5)
    assert (rows[3].tested, rows[3].correct) == (8, 4)


def test_classes_without_samples_or_mistakes_name_nobody() -> None:
    rows = confused_with(COUNTS, np.array(NAMES))
    assert rows[1].taken_for == rows[2].taken_for == ()
    assert np.isnan(rows[1].accuracy)
    assert confused_with(COUNTS, NAMES, top=0)[0].taken_for == ()


def test_the_worst_come_first_and_the_faultless_never() -> None:
    rows = confused_with(COUNTS, NAMES)
    assert [row.name for row in worst_classes(rows)] == ["sit", "drink"]
    assert [row.name for row in worst_classes(rows, 1)] == ["sit"]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), size=st.integers(1, 6))
def test_every_mistake_is_told(seed: int, size: int) -> None:
    generator = np.random.default_rng(seed)
    label, predicted = generator.integers(0, size, (2, 30))
    counts = confusion_matrix(label, predicted, size)
    rows = confused_with(counts, [str(k) for k in range(size)], top=size)
    for row in rows:
        wrong = predicted[(label == row.number) & (predicted != label)]
        told = {int(other.name): other.count for other in row.taken_for}
        assert told == {int(k): int(np.sum(wrong == k)) for k in np.unique(wrong)}
        counted = [other.count for other in row.taken_for]
        assert counted == sorted(counted, reverse=True)
        assert row.tested - row.correct == sum(counted)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(2, 2\), not \(4, 4\)"):
        confused_with(COUNTS, ["a", "b"])
    with pytest.raises(ValueError, match="top must be 0 or more"):
        confused_with(COUNTS, NAMES, top=-1)
    with pytest.raises(ValueError, match="run from 0 to 1, and these from -1 to 2"):
        confusion_matrix([0, -1], [0, 2], 2)
    with pytest.raises(ValueError, match="one prediction"):
        confusion_matrix([0, 1], [0], 2)
