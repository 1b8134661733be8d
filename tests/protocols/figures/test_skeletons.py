"""Strips of skeletons."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.collections import LineCollection

from protocols.figures.skeletons import choose_frames, draw_skeleton_strip, project

BONES = [(0, 1), (1, 2), (1, 3)]


def body(frames: int = 9, channels: int = 3) -> np.ndarray:
    """A body of four joints that walks to the right."""
    pose = np.zeros((frames, 4, channels))
    pose[:, :, :2] = [[0, 2], [0, 1], [-0.3, 0], [0.3, 0]]
    pose[:, :, 0] += np.arange(frames)[:, None]
    return pose


@pytest.mark.parametrize("channels", [2, 3])
def test_bodies_stand_in_order_upright_and_at_one_scale(channels: int) -> None:
    figure = draw_skeleton_strip(body(channels=channels), BONES, count=3, caption="walk")
    (plot,) = figure.axes
    assert [text.get_text() for text in plot.texts] == ["0", "4", "8"]
    assert plot.get_title(loc="left") == "walk"
    (lines,) = (item for item in plot.collections if isinstance(item, LineCollection))
    segments = np.array(lines.get_segments())
    assert segments.shape == (9, 2, 2)
    # The bone from joint 1 (height 1) to joint 0 (height 2) points up, and bodies move right.
    np.testing.assert_allclose(segments[::3, :, 1], [[2, 1]] * 3)
    assert (np.diff(segments[::3, 0, 0]) > 0.6).all()
    scale = np.diff(plot.get_xlim())[0] / np.diff(plot.get_ylim())[0]
    assert scale * plot.get_box_aspect() == pytest.approx(1)


def test_pixels_are_turned_and_other_channels_chosen() -> None:
    pose = body()
    turned = project(pose * [1, -1, 1], y_down=True)
    np.testing.assert_allclose(turned, pose[:, :, :2])
    depth = project(pose[:, :, [0, 2, 1]], axes=(0, 2))
    np.testing.assert_allclose(depth, pose[:, :, :2])


def test_unseen_joints_leave_gaps_and_unseen_frames_are_not_chosen() -> None:
    pose = body(5)
    pose[0] = np.nan
    pose[4, 3, 0] = np.nan
    assert choose_frames(project(pose), 2).tolist() == [1, 4]
    plot = draw_skeleton_strip(pose, BONES, count=2, left=[3]).axes[0]
    bones = {len(item.get_segments()) for item in plot.collections}
    # Four bones of the right side in two frames; of the two on the left one has no end.
    assert bones == {4, 1}
    assert len(plot.lines[0].get_xdata()) == 7


def test_fewer_frames_than_asked_are_all_shown() -> None:
    assert [t.get_text() for t in draw_skeleton_strip(body(2), BONES).axes[0].texts] == ["0", "1"]


@pytest.mark.parametrize(
    ("joints", "bones", "more", "words"),
    [
        (np.zeros((0, 4, 2)), BONES, {}, "not empty"),
        (np.zeros((4, 2)), BONES, {}, "3 axes"),
        (np.full((3, 4, 2), np.nan), BONES, {}, "No joint was seen"),
        (body(), [(0, 4)], {}, "numbered 0 to 3"),
        (body(), BONES, {"left": [7]}, "numbered 0 to 3"),
        (body(), [0, 1], {}, "pairs"),
        (body(), BONES, {"axes": (0, 3)}, "Channels"),
        (body(), BONES, {"count": 0}, "At least one frame"),
    ],
)
def test_bad_input_is_refused(joints: object, bones: object, more: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        draw_skeleton_strip(joints, bones, **more)
