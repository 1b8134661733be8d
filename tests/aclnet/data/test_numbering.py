from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aclnet.data.numbering import numbers_to_text, text_to_numbers


@given(st.lists(st.integers(1, 6), max_size=30), st.integers(0, 10**9))
def test_text_gives_the_numbers_back(gaps: list[int], first: int) -> None:
    numbers = first + np.cumsum([0, *gaps])
    text = numbers_to_text(numbers)
    np.testing.assert_array_equal(text_to_numbers(text, len(numbers)), numbers)


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        (range(24), ""),
        (range(300, 324), "300-323"),
        (range(0, 120, 5), "0-115/5"),
        ([7], "7"),
        ([0, 9], "0 9"),
        ([0, 1, 2, 8, 20, 30, 40], "0-2 8 20-40/10"),
    ],
)
def test_runs_of_frames(numbers: object, text: str) -> None:
    assert numbers_to_text(np.array(numbers)) == text


@pytest.mark.parametrize("text", ["0-9", "5-4 1-4", "3 2", "0-99999999999999999"])
def test_other_numbers_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="are not 2 frame numbers in increasing order"):
        text_to_numbers(text, 2)
