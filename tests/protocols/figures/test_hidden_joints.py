from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protocols.figures.hidden_joints import draw_hidden_joints

BODY = [[0.0, 2.0], [-1.0, 1.0], [1.0, 1.0], [np.nan, np.nan]]
BONES = [[1, 0], [2, 0], [3, 2]]
FALLS = [[0.1, 0.0, 0.1], [0.2, 0.4, 0.6], [0.3, 0.4, np.nan]]


def drawn(**changes: Any) -> Any:
    names, groups = ["left", "right", "all joints"], [[1], [2, 3]]
    return draw_hidden_joints(BODY, BONES, names, groups, FALLS, **changes)


def test_the_largest_fall_comes_first_and_its_joints_are_darkest() -> None:
    body, bars, times, _ = drawn().axes
    assert [tick.get_text() for tick in bars.get_yticklabels()] == ["right", "left", "all joints"]
    assert [bar.get_width() for bar in bars.patches] == [0.6, 0.1]
    assert [text.get_text() for text in times.texts] == [
        "0.20",
        "0.40",
        "0.10",
        "0.00",
        "0.30",
        "0.40",
    ]
    dots = body.collections[-1].get_facecolors()
    assert len(dots) == 3  # one joint was not seen
    assert dots[2][:3].sum() < dots[1][:3].sum()


def test_intervals_are_lines_of_the_groups() -> None:
    low, high = np.array(FALLS) - 0.1, np.array(FALLS) + 0.1
    (lines,) = drawn(ends=(low, high)).axes[1].collections
    ends = np.array(lines.get_segments())[:, :, 0]
    np.testing.assert_allclose(ends, [[0.5, 0.7], [0.0, 0.2]])


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="groups and all joints"):
        draw_hidden_joints(BODY, BONES, ["a", "b", "all"], [[1]], FALLS)
