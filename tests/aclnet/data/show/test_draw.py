from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from aclnet.data.formats import read
from aclnet.data.sample import StoreInfo
from aclnet.data.show.draw import LEFT, MIDDLE, RIGHT, draw_clip, draw_strip
from aclnet.skeleton import load_layout

to_hex = pytest.importorskip("matplotlib.colors", reason="needs the report extra").to_hex
COCO = load_layout("coco17")
PIXELS = StoreInfo(
    name="x", layout=COCO.to_dict(), channels=("x", "y", "confidence"), unit="pixel", fps=25
)


def walk(frames: int = 12) -> npt.NDArray[np.float32]:
    clip = np.random.default_rng(0).uniform(1, 200, (frames, 1, 17, 3)).astype(np.float32)
    clip[..., 2] = 1
    return clip


@pytest.mark.parametrize(
    ("ending", "start"),
    [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF"), ("gif", b"GIF8")],
)
def test_kinds_of_pictures(ending: str, start: bytes, tmp_path: Path) -> None:
    out = draw_clip(walk(), PIXELS, tmp_path / "new" / f"clip.{ending}", title="a walk")
    assert out.read_bytes().startswith(start)


def test_an_animation_has_the_clips_frames_and_speed(tmp_path: Path) -> None:
    from PIL import Image

    with Image.open(draw_clip(walk(), PIXELS, tmp_path / "clip.gif")) as picture:
        assert getattr(picture, "n_frames") == 12  # noqa: B009 - only animated formats have it
        assert picture.info["duration"] == 40


def test_real_people_stand_upright(shared: Path) -> None:
    info, samples = read(shared / "data" / "ucalgary_gait.npz")
    layout = load_layout("ucalgary18")
    frames = next(samples).frames
    figure = draw_strip(frames[..., :2], layout, y_up=info.unit == "metre", count=5)
    assert [ax.get_title() for ax in figure.axes] == ["0", "30", "60", "89", "119"]
    for ax, frame in zip(figure.axes, (0, 30, 60, 89, 119), strict=True):
        bottom, top = ax.get_ylim()
        assert bottom < top
        (bones, joints) = ax.collections
        assert len(bones.get_paths()) == len(layout.bones)
        np.testing.assert_allclose(np.asarray(joints.get_offsets(), float), frames[frame, 0, :, :2])
        head, foot = (frames[frame, 0, layout.index(name), 1] for name in ("head", "left_foot"))
        assert bottom < foot < head < top


def test_an_images_y_grows_downwards() -> None:
    figure = draw_strip(walk()[..., :2], COCO, y_up=False, count=1)
    bottom, top = figure.axes[0].get_ylim()
    assert bottom > top


def test_frames_go_by_their_numbers_in_the_recording() -> None:
    numbers = np.arange(300, 360, 5)
    figure = draw_strip(walk()[..., :2], COCO, y_up=False, count=3, numbers=numbers)
    assert [ax.get_title() for ax in figure.axes] == ["300", "330", "355"]


def test_every_fifth_frame_moves_at_its_speed(tmp_path: Path) -> None:
    from PIL import Image

    numbers = np.arange(0, 60, 5)
    with Image.open(draw_clip(walk(), PIXELS, tmp_path / "a.gif", numbers=numbers)) as picture:
        assert picture.info["duration"] == 200


def test_sides_are_coloured() -> None:
    (ax,) = draw_strip(walk()[..., :2], COCO, y_up=False, count=1).axes
    colours = np.asarray(ax.collections[0].get_edgecolor())
    for (child, _), colour in zip(COCO.bones, colours, strict=True):
        side = LEFT if child.startswith("left") else RIGHT if child.startswith("right") else MIDDLE
        assert to_hex(colour) == side.lower()
    assert len({LEFT, RIGHT, MIDDLE}) == 3


def test_unseen_joints_are_left_out(tmp_path: Path) -> None:
    clip = walk(4)
    clip[0] = 0  # nobody
    clip[1, 0, 3] = 0  # a joint at zero
    clip[2, 0, 5, 2] = 0  # a joint without confidence
    clip[3, 0, 7, 0] = np.nan
    draw_clip(clip, PIXELS, tmp_path / "a.png")
    draw_clip(clip, PIXELS, tmp_path / "a.gif")
    from aclnet.data.show.draw import visible_points

    unseen = np.asarray(np.isnan(visible_points(clip, PIXELS)).all(axis=(1, 3)))
    assert unseen[0].all()
    assert np.argwhere(unseen[1:]).tolist() == [[0, 3], [1, 5], [2, 7]]


def test_what_cannot_be_drawn_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"ends in .png, .svg, .pdf or .gif, not '.jpeg'"):
        draw_clip(walk(), PIXELS, tmp_path / "a.jpeg")
    with pytest.raises(ValueError, match="a walk: there is no joint to draw"):
        draw_clip(walk() * 0, PIXELS, tmp_path / "a.png", title="a walk")
    with pytest.raises(ValueError, match="no joint to draw"):
        draw_clip(walk(0), PIXELS, tmp_path / "a.png")


def test_a_missing_extra_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ValueError, match=r'pip install "aclnet\[report\]"'):
        draw_clip(walk(), PIXELS, tmp_path / "a.png")
