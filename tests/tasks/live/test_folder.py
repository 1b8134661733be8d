"""A folder that grows while it is looked at."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks.live.events import Event, Frame, Silence, Wrong
from tasks.live.folder import FolderSource

Call = Callable[..., Any]


def openpose(points: np.ndarray, track: int = -1) -> str:
    person = {"person_id": [track], "pose_keypoints_2d": points.ravel().tolist()}
    return json.dumps({"version": 1.3, "people": [person]})


@pytest.fixture
def body() -> np.ndarray:
    """(25, 3) of a person."""
    points = np.random.default_rng(0).random((25, 3)) * 100 + 50
    points[:, 2] = 0.9
    return points


def told(source: FolderSource, count: int, patience: float = 20.0) -> list[Event]:
    """The next events but silence."""
    found: list[Event] = []
    events: Iterator[Event] = source.events()
    end = time.monotonic() + patience
    while len(found) < count and time.monotonic() < end:
        event = next(events)
        if not isinstance(event, Silence):
            found.append(event)
    return found


def test_files_are_taken_in_the_order_of_their_numbers(tmp_path: Path, body: np.ndarray) -> None:
    for number in (12, 9, 100):
        (tmp_path / f"clip_{number}_keypoints.json").write_text(openpose(body, track=number))
    (tmp_path / ".hidden.json").write_text("{")
    found = told(FolderSource(tmp_path, None, {}), 3)
    assert [one[:3] for one in found] == [
        (9, None, ("9",)),
        (12, None, ("12",)),
        (100, None, ("100",)),
    ]
    assert isinstance(found[0], Frame)
    assert found[0].points[0] == pytest.approx(body, abs=1e-4)
    assert found[0].layout is not None
    assert found[0].layout.name == "body25"


def test_a_file_is_taken_when_it_is_whole(tmp_path: Path, body: np.ndarray) -> None:
    text, place = openpose(body), tmp_path / "a_1_keypoints.json"
    place.write_text(text[:-20])
    (tmp_path / "a_2_keypoints.json").write_text(openpose(body))

    def finish() -> None:
        time.sleep(0.5)
        place.write_text(text)

    thread = threading.Thread(target=finish)
    thread.start()
    found = told(FolderSource(tmp_path, None, {}), 2)
    thread.join()
    assert [one[0] for one in found] == [1, 2]


@pytest.mark.parametrize("age", [60, -86_400])  # of yesterday's clock, too
def test_a_file_that_stays_broken_is_wrong(tmp_path: Path, body: np.ndarray, age: int) -> None:
    (tmp_path / "a_1_keypoints.json").write_text(openpose(body))
    broken = tmp_path / "a_2_keypoints.json"
    broken.write_text("{")
    written = time.time() - age
    os.utime(broken, (written, written))
    (tmp_path / "a_3_keypoints.json").write_text(openpose(body))
    first, second, third = told(FolderSource(tmp_path, None, {}), 3)
    assert isinstance(second, Wrong)
    assert "a_2_keypoints.json" in second.sentence
    assert (first[0], third[0]) == (1, 3)


def test_chunks_of_a_video_are_one_stream(tmp_path: Path, body: np.ndarray) -> None:
    person = {"keypoints": body[:17, :2].tolist(), "keypoint_scores": [0.9] * 17}
    chunk = [{"frame_id": n, "instances": [person] * (n != 1)} for n in range(3)]
    for name in "ab":
        (tmp_path / f"{name}.json").write_text(json.dumps({"instance_info": chunk}))
    found = told(FolderSource(tmp_path, "mmpose_json", {}), 6)
    assert [one[0] for one in found] == [0, 1, 2, 3, 4, 5]
    assert [len(one[2]) for one in found] == [1, 0, 1, 1, 0, 1]


def test_an_id_of_several_people_is_none(tmp_path: Path, body: np.ndarray) -> None:
    people = json.loads(openpose(body, track=0))
    people["people"] *= 2
    (tmp_path / "a_1_keypoints.json").write_text(json.dumps(people))
    assert told(FolderSource(tmp_path, None, {}), 1)[0][2] == ("", "")


def test_a_table_is_taken_when_it_no_longer_changes(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("frame,nose_x,nose_y\n4,10,20\n")
    begin = time.monotonic()
    (wrong,) = told(FolderSource(tmp_path, "keypoint_csv", {}), 1)
    assert time.monotonic() - begin > 0.05
    assert isinstance(wrong, Wrong)  # one joint is not a layout


def test_a_folder_is_answered(call: Call, gesture: Call, gesture_run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "poses"
    folder.mkdir()
    for number, points in enumerate(gesture("raise", 30, 40)[:, 0] / 5):
        person = {"keypoints": points.tolist(), "keypoint_scores": [1.0] * 17}
        (folder / f"{number:04d}.json").write_text(json.dumps([person]))
    done = call("live", folder, "--run", gesture_run, "--idle", 1)
    answers = [json.loads(line) for line in done.out.splitlines()]
    assert [(one["track"], one["start"], one["end"]) for one in answers] == [
        ("~1", 0, 32),
        ("~1", 8, 40),
    ]
    assert done.err.splitlines()[-1] == "40 frames, 2 answers"


def test_mistakes(mistake: Call, gesture_run: Path, tmp_path: Path) -> None:
    run = ("live", tmp_path, "--run", gesture_run)
    mistake(*run, "--format", "npz", words=["npz are whole recordings"])
    mistake(*run, "--format", "poses", words=["no format 'poses'"])
    mistake(*run, "--format", "openpose_json", "-o", "min_frame=3", words=["no option 'min_frame'"])
