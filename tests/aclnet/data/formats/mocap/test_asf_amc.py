from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from aclnet.data.formats import read
from aclnet.data.sample import Sample
from aclnet.skeleton import load_layout, map_joints

ASF = """:units
  length 0.45
  angle deg
:root
  order TX TY TZ RX RY RZ
  axis XYZ
  position 0 0 0
  orientation 0 0 0
:bonedata
  begin
    name lowerback
    direction 0 1 0
    length 10
    axis 0 0 90 XYZ
    dof rx
  end
  begin
    name head
    direction 1 0 0
    length 20
    axis 0 0 0 XYZ
  end
:hierarchy
  begin
    root lowerback
    lowerback head
  end
"""
AMC = ":DEGREES\n1\nroot 1 2 3 0 0 0\nlowerback 90\n2\nroot 1 2 3 0 0 90\nlowerback 0\n"


def opened(folder: Path, asf: str = ASF, amc: str = AMC, **options: object) -> Sample:
    (folder / "01.asf").write_text(asf)
    (folder / "01_02.amc").write_text(amc)
    (sample,) = read(folder / "01_02.amc", **options)[1]  # type: ignore[arg-type]
    return sample


def test_bones_turn_about_their_own_axes(tmp_path: Path) -> None:
    sample = opened(tmp_path, length_unit="m")
    assert (sample.identity, sample.take, sample.fps) == ("1", "2", 120.0)
    # The bone's x axis points along y: it turns in the plane of x and z.
    wanted = [[[1, 2, 3], [1, 12, 3], [1, 12, -17]], [[1, 2, 3], [-9, 2, 3], [-9, 22, 3]]]
    np.testing.assert_allclose(sample.frames[:, 0], wanted, atol=1e-5)
    inches = opened(tmp_path)
    np.testing.assert_allclose(inches.frames * 0.45 / 0.0254, sample.frames, rtol=1e-5)


def test_joints_of_hdm05_are_the_given_ones(shared: Path) -> None:
    folder = shared / "data" / "raw_samples" / "hdm05_asf_amc"
    info, samples = read(folder)
    (sample,) = samples
    layout = load_layout("hdm31")
    assert info.layout == layout.to_dict()
    fields = (sample.identity, sample.label, sample.take, sample.fps)
    assert fields == ("bd", "sneak2StepsLStart", "1", 120.0)
    (given,) = folder.glob("*.npz")
    with np.load(given) as file:
        names = file["joint_names"].tolist()
        np.testing.assert_allclose(sample.frames, file["joints"], atol=1e-5)
        bones = {tuple(bone) for bone in file["bones"].tolist()}
    assert [layout.index(name) for name in names] == list(range(31))
    assert {(parent, child) for child, parent in layout.bone_index.tolist()} == bones


def test_radians(tmp_path: Path) -> None:
    turned = AMC.replace(":DEGREES", ":RADIANS").replace("90", f"{np.pi / 2:.9f}")
    np.testing.assert_allclose(
        opened(tmp_path, amc=turned).frames, opened(tmp_path).frames, atol=1e-6
    )


def test_hdm31_becomes_ntu25() -> None:
    columns = map_joints(load_layout("hdm31"), load_layout("ntu25")).columns
    assert len(columns) == 25


def test_which_skeleton(tmp_path: Path) -> None:
    opened(tmp_path)
    shutil.move(tmp_path / "01.asf", tmp_path / "bd.asf")
    assert len(list(read(tmp_path)[1])) == 1  # the only one
    (tmp_path / "mm.asf").write_text(ASF)
    with pytest.raises(
        ValueError, match=r"01_02.amc: there are several .asf files next to it, and none"
    ):
        read(tmp_path)
    assert len(list(read(tmp_path, skeleton=str(tmp_path / "mm.asf"))[1])) == 1
    below = tmp_path / "takes"
    below.mkdir()
    (tmp_path / "mm.asf").rename(tmp_path / "01.asf")
    shutil.move(tmp_path / "01_02.amc", below)
    assert len(list(read(below)[1])) == 1  # in the folder above
    for file in tmp_path.glob("*.asf"):
        file.unlink()
    with pytest.raises(ValueError, match=r"01_02.amc: there is no .asf file next to it; name"):
        read(below)


@pytest.mark.parametrize(
    ("asf", "amc", "message"),
    [
        (ASF, AMC + "3\nroot 1 2 3 0 0 0\n", r"frame 3 lacks bones .*\(lowerback\)"),
        (ASF, AMC.replace("lowerback 0", "lowerbck 0"), "line 7: 'lowerbck' is not a bone"),
        (ASF, AMC.replace("lowerback 0", "lowerback 0 1"), "line 7: expected 1 numbers, got 2"),
        (ASF, AMC.replace("lowerback 0", "lowerback inf"), "line 7: expected a number, got 'inf'"),
        (ASF.replace("lowerback head", "lowerback lowerback"), AMC, "not a bone, or appears twice"),
        (ASF.replace("    lowerback head\n", ""), AMC, "'head' is not in the hierarchy"),
        (ASF.replace("dof rx", "dof l"), AMC, "lowerback moves by l; known are rx, ry, rz"),
        (ASF.replace("0 0 90 XYZ", "0 0 90"), AMC, "a line is cut off"),
        (ASF.replace("0.45", "0"), AMC, "the unit of length is 0"),
        (ASF.replace("0.45", "1").replace("10", "0").replace("20", "0"), AMC, "length_unit"),
    ],
)
def test_damaged_files(asf: str, amc: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=rf"01(_02)?\.(asf|amc): .*{message}"):
        opened(tmp_path, asf, amc)
