from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from aclnet.data.formats import read
from aclnet.data.sample import Sample, StoreInfo
from aclnet.skeleton import load_layout

C3d = Callable[..., Path]
NAMES = ["Hip", "L_Hand", "R_Hand"]
LAYOUT = "name: own\njoints: [hip, l_hand, r_hand]\ncentre: hip\nbones: {l_hand: hip, r_hand: hip}"
PLACES = np.arange(27.0).reshape(3, 3, 3) * 100 + 7


def opened(path: Path, **options: object) -> tuple[StoreInfo, Sample]:
    layout = path.with_name("own.yaml")
    layout.write_text(LAYOUT)
    info, samples = read(path, layout=layout, **options)  # type: ignore[arg-type]
    (sample,) = samples
    return info, sample


def test_markers_come_back_in_metres(c3d: C3d, tmp_path: Path) -> None:
    file = c3d(tmp_path / "walk.c3d", ["R_Hand", "Hip", "L_Hand"], PLACES, Y_SCREEN=["+Y"])
    info, sample = opened(file)
    assert (sample.sample, sample.fps, info.unit, info.notes) == ("walk", 120.0, "metre", {})
    np.testing.assert_allclose(sample.frames[:, 0], PLACES[:, [1, 2, 0]] / 1000, atol=1e-5)


def test_a_joint_without_its_marker_is_missing(c3d: C3d, tmp_path: Path) -> None:
    gone = np.where(np.arange(3)[:, None, None] == 2, np.nan, PLACES)
    file = c3d(tmp_path / "a.c3d", NAMES, gone, missing=[(1, 2)], Y_SCREEN=["+Y"])
    frames = opened(file)[1].frames[:, 0]
    assert frames.any(axis=-1).tolist() == [[True] * 3, [True, True, False], [False] * 3]
    assert np.isfinite(frames).all()


def test_a_trimmed_recording_keeps_its_numbers(c3d: C3d, tmp_path: Path) -> None:
    _, sample = opened(c3d(tmp_path / "a.c3d", NAMES, PLACES, first=300, fps=50.0))
    assert (sample.numbers.tolist(), sample.fps) == ([300, 301, 302], 50.0)


@pytest.mark.parametrize(
    ("unit", "metres"), [("m", 1), ("cm", 0.01), ("mm", 0.001), ("In", 0.0254), ("metres", 1)]
)
def test_units(unit: str, metres: float, c3d: C3d, tmp_path: Path) -> None:
    file = c3d(tmp_path / "a.c3d", NAMES, PLACES, unit=unit, Y_SCREEN=["Y"])
    np.testing.assert_allclose(opened(file)[1].frames[:, 0], PLACES * metres, rtol=1e-6)
    np.testing.assert_allclose(
        opened(file, length_unit="m")[1].frames[:, 0], PLACES, rtol=1e-6
    )  # fmt: skip


def test_which_way_is_up(c3d: C3d, tmp_path: Path) -> None:
    turned = PLACES[..., [0, 2, 1]] * (1, 1, -1) / 1000
    said, sample = opened(c3d(tmp_path / "a.c3d", NAMES, PLACES, Y_SCREEN=["+Z"]))
    np.testing.assert_allclose(sample.frames[:, 0], turned, rtol=1e-6)
    assert said.notes == {}
    plain = c3d(tmp_path / "b.c3d", NAMES, PLACES)
    info, sample = opened(plain)
    np.testing.assert_allclose(sample.frames[:, 0], turned, rtol=1e-6)
    assert info.notes == {"z is taken to point up (option up)": 1}
    np.testing.assert_allclose(opened(plain, up="y")[1].frames[:, 0], PLACES / 1000, rtol=1e-6)


def test_a_table_makes_joints_of_markers(c3d: C3d, tmp_path: Path) -> None:
    labels = ["LASI", "RASI", "LWRA", "RWRA"]
    places = np.arange(24.0).reshape(2, 4, 3) + 1
    table = tmp_path / "markers.yaml"
    table.write_text("hip: [LASI, RASI]\nl_hand: LWRA\nr_hand: [RWRA]\n")
    file = c3d(tmp_path / "a.c3d", labels, places, unit="m", missing=[(1, 0)], Y_SCREEN=["Y"])
    frames = opened(file, markers=table)[1].frames[:, 0]
    hip = places[:, :2].mean(axis=1)
    hip[1] = 0
    np.testing.assert_allclose(frames, np.stack([hip, places[:, 2], places[:, 3]], axis=1))
    table.write_text("hip: [LASI, RASY]\n")
    with pytest.raises(ValueError, match=r"a.c3d: it has no marker 'RASY' of hip \(did you mean"):
        opened(file, markers=table)
    table.write_text("hip: [LASI, 3]\n")
    with pytest.raises(ValueError, match=r"markers.yaml: the markers of 'hip' must be a label"):
        opened(file, markers=table)


def test_subjects_and_what_is_no_marker(c3d: C3d, tmp_path: Path) -> None:
    labels = [f"{who}:{name}" for who in ("Anna", "Ben") for name in NAMES] + ["*1", "Anna:Knee"]
    places = np.arange(48.0).reshape(2, 8, 3) + 1
    file = c3d(tmp_path / "a.c3d", labels, places, unit="m", Y_SCREEN=["Y"], ANGLES=["Anna:Knee"])
    with pytest.raises(ValueError, match="it has the markers of Anna, Ben: name one"):
        opened(file)
    with pytest.raises(ValueError, match=r"no subject 'Bem' \(did you mean Ben\?\); it has Anna"):
        opened(file, subject="Bem")
    np.testing.assert_allclose(opened(file, subject="Ben")[1].frames[:, 0], places[:, 3:6])
    one = c3d(tmp_path / "b.c3d", labels[:3], places[:, :3], unit="m", Y_SCREEN=["Y"])
    np.testing.assert_allclose(opened(one)[1].frames[:, 0], places[:, :3])


def test_more_than_255_markers(c3d: C3d, tmp_path: Path) -> None:
    labels = [*(f"m{i}" for i in range(260)), *NAMES]
    places = np.arange(2 * 263 * 3.0).reshape(2, 263, 3) + 1
    file = c3d(tmp_path / "a.c3d", labels, places, unit="m", Y_SCREEN=["Y"])
    np.testing.assert_allclose(opened(file)[1].frames[:, 0], places[:, 260:])


def test_joints_of_a_shipped_layout_need_no_name(c3d: C3d, tmp_path: Path) -> None:
    joints = list(load_layout("h36m17").joints)
    c3d(tmp_path / "01_02.c3d", joints, np.ones((1, 17, 3)))
    info, samples = read(tmp_path)
    assert (info.layout["name"], [one.identity for one in samples]) == ("h36m17", ["1"])
    c3d(tmp_path / "01_02.c3d", joints[1:], np.ones((1, 16, 3)))
    with pytest.raises(ValueError, match=r"has its 16 points .*option markers=TABLE.yaml"):
        read(tmp_path)


def test_damaged_files(c3d: C3d, tmp_path: Path) -> None:
    file = c3d(tmp_path / "a.c3d", NAMES, np.ones((500, 3, 3)))
    whole = file.read_bytes()
    for content, message in (
        (whole[: len(whole) // 2], "500 frames of 3 points need .* bytes, it has .*fetch it again"),
        (b"", "not a C3D"),
        (b"\x02P" + bytes(510), "not a C3D"),
        (whole.replace(b"DATA_START", b"DATA_STORT"), "not a readable C3D: "),
    ):
        file.write_bytes(content)
        with pytest.raises(ValueError, match=f"a.c3d: {message}"):
            read(file, "c3d")
    for options, message in (({"up": "x"}, "up must be auto, y"), ({"unit": "x"}, "unit 'x'"),
                             ({"length_unit": "foot"}, "length_unit must be one")):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            opened(c3d(tmp_path / "b.c3d", NAMES, PLACES), **options)
    with pytest.raises(ValueError, match="its unit of length is 'foot'; set the option length_u"):
        opened(c3d(tmp_path / "b.c3d", NAMES, PLACES, unit="foot"))


def test_a_missing_library_is_named(
    c3d: C3d, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = c3d(tmp_path / "a.c3d", NAMES, PLACES)
    (tmp_path / "ezc3d.py").write_text("raise ImportError")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match=r"a.c3d: is read by ezc3d: install aclnet\[mocap\]"):
        read(file)
