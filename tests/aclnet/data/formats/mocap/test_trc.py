from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from aclnet.data.formats import read
from aclnet.data.sample import Sample, StoreInfo

TRC = """PathFileType\t4\t(X/Y/Z)\twalk.trc
DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate
120\t120\t3\t2\tmm\t120
Frame#\tTime\tHip\t\t\tR_Hand\t\t
\t\tX1\tY1\tZ1\tX2\tY2\tZ2

1\t0.0\t1\t2\t3\t4\t5\t6
2\t0.00833\t7\t8\t9\t\t\t
5\t0.0333\t1e3\t-2\t3\t4\t5\tNaN
"""
LAYOUT = "name: own\njoints: [r_hand, hip]\ncentre: hip\nbones: {r_hand: hip}\n"


def opened(path: Path, text: str = TRC, **options: object) -> tuple[StoreInfo, Sample]:
    path.write_text(text)
    layout = path.with_name("own.yaml")
    layout.write_text(LAYOUT)
    info, (sample,) = read(path, layout=layout, **options)  # type: ignore[arg-type]
    return info, sample


def test_markers_in_metres(tmp_path: Path) -> None:
    info, sample = opened(tmp_path / "walk.trc")
    assert (info.unit, info.notes, sample.fps) == ("metre", {}, 120)
    assert sample.numbers.tolist() == [0, 1, 4]
    wanted = [[[4, 5, 6], [1, 2, 3]], [[0, 0, 0], [7, 8, 9]], [[0, 0, 0], [1000, -2, 3]]]
    np.testing.assert_allclose(sample.frames[:, 0], np.array(wanted) / 1000, atol=1e-9)
    turned = opened(tmp_path / "walk.trc", up="z", length_unit="m")[1].frames
    np.testing.assert_allclose(turned[0, 0], [[4, 6, -5], [1, 3, -2]])


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("PathFileType", "Path", "expected PathFileType"),
        ("7\t8\t9", "7\tx\t9", "line 8 is not of numbers"),
        ("\n2\t", "\n0\t", "the frame numbers do not increase"),
        ("\n2\t", "\n1.5\t", "a number of a frame is not a whole number"),
        ("4\t5\t6\n", "4\t5\t6\t7\n", "line 7 has 9 cells, its head 8"),
        ("Hip", "Hop", "has no joint hip"),
        ("Hip\t\t\tR_Hand", "", "it has 0 markers"),
        ("mm", "ell", "its unit of length is 'ell'; set the option length_unit"),
        ("120\t120", "1e9\t120", "frames per second is not a frame rate"),
    ],
)
def test_damaged_files(before: str, after: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=rf"walk.trc: .*{message}"):
        list(read_all(tmp_path / "walk.trc", TRC.replace(before, after, 1)))


def read_all(path: Path, text: str) -> list[Sample]:
    path.write_text(text)
    path.with_name("own.yaml").write_text(LAYOUT)
    return list(read(path, "trc", layout=path.with_name("own.yaml"))[1])
