"""A video, whose people are found by rtmlib with pose models that the user has.

rtmlib downloads a model that is not there, so whether it is is asked first, here.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np

from aclnet.data.formats.keypoints.frames import KeypointFrames, Points
from aclnet.data.formats.keypoints.joints import choose_joints
from aclnet.runs.exported import onnx_session, silence_onnxruntime
from aclnet.skeleton import Layout, load_layout
from tasks.live.events import MOST_PEOPLE, Ended, Event, Frame

SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v")
_LAYOUTS = {(17, 2): ("coco17",), (26, 2): ("halpe26",)}
_AXES = 4
Find = Callable[[Any], tuple[Points, Points]]


class VideoSource:
    """The people of a video's pictures.

    Args:
        video: its file.
        model: the ONNX file of an RTMO, which finds people and their joints; or of an RTMPose,
            which finds the joints of the people that the detector found.
        detector: the ONNX file of a YOLOX, or None.
        layout: the model's joints, where their number does not say it.

    Attributes:
        name: for messages.

    Raises:
        ValueError: a file is missing or damaged, or rtmlib is not installed.
    """

    def __init__(
        self, video: Path, model: Path | None, detector: Path | None, layout: str | None
    ) -> None:
        self.name = str(video)
        self._layout: Layout | None = None if layout is None else load_layout(layout)
        if not video.is_file():
            raise ValueError(f"{video}: no such file")
        if model is None:
            raise ValueError(
                f"{video} is a video: give a pose model that you have with --model (RTMO, or "
                "RTMPose with --detector, in ONNX), or a stream of key points"
            )
        for file in filter(None, (model, detector)):
            if not file.is_file():
                raise ValueError(f"there is no model {file}, and nothing is downloaded here")
        silence_onnxruntime()
        try:
            import cv2
            import rtmlib
        except ImportError:
            raise ValueError("a video needs rtmlib: install aclnet[video]") from None
        with redirect_stdout(sys.stderr):  # it prints what it loads
            self._find = _finder(rtmlib, model, detector)
        self._video = cv2.VideoCapture(str(video.resolve()))
        if not self._video.isOpened():
            raise ValueError(f"{video}: OpenCV cannot open it as a video")
        rate = float(self._video.get(cv2.CAP_PROP_FPS))
        self._fps = rate if 0 < rate < 1e6 else None

    def close(self) -> None:
        """Close the video."""
        self._video.release()

    def events(self) -> Iterator[Event]:
        """The frames, as fast as they are computed; then it ends."""
        number = 0
        while True:
            there, picture = self._video.read()
            if not there:
                break
            arrived = time.monotonic()
            places, scores = self._find(picture)
            points = self._points(places[:MOST_PEOPLE], scores[:MOST_PEOPLE])
            layout, columns = self._joints(points) if len(points) else (None, [])
            seconds = None if self._fps is None else number / self._fps
            names = ("",) * len(points)
            yield Frame(number, seconds, names, points[:, columns], arrived, layout)
            number += 1
        yield Ended()

    def _points(self, places: Points, scores: Points) -> Points:
        joined = np.concatenate([places, scores[..., None]], axis=-1, dtype=np.float32)
        return np.nan_to_num(joined, posinf=0.0, neginf=0.0)

    def _joints(self, points: Points) -> tuple[Layout, Any]:
        row = np.zeros(len(points), np.int64)
        found = KeypointFrames(row, ("",) * len(points), points, np.zeros(1, np.int64))
        return choose_joints(found, _LAYOUTS, self._layout, Path(self.name))


def _finder(rtmlib: Any, model: Path, detector: Path | None) -> Find:
    """From a picture to (P, V, 2) pixels and (P, V) scores."""
    if detector is None:
        whole: Find = rtmlib.RTMO(str(model.resolve()), **_size(model))
        return whole
    # Its size is width and height, that of the others height and width.
    pose = rtmlib.RTMPose(str(model.resolve()), **_size(model, turned=True))
    detect = rtmlib.YOLOX(str(detector.resolve()), **_size(detector))

    def find(picture: Any) -> tuple[Points, Points]:
        boxes = detect(picture)
        if not len(boxes):  # it would take the whole picture for a person
            return np.zeros((0, 17, 2), np.float32), np.zeros((0, 17), np.float32)
        places, scores = pose(picture, boxes[:MOST_PEOPLE])
        return places, scores

    return find


def _size(model: Path, turned: bool = False) -> dict[str, tuple[int, int]]:
    """The size of a graph's pictures, as rtmlib takes it; nothing where the graph takes any."""
    shape = onnx_session(model.read_bytes(), model).get_inputs()[0].shape
    if len(shape) != _AXES:
        raise ValueError(f"{model} is not a pose model: it does not take pictures")
    height, width = shape[-2:]
    if not (isinstance(height, int) and isinstance(width, int)):
        return {}
    return {"model_input_size": (width, height) if turned else (height, width)}
