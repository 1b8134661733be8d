from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aclnet.data.sample import StoreInfo
from aclnet.data.show.moving import MovingClip, MovingGroup, write_page
from aclnet.skeleton import load_layout

COCO = load_layout("coco17")
PIXELS = StoreInfo(name="x", layout=COCO.to_dict(), channels=("x", "y"), unit="pixel", fps=25)


def written(tmp_path: Path, clip: MovingClip) -> dict[str, Any]:
    text = write_page(tmp_path / "page.html", "t", [MovingGroup("", [clip])]).read_text()
    (found,) = re.findall(r'id="clips">(.*?)</script>', text, re.DOTALL)
    (one,) = json.loads(found)
    return dict(one)


def walk(frames: int) -> np.ndarray:
    clip = np.random.default_rng(0).uniform(50, 150, (1, 1, 17, 2)).repeat(frames, axis=0)
    clip[..., 0] += 40.0 * np.arange(frames)[:, None, None]  # across the picture
    return clip.astype(np.float32)


def test_a_walker_stays_in_the_picture_and_keeps_the_shape(tmp_path: Path) -> None:
    frames = walk(30)
    one = written(tmp_path, MovingClip(frames, PIXELS, "walk"))
    points = np.array(one["points"], dtype=float).reshape(30, 17, 2)
    assert np.abs(points).max() == 1000
    np.testing.assert_allclose(points, points[:1].repeat(30, axis=0), atol=1)
    body = frames[0, 0] - frames[0, 0, 0]
    shown = points[0] - points[0, 0]
    scale = np.linalg.norm(shown) / np.linalg.norm(body)
    np.testing.assert_allclose(shown, scale * body * [1, -1], atol=2)  # a picture's y grows down


def test_unseen_joints_are_none_and_a_frame_of_nobody_is_passed(tmp_path: Path) -> None:
    frames = walk(3)
    frames[1] = 0
    frames[2, 0, 4] = 0
    one = written(tmp_path, MovingClip(frames, PIXELS, "walk"))
    points = np.array(one["points"], dtype=object).reshape(3, 17, 2)
    missing = points == None  # noqa: E711
    assert missing[1].all()
    assert np.flatnonzero(missing[2].all(axis=1)).tolist() == [4]
    assert not missing[0].any()


def test_long_clips_are_thinned_and_keep_their_speed(tmp_path: Path) -> None:
    one = written(tmp_path, MovingClip(walk(1300), PIXELS, "walk", numbers=np.arange(7, 1307)))
    assert one["numbers"][:2] == [7, 10]
    assert len(one["numbers"]) / one["rate"] == pytest.approx(1300 / 25, rel=0.01)


def test_what_cannot_be_shown_leaves_no_page(tmp_path: Path) -> None:
    nobody = MovingGroup("", [MovingClip(np.zeros((3, 1, 17, 2)), PIXELS, "empty one")])
    with pytest.raises(ValueError, match="empty one: there is no joint"):
        write_page(tmp_path / "page.html", "t", [nobody])
    with pytest.raises(ValueError, match="no clip"):
        write_page(tmp_path / "page.html", "t", [])
    with pytest.raises(ValueError, match=r"ends in \.html"):
        write_page(tmp_path / "page.png", "t", [nobody])
    assert not list(tmp_path.iterdir())
