"""Bodies side by side."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from protocols.figures.drawing.skeletons import choose_frames, draw_bodies, project
from protocols.figures.drawing.style import new_axes

BONES = [(0, 1), (1, 2), (1, 3)]


def body(frames: int = 9, channels: int = 3) -> np.ndarray:
    """A body of four joints that walks to the right."""
    pose = np.zeros((frames, 4, channels))
    pose[:, :, :2] = [[0, 2], [0, 1], [-0.3, 0], [0.3, 0]]
    pose[:, :, 0] += np.arange(frames)[:, None]
    return pose


def drawn(joints: object, count: int, bones: object = BONES) -> tuple[Axes, np.ndarray]:
    """Some frames of a sequence, and the ends of the bones drawn, a row a bone."""
    _, plot = new_axes(7, 1.7)
    points = project(joints)
    places = draw_bodies(plot, points[choose_frames(points, count)], bones, aspect=4.8)
    assert (np.diff(places) > 0).all()
    (lines,) = (item for item in plot.collections if isinstance(item, LineCollection))
    return plot, np.array(lines.get_segments())


@pytest.mark.parametrize("channels", [2, 3])
def test_bodies_stand_in_order_upright_and_at_one_scale(channels: int) -> None:
    plot, segments = drawn(body(channels=channels), 3)
    assert segments.shape == (9, 2, 2)
    # The bone from joint 1 (height 1) to joint 0 (height 2) points up, and bodies move right.
    np.testing.assert_allclose(segments[::3, :, 1], [[2, 1]] * 3)
    assert (np.diff(segments[::3, 0, 0]) > 0.6).all()
    scale = np.diff(plot.get_xlim())[0] / np.diff(plot.get_ylim())[0]
    assert scale * plot.get_box_aspect() == pytest.approx(1)


def test_pixels_are_turned() -> None:
    pose = body()
    np.testing.assert_allclose(project(pose * [1, -1, 1], y_down=True), pose[:, :, :2])


def test_unseen_joints_leave_gaps_and_unseen_frames_are_not_chosen() -> None:
    pose = body(5)
    pose[0] = np.nan
    pose[4, 3, 0] = np.nan
    assert choose_frames(project(pose), 2).tolist() == [1, 4]
    plot, segments = drawn(pose, 2)
    assert len(segments) == 5  # of three bones in two frames one has no end
    assert len(plot.lines[0].get_xdata()) == 7


def test_fewer_frames_than_asked_are_all_shown() -> None:
    assert choose_frames(project(body(2)), 8).tolist() == [0, 1]


@pytest.mark.parametrize(
    ("joints", "bones", "count", "words"),
    [
        (np.zeros((0, 4, 2)), BONES, 1, "not empty"),
        (np.zeros((4, 2)), BONES, 1, "3 axes"),
        (np.zeros((4, 2, 1)), BONES, 1, "Two channels"),
        (np.full((3, 4, 2), np.nan), BONES, 1, "No joint was seen"),
        (body(), [(0, 4)], 1, "numbered 0 to 3"),
        (body(), [0, 1], 1, "pairs"),
        (body(), BONES, 0, "At least one frame"),
    ],
)
def test_bad_input_is_refused(joints: object, bones: object, count: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        drawn(joints, count, bones)
