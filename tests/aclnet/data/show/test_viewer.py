"""Recordings for rerun's viewer: with a stub, and read back where rerun-sdk is installed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aclnet.data.sample import StoreInfo
from aclnet.data.show.moving import MovingClip, MovingGroup
from aclnet.data.show.viewer import write_recording
from aclnet.skeleton import load_layout

COCO, NTU = load_layout("coco17"), load_layout("ntu25")
PIXELS = StoreInfo(name="x", layout=COCO.to_dict(), channels=("x", "y"), unit="pixel", fps=25)
METRES = StoreInfo(name="x", layout=NTU.to_dict(), channels=("x", "y", "z"), unit="metre")

STUB = """
import os
from pathlib import Path
from unittest import mock

AT_IMPORT = dict(os.environ)
LOGGED = mock.MagicMock()

def new_entity_path(parts):
    return "/".join(parts)

class RecordingStream:
    def __init__(self, application, **rest):
        self.path = None

    def save(self, path):
        self.path = Path(path)
        self.path.write_text("begun")

    def __getattr__(self, name):
        return getattr(LOGGED, name)

def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return getattr(LOGGED, name)
"""


def groups() -> list[MovingGroup]:
    draw = np.random.default_rng(0).uniform
    flat = draw(50, 150, (6, 2, 17, 2)).astype(np.float32)
    flat[2] = 0  # nobody
    flat[:, 1, 3] = 0  # a joint that was never seen
    solid = draw(-1, 1, (5, 1, 25, 3)).astype(np.float32)
    numbers = np.array([10, 11, 12, 20, 21])
    first = [MovingClip(flat, PIXELS, "a/b\x1b"), MovingClip(solid, METRES, "c", True, (), numbers)]
    return [MovingGroup("worst: <b>", first), MovingGroup("", [MovingClip(flat[:1], PIXELS, "d")])]


@pytest.fixture
def stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    (tmp_path / "stub").mkdir()
    (tmp_path / "stub" / "rerun.py").write_text(STUB)
    monkeypatch.syspath_prepend(tmp_path / "stub")
    monkeypatch.delitem(sys.modules, "rerun", raising=False)
    for name, value in (
        ("TELEMETRY_ENABLED", "true"),
        ("FORCE_RERUN_ANALYTICS", "1"),
        ("RERUN", "off"),
    ):
        monkeypatch.setenv(name, value)
    yield
    sys.modules.pop("rerun", None)


def test_telemetry_is_off_before_the_import(stub: None, tmp_path: Path) -> None:
    write_recording(tmp_path / "x.rrd", "t", groups())
    import rerun

    assert rerun.AT_IMPORT["TELEMETRY_ENABLED"] == "false"
    assert rerun.AT_IMPORT["RERUN"] == "on"
    assert "FORCE_RERUN_ANALYTICS" not in rerun.AT_IMPORT
    used = {
        str(one).split("(")[0].removeprefix("call.").split(".")[0]
        for one in rerun.LOGGED.mock_calls
    }
    assert not used & {"spawn", "connect_grpc", "serve_grpc", "serve_web_viewer", "init"}
    assert rerun.LOGGED.disconnect.called


def test_without_the_extra_one_sentence_and_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "rerun", None)
    with pytest.raises(ValueError, match=r'pip install "aclnet\[viewer\]"'):
        write_recording(tmp_path / "x.rrd", "t", groups())
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_shown_leaves_no_file(stub: None, tmp_path: Path) -> None:
    nobody = MovingGroup("", [MovingClip(np.zeros((3, 1, 17, 2)), PIXELS, "empty one")])
    with pytest.raises(ValueError, match="empty one: there is no joint"):
        write_recording(tmp_path / "x.rrd", "t", [nobody])
    with pytest.raises(ValueError, match="no clip"):
        write_recording(tmp_path / "x.rrd", "t", [])
    with pytest.raises(ValueError, match=r"ends in \.rrd"):
        write_recording(tmp_path / "x.html", "t", groups())
    assert [one.name for one in tmp_path.iterdir()] == ["stub"]


def test_joints_read_back_by_rerun_are_those_of_the_store(tmp_path: Path) -> None:
    pytest.importorskip("rerun", reason="rerun-sdk is not installed: the extra viewer")
    from rerun.chunk import RrdReader

    path = write_recording(tmp_path / "x.rrd", "t", groups())
    reader = RrdReader(path)
    assert [one.application_id for one in reader.recordings()] == ["aclnet"]
    assert len(reader.blueprints()) == 1
    found = {chunk.entity_path: chunk for chunk in reader.stream() if not chunk.is_static}
    names = [[group.heading, clip] for group in groups() for clip in group.clips]
    assert len(found) == 5  # three clips, two of them with two people
    for heading, clip in names:
        for person in range(clip.frames.shape[1]):
            (entity,) = [
                name
                for name in found
                if name.endswith(f"person\\ {person}")
                and f"\\ {clip.caption[0]}" in name
                and (heading[:5] or "/2/") in name
            ]
            table = found[entity].to_record_batch().to_pydict()
            (positions,) = [table[name] for name in table if name.endswith("positions")]
            (joints,) = [table[name] for name in table if name.endswith("keypoint_ids")]
            again = np.zeros_like(clip.frames[:, person])
            for frame, (places, which) in enumerate(zip(positions, joints, strict=True)):
                again[frame, which] = np.array(places, dtype=np.float32).reshape(-1, again.shape[2])
            np.testing.assert_array_equal(again, clip.frames[:, person])
            numbers = np.arange(len(again)) if clip.numbers is None else clip.numbers
            assert table["frame"] == numbers.tolist()
            seconds = [time.total_seconds() for time in table["time"]]
            np.testing.assert_allclose(seconds, numbers / (clip.info.fps or 15), atol=1e-6)
