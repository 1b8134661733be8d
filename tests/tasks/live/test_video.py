"""Videos, with a detector of people in place of rtmlib's."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

Call = Callable[..., Any]


@pytest.fixture
def pose_model(tmp_path: Path) -> Callable[..., Path]:
    """Write a graph that takes pictures of a size."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    from onnx import TensorProto, helper

    def write(name: str, *size: int | str) -> Path:
        shape = [1, 3, *size]
        ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n in "xy"]
        graph = helper.make_graph(
            [helper.make_node("Identity", ["x"], ["y"])], "g", *[[e] for e in ends]
        )
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        path = tmp_path / name
        onnx.save(made, path)
        return path

    return write


@pytest.fixture
def stub(gesture: Call, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Modules in place of cv2 and rtmlib: a video of a gesture, and who finds it."""
    joints = gesture("raise", 30, 40)[:, 0] / 5
    made: dict[str, Any] = {}

    class VideoCapture:
        def __init__(self, path: str) -> None:
            self.pictures = iter(range(len(joints)))

        def isOpened(self) -> bool:  # noqa: N802
            return True

        def get(self, what: int) -> float:
            return 25.0

        def read(self) -> tuple[bool, Any]:
            number = next(self.pictures, None)
            return number is not None, number

        def release(self) -> None:
            made["released"] = True

    def tool(name: str, find: Callable[..., Any]) -> Callable[..., Any]:
        def make(path: str, **options: Any) -> Callable[..., Any]:
            print(f"load {path}")
            made[name] = Path(path).name, options
            return find

        return make

    def found(number: int, boxes: Any = None) -> Any:
        made["boxes"] = boxes
        return joints[number][None], np.full((1, 17), 0.9)

    rtmlib = SimpleNamespace(
        RTMO=tool("RTMO", found),
        RTMPose=tool("RTMPose", found),
        YOLOX=tool("YOLOX", lambda number: np.ones((int(number != 3), 4))),
    )
    monkeypatch.setitem(sys.modules, "rtmlib", rtmlib)
    monkeypatch.setitem(
        sys.modules, "cv2", SimpleNamespace(VideoCapture=VideoCapture, CAP_PROP_FPS=5)
    )
    return made


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "walk.mp4"
    path.write_bytes(b"no video, but there")
    return path


def test_a_video_is_answered(
    call: Call, stub: dict[str, Any], pose_model: Call, video: Path, gesture_run: Path
) -> None:
    model = pose_model("rtmo.onnx", 416, 640)
    done = call("live", video, "--run", gesture_run, "--model", model)
    answers = [json.loads(line) for line in done.out.splitlines()]
    assert [(one["track"], one["start"], one["end"]) for one in answers] == [
        ("~1", 0, 32),
        ("~1", 8, 40),
    ]
    assert (answers[0]["start_seconds"], answers[0]["end_seconds"]) == (0.0, 31 / 25)
    assert stub["RTMO"] == ("rtmo.onnx", {"model_input_size": (416, 640)})
    assert stub["released"]
    assert "load " in done.err


def test_people_are_detected_first(
    call: Call, stub: dict[str, Any], pose_model: Call, video: Path, gesture_run: Path
) -> None:
    models = pose_model("pose.onnx", 256, 192), pose_model("people.onnx", "h", "w")
    options = ("--model", models[0], "--detector", models[1])
    done = call("live", video, "--run", gesture_run, *options)
    assert done.err.splitlines()[-1] == "40 frames, 2 answers"
    assert stub["RTMPose"] == ("pose.onnx", {"model_input_size": (192, 256)})
    assert stub["YOLOX"] == ("people.onnx", {})
    assert stub["boxes"].shape == (1, 4)


def test_a_missing_model_is_told_before_anything_is_imported(
    mistake: Call, video: Path, gesture_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Refusal:
        def find_spec(self, name: str, *_: object) -> None:
            assert name.partition(".")[0] not in ("rtmlib", "cv2")

    monkeypatch.setattr(sys, "meta_path", [Refusal(), *sys.meta_path])
    run = ("live", video, "--run", gesture_run)
    mistake(*run, words=["--model", "RTMO"])
    missing = tmp_path / "none.onnx"
    mistake(*run, "--model", missing, words=["there is no model", "nothing is downloaded"])
    mistake(*run, "--model", video, "--detector", missing, words=["there is no model"])
    mistake("live", tmp_path / "none.mp4", "--run", gesture_run, words=["no such file"])


def test_rtmlib_is_an_extra(
    mistake: Call, video: Path, gesture_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "rtmlib", None)
    words = ["a video needs rtmlib", "aclnet[video]"]
    mistake("live", video, "--run", gesture_run, "--model", video, words=words)


def test_what_is_no_model_is_refused(
    mistake: Call, stub: dict[str, Any], video: Path, gesture_run: Path
) -> None:
    pytest.importorskip("onnxruntime")
    words = ["walk.mp4", "onnxruntime cannot open it"]
    mistake("live", video, "--run", gesture_run, "--model", video, words=words)


def test_with_rtmlib_itself(call: Call, gesture: Call, first: Path, tmp_path: Path) -> None:
    """A graph of RTMO's form that finds the same person in every picture."""
    cv2 = pytest.importorskip("cv2", reason="the extra video is not installed")
    pytest.importorskip("rtmlib", reason="the extra video is not installed")
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    points = np.ones((1, 1, 17, 3), np.float32)
    points[0, 0, :, :2] = 100 + 20 * gesture("stand", 30, 1)[0, 0]
    outputs = {"dets": np.array([[[60, 60, 200, 200, 0.9]]], np.float32), "keypoints": points}
    nodes = [
        helper.make_node("Constant", [], [name], value=numpy_helper.from_array(values))
        for name, values in outputs.items()
    ]
    graph = helper.make_graph(
        nodes,
        "rtmo",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 416, 416])],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, v.shape) for n, v in outputs.items()],
    )
    model, video = tmp_path / "rtmo.onnx", tmp_path / "walk.avi"
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), model
    )
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter_fourcc(*"MJPG"), 25, (416, 416))
    for _ in range(12):
        writer.write(np.zeros((416, 416, 3), np.uint8))
    writer.release()
    cut = ("--window", 8, "--stride", 4)
    done = call("live", video, "--run", first, "--model", model, *cut)
    answers = [json.loads(line) for line in done.out.splitlines()]
    assert [(one["track"], one["start"], one["end"]) for one in answers] == [
        ("~1", 0, 8),
        ("~1", 4, 12),
    ]
