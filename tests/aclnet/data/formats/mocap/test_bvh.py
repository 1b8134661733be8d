from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from aclnet.data.formats import read
from aclnet.data.sample import Sample, StoreInfo
from aclnet.skeleton import load_layout

TURNS = "CHANNELS 3 Zrotation Yrotation Xrotation"
BVH = f"""HIERARCHY
ROOT Hips
{{
  OFFSET 7 7 7
  CHANNELS 6 Xposition Yposition Zposition Zrotation Yrotation Xrotation
  JOINT LeftLeg
  {{
    OFFSET 0 -100 0
    {TURNS}
    End Site
    {{
      OFFSET 0 0 20
    }}
  }}
  JOINT RightHand {{ OFFSET 0 90 0 {TURNS} End Site {{ OFFSET 10 0 0 }} }}
}}
MOTION
Frames: 2
Frame Time: 0.0083333
1 2 3 0 0 0 0 0 0 0 0 0
1 2 3 90 0 0 0 0 90 0 0 0
"""


def opened(path: Path, text: str = BVH, **options: object) -> tuple[StoreInfo, Sample]:
    path.write_text(text)
    info, samples = read(path, **options)  # type: ignore[arg-type]
    (sample,) = samples
    return info, sample


def test_joints_follow_from_angles(tmp_path: Path) -> None:
    info, sample = opened(tmp_path / "walk.bvh", length_unit="cm")
    assert (sample.sample, sample.fps, info.unit, info.layout["name"]) == (
        *("walk", 120.0, "metre", "bvh3"),
    )
    assert info.layout["joints"] == ["hips", "left_leg", "right_hand"]
    wanted = [[[1, 2, 3], [1, -98, 3], [1, 92, 3]], [[1, 2, 3], [101, 2, 3], [-89, 2, 3]]]
    np.testing.assert_allclose(sample.frames[:, 0], np.array(wanted) / 100, atol=1e-6)


def test_a_layout_may_name_the_ends(tmp_path: Path) -> None:
    layout = tmp_path / "own.yaml"
    layout.write_text("name: own\njoints: [hips, LeftLeg_end]\ncentre: hips\n"
                      "bones: {LeftLeg_end: hips}\n")  # fmt: skip
    _, sample = opened(tmp_path / "walk.bvh", layout=layout, length_unit="m")
    # The foot turns about the leg's x after both turned about z.
    wanted = [[[1, 2, 3], [1, -98, 23]], [[1, 2, 3], [121, 2, 3]]]
    np.testing.assert_allclose(sample.frames[:, 0], wanted, atol=1e-4)


@pytest.mark.parametrize(("factor", "unit"), [(0.01, "m"), (1, "cm"), (10, "mm"), (0.4, "inch")])
def test_the_unit_is_told_by_the_size_and_said(factor: float, unit: str, tmp_path: Path) -> None:
    text = BVH.replace("-100", str(-100 * factor)).replace(" 90 0 C", f" {90 * factor} 0 C")
    info, sample = opened(tmp_path / "walk.bvh", re.sub("0 0 20|10 0 0", "0 0 0", text))
    assert list(info.notes) == [
        f"lengths are read as {unit} (option length_unit), by the body's size"
    ]
    leg = np.linalg.norm(sample.frames[0, 0, 1] - sample.frames[0, 0, 0])
    assert leg == pytest.approx(1.0, rel=0.02)


def test_z_may_point_up(tmp_path: Path) -> None:
    _, sample = opened(tmp_path / "walk.bvh", length_unit="m", up="z")
    np.testing.assert_allclose(sample.frames[0, 0, 0], [1, 3, -2])


def test_bones_of_cmu_keep_their_lengths(shared: Path) -> None:
    info, samples = read(shared / "data" / "raw_samples" / "bvh")
    (sample,) = samples
    layout = load_layout("cmu31")
    assert info.layout == layout.to_dict()
    assert list(info.notes) == ["lengths are read as cmu (option length_unit), by the body's size"]
    assert (sample.identity, sample.take, sample.fps) == ("131", "1", 120.0)
    child, parent = layout.bone_index.T
    lengths = np.linalg.norm(sample.frames[:, 0, child] - sample.frames[:, 0, parent], axis=-1)
    assert len(lengths) == 994
    assert np.ptp(lengths, axis=0).max() < 1e-5
    root = np.array([5.23, 16.9002, -33.8986]) * 0.0254 / 0.45  # the first line of the file
    np.testing.assert_allclose(sample.frames[0, 0, 0], root, atol=1e-5)


def test_labels_name_people(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("sample,identity,label\nwalk,anna,walking\n")
    _, sample = opened(tmp_path / "walk.bvh", labels=tmp_path / "labels.csv")
    assert (sample.identity, sample.label) == ("anna", "walking")


MANY = "".join(f"JOINT j{i} {{ OFFSET 1 0 0 }}\n" for i in range(400))


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("Frames: 2", "Frames: 3", "expected 3 frames of 12 channels, found 24 numbers"),
        ("1 2 3 90", "1 2 x 90", "line 21 is not of numbers"),
        ("1 2 3 90", "1 2 nan 90", "a channel's value is not a finite number"),
        ("Zrotation Yrotation X", "Zrotation Wrotation X", "the channels of a joint are"),
        ("OFFSET 0 -100 0", "OFFSET 0 - 0", "expected a number, got '-'"),
        ("MOTION", "NOTHING", "expected HIERARCHY, then MOTION"),
        ("}\nMOTION", "MOTION", "the skeleton is cut off"),
        ("ROOT", "JOINT", "expected one ROOT"),
        ("JOINT LeftLeg", MANY + MANY + "JOINT LeftLeg", "more than 500 joints"),
        ("Frame Time: 0.0083333", "Frame Time: 1e-9", "frames per second is not a frame rate"),
    ],
)  # fmt: skip
def test_damaged_files(before: str, after: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=rf"walk.bvh: .*{message}"):
        opened(tmp_path / "walk.bvh", BVH.replace(before, after, 1))


def test_joints_without_numbers_do_not_grow(tmp_path: Path) -> None:
    head = f"HIERARCHY\nROOT r {{ OFFSET 0 0 0 CHANNELS 1 Xposition\n{MANY}}}\nMOTION\n"
    text = f"{head}Frames: 50000\nFrame Time: 1\n" + "0\n" * 50_000
    with pytest.raises(ValueError, match=r"50000 frames of 401 joints have only 50000 numbers"):
        opened(tmp_path / "walk.bvh", text)


def test_options_are_checked(tmp_path: Path) -> None:
    for options, message in (({"length_unit": "foot"}, "length_unit must be one of auto, m"),
                             ({"up": "x"}, "up must be y or z, not 'x'")):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            opened(tmp_path / "walk.bvh", **options)


def test_files_of_two_units_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.bvh").write_text(BVH)
    (tmp_path / "b.bvh").write_text(BVH.replace("-100", "-10000"))
    with pytest.raises(ValueError, match=r"b.bvh: lengths are read as mm .*, but of a.bvh: .* cm"):
        list(read(tmp_path)[1])
