"""Which joints of which frames are marked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protocols.figures.actionlets import draw_actionlets

JOINTS = np.zeros((1, 20, 3, 2))
JOINTS[0, :, :, 1] = [0, 1, 2]
BONES = [[0, 1], [1, 2]]


def test_joints_of_the_actionlet_are_marked_in_its_frames() -> None:
    mask = np.zeros((1, 4, 3))
    mask[0, 2, 2] = 0.9  # frames 10 to 14
    mask[0, 2, 1] = 0.4
    _, plot = draw_actionlets(JOINTS, mask, BONES, ["wave\na"]).axes
    *_, marks = plot.lines
    # Frames 0, 2, 4, 6, 8, 11, 13, 15, 17 and 19 are shown.
    assert marks.get_ydata().tolist() == [2, 2]
    step = np.diff(plot.get_xlim())[0] / 10
    np.testing.assert_allclose(marks.get_xdata() / step, [5, 6], atol=0.01)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"mask": np.zeros((1, 4, 2))}, "do not fit"),
        ({"mask": np.full((1, 4, 3), 2.0)}, "rates from 0 to 1"),
        ({"titles": []}, "Titles must be 1 names"),
        ({"joints": JOINTS * np.nan}, "No joint was seen"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, Any], sentence: str) -> None:
    given: dict[str, Any] = {"joints": JOINTS, "mask": np.zeros((1, 4, 3)), "bones": BONES}
    with pytest.raises(ValueError, match=sentence):
        draw_actionlets(**{**given, "titles": ["wave"], **changes})
