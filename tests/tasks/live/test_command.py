"""`aclnet-task live` with trained runs: answers are those of the same frames in a file."""

from __future__ import annotations

import json
import platform
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import aclnet
from tasks import Gallery
from tasks.gallery.current import CurrentGallery
from tasks.live.answers import Answers

OFFLINE = Path(__file__).parents[1] / "offline_commands.py"
Call = Callable[..., Any]


def write_mmpose(path: Path, joints: np.ndarray) -> Path:
    """One person's (T, 17, 3) as MMPose writes it."""
    frames = [
        {
            "frame_id": n,
            "instances": [
                {"keypoints": rows[:, :2].tolist(), "keypoint_scores": rows[:, 2].tolist()}
            ],
        }
        for n, rows in enumerate(joints)
    ]
    path.write_text(json.dumps({"instance_info": frames}))
    return path


def test_a_window_is_identified_as_its_frames_in_a_file(
    call: Call, live: Call, lines_of: Call, walk: Call, first: Path, gallery: Path, tmp_path: Path
) -> None:
    people = {"1": (0, walk("001", "nm-02-090")), "9": (7, walk("003"))}
    stream = lines_of([(name, *one) for name, one in people.items()])
    options = ("--run", first, "--gallery", gallery, "--window", 24, "--fps", 30, "--together")
    told = live(stream, *options)
    found = [(one["track"], one["start"], one["end"]) for one in told.answers]
    assert set(found) == {
        ("1", 0, 24), ("1", 4, 28), ("1", 8, 32), ("1", 12, 36), ("1", 16, 40),
        ("9", 7, 31), ("9", 11, 35), ("9", 15, 39), ("9", 19, 43), ("9", 23, 47),
    }  # fmt: skip
    assert "reading standard input: an answer for each 24 frames of a person, every 4" in told.err
    assert told.err.splitlines()[-1] == "47 frames, 10 answers"
    out = tmp_path / "out.json"
    for one in told.answers:
        begin, joints = people[one["track"]]
        part = joints[one["start"] - begin : one["end"] - begin]
        file = write_mmpose(tmp_path / "part.json", part)
        call("gallery", "identify", gallery, file, "-o", "people=apart", "--json", out)
        (same,) = json.loads(out.read_text())["answers"]
        assert (one["person"], one["threshold"]) == (same["person"], same["threshold"])
        assert [name for name, _ in one["candidates"]] == [name for name, _ in same["candidates"]]
        for name in ("score", "margin"):
            assert one[name] == pytest.approx(same[name], abs=1e-6)
        assert (one["start_seconds"], one["end_seconds"]) == (one["start"] / 30, one["end"] / 30)
        assert 0 < one["latency_ms"] < 60_000


@pytest.fixture
def gestures(gesture: Call) -> tuple[np.ndarray, np.ndarray]:
    """(T, 17, 2) of who raises the arms and who stands, within a picture."""
    one, other = (gesture(kind, 30, 70)[:, 0] / 5 for kind in ("raise", "stand"))
    return one, other


def test_actions_are_predicted_as_in_a_file(
    call: Call, live: Call, lines_of: Call, gestures: Any, clips_file: Call, gesture_run: Path,
    tmp_path: Path,
) -> None:  # fmt: skip
    lines = lines_of([(n, 0, one) for n, one in enumerate(gestures)])
    told = live(lines, "--run", gesture_run, "--together")
    file, out = clips_file("both.npz", np.stack(gestures, axis=1)), tmp_path / "out.json"
    call("action", "predict", file, "--run", gesture_run, "--persons", "apart", "--json", out)
    expected = json.loads(out.read_text())
    assert len(told.answers) == len(expected) == 8
    own = {(one["track"], one["start"]): one for one in told.answers}
    for same in expected:
        one = own[str(same["person"]), same["start"]]
        for name in ("end", "classes", "unknown", "start_seconds", "end_seconds"):
            assert one[name] == same[name]
        assert one["probabilities"] == pytest.approx(same["probabilities"], abs=1e-6)


def test_without_a_gallery_people_of_the_training_are_named(
    live: Call, lines_of: Call, walk: Call, first: Path
) -> None:
    told = live(lines_of([(None, 0, walk("001"))]), "--run", first, "--window", 40, "--top", 2)
    (one,) = told.answers
    assert (one["track"], len(one["classes"]), one["unknown"]) == ("~1", 2, None)


def test_what_is_wrong_is_said_and_counted(
    live: Call, lines_of: Call, gestures: Any, gesture_run: Path
) -> None:
    good = lines_of([("7", 0, gestures[0])])
    bad = ["{", *['{"people": 3}'] * 30, good[3], lines_of([("7", 0, 500 * gestures[0])])[0]]
    told = live([*good[:9], *bad, "", *good[9:]], "--run", gesture_run)
    assert len(told.answers) == 4
    said = told.err.splitlines()
    assert said[1].startswith("wrong: line 10: no JSON")
    assert said[11] == "what is wrong from now on is only counted"
    assert said[12:] == ["70 frames, 4 answers; 33 wrong inputs"]


def test_a_stream_of_which_nothing_can_be_used_is_refused(
    live: Call, lines_of: Call, gestures: Any, gesture_run: Path
) -> None:
    for lines, words in (
        (["GET / HTTP/1.1"], "no JSON"),
        (lines_of([("7", 0, gestures[0][:, :9])]), "9 joints of 2 numbers, expected are 17"),
        (lines_of([("7", 0, 500 * gestures[0])]), "coordinates are pixel"),
    ):
        told = live(lines, "--run", gesture_run, code=2)
        assert told.answers == []
        assert "error: standard input: nothing could be used" in told.err
        assert words in told.err


def test_hostile_names_command_no_terminal(
    live: Call, lines_of: Call, gestures: Any, gesture_run: Path
) -> None:
    told = live(lines_of([("\x1b[2J\u202e", 0, gestures[0])]), "--run", gesture_run)
    assert told.answers[0]["track"] == "\x1b[2J\u202e"  # as JSON escapes it
    told = live([*lines_of([("7", 0, gestures[0])]), "\x1b[2J"], "--run", gesture_run)
    assert "\x1b" not in told.err


def test_mistakes(
    mistake: Call, call: Call, first: Path, gesture_run: Path, gallery: Path, tmp_path: Path
) -> None:
    run = ("live", "-", "--run", gesture_run)
    mistake("live", "nothing", "--run", gesture_run, words=["nothing is not a stream", "unix:PATH"])
    mistake("live", "-", "--run", tmp_path / "none", words=["none"])
    mistake(*run, "--gallery", gallery, words=["another model"])
    mistake(*run, "--layout", "ntu25", words=["those of ntu25", "coco17"])
    mistake(*run, "--format", "npz", words=["--format is for a folder"])
    mistake(*run, "--model", "a.onnx", words=["for a video"])
    mistake(*run, "--fps", "0", words=["fps must be above 0"])
    mistake(*run, "-o", "people=apart", words=["people", "persons and max_gap"])
    mistake(*run, "-o", "max_gap=-1", words=["max_gap"])
    mistake(*run, "-o", "max_gap=1001", words=["max_gap is at most 1,000"])
    empty = tmp_path / "empty.gallery"
    call("gallery", "create", empty, "--run", first)
    mistake("live", "-", "--run", first, "--gallery", empty, words=["has no threshold"])
    for place, words in (
        ("tcp://192.0.2.1:80", ["only this machine's own programs"]),
        ("tcp://example.org:80", ["tcp://127.0.0.1:PORT"]),
        ("tcp://127.0.0.1", ["tcp://127.0.0.1:PORT"]),
        (f"unix:{tmp_path}", ["cannot listen on unix:"]),
    ):
        mistake("live", place, "--run", gesture_run, words=words)


class Process:
    """`aclnet-task live` as a process."""

    def __init__(self, started: Any) -> None:
        self.started = started
        self.first = started.stderr.readline()

    def send(self, lines: list[str]) -> None:
        self.started.stdin.write("".join(f"{line}\n" for line in lines))
        self.started.stdin.flush()

    def answer(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.started.stdout.readline())
        return found

    def end(self, number: int = signal.SIGINT) -> tuple[int, str]:
        self.started.send_signal(number)
        _, err = self.started.communicate(timeout=60)
        return self.started.returncode, err


@pytest.fixture
def started(ready: Call) -> Iterator[Callable[..., Process]]:
    """Start it; it is ended with the test."""
    running: list[Process] = []

    def start(*arguments: object, program: tuple[object, ...] = ("-m", "tasks")) -> Process:
        running.append(Process(ready(*program, "live", *arguments, pipes=True)))
        return running[-1]

    yield start
    for one in running:
        one.started.kill()
        one.started.communicate()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it(
    started: Call, lines_of: Call, gestures: Any, gesture_run: Path, number: int
) -> None:
    process = started("-", "--run", gesture_run)
    process.send(lines_of([("7", 0, gestures[0])])[:32])
    assert process.answer()["end"] == 32
    code, err = process.end(number)
    assert (code, err) == (128 + number, "error: stopped: 32 frames, 1 answer; nothing is kept\n")


@pytest.mark.slow
def test_who_is_removed_is_gone_within_seconds(
    started: Call, lines_of: Call, walk: Call, first: Path, gallery: Path, tmp_path: Path
) -> None:
    own = tmp_path / "own.gallery"
    own.write_bytes(gallery.read_bytes())
    options = ("--run", first, "--gallery", own, "--window", 20, "--stride", 10, "--threshold", -1)
    process = started("-", *options)
    lines = lines_of([("7", 0, np.tile(walk("001"), (3, 1, 1)))])
    process.send(lines[:20])
    person = process.answer()["person"]
    with Gallery(own) as other:
        assert other.remove(person, 5.0).erased
    process.send(lines[20:30])
    answer = process.answer()
    assert answer["person"] != person
    assert person not in [name for name, _ in answer["candidates"]]


@pytest.mark.slow
@pytest.mark.parametrize("place", ["unix", "tcp"])
def test_senders_of_a_socket(
    started: Call, lines_of: Call, gestures: Any, gesture_run: Path, tmp_path: Path, place: str
) -> None:
    path = tmp_path / "live.sock"
    process = started(
        f"unix:{path}" if place == "unix" else "tcp://127.0.0.1:0", "--run", gesture_run
    )
    name = process.first.removeprefix("reading ").partition(": an answer")[0]
    if place == "unix":
        assert path.stat().st_mode & 0o777 == 0o600

    def sender() -> socket.socket:
        if place == "unix":
            made = socket.socket(socket.AF_UNIX)
            made.connect(str(path))
            return made
        return socket.create_connection(("127.0.0.1", int(name.rpartition(":")[2])))

    text = "".join(f"{line}\n" for line in lines_of([("7", 0, gestures[0][:32])])).encode()
    with sender() as foreign:
        foreign.settimeout(30)
        foreign.sendall(b"POST / HTTP/1.1\r\n\r\n" + text)
        with suppress(ConnectionError):
            assert foreign.recv(1) == b""
    for _ in range(2):  # the second stream begins anew
        with sender() as one:
            one.sendall(text)
        answer = process.answer()
        assert (answer["track"], answer["start"], answer["end"]) == ("7", 0, 32)
    code, err = process.end()
    assert code == 130
    assert err.splitlines()[-1].startswith("error: stopped: 64 frames, 2 answers; 1 wrong input")
    assert not path.exists()


@pytest.mark.slow
@pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64"),
    reason="a filter of system calls is known for Linux on x86-64 and ARM only",
)
def test_no_socket_but_the_listening_one(
    started: Call, lines_of: Call, gestures: Any, gesture_run: Path
) -> None:
    """The kernel ends the process where it asks for another."""
    program = (OFFLINE, "after listening", "--")
    process = started("tcp://127.0.0.1:0", "--run", gesture_run, program=program)
    port = int(process.first.partition(": an answer")[0].rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)) as one:
        one.sendall("".join(f"{x}\n" for x in lines_of([("7", 0, gestures[0][:32])])).encode())
    assert process.answer()["end"] == 32
    assert process.end()[0] == 130


def test_a_silent_stream_forgets_who_was_removed(
    first: Path, gallery: Path, tmp_path: Path
) -> None:
    own = tmp_path / "own.gallery"
    own.write_bytes(gallery.read_bytes())
    model = aclnet.load(first)
    with closing(CurrentGallery(str(own), model)) as current, Gallery(own) as other:
        answers = Answers(model, current)
        answers.idle()
        assert "001" in current.opened()._storage._loaded[1].names  # type: ignore[attr-defined]
        other.remove("001")
        answers.idle()
        assert current.opened()._storage._loaded[1].names == ("002",)  # type: ignore[attr-defined]
        (tmp_path / "other.gallery").write_bytes(gallery.read_bytes())
        (tmp_path / "other.gallery").rename(own)
        assert len(current.opened().people()) == 2
        own.unlink()
        with pytest.raises(ValueError, match="there is no gallery"):
            answers.idle()


@pytest.mark.slow
def test_an_idle_socket_ends(call: Call, gesture_run: Path, tmp_path: Path) -> None:
    place = f"unix:{tmp_path / 'live.sock'}"
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(tmp_path / "live.sock"))  # a program that was killed left it
    begin = time.monotonic()
    done = call("live", place, "--run", gesture_run, "--idle", "0.5")
    assert time.monotonic() - begin < 60
    assert done.err.splitlines()[-1] == "0 frames, 0 answers"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_memory_stays_bounded(lines_of: Call, gestures: Any, gesture_run: Path, live: Call) -> None:
    """Nothing of a long stream is kept."""
    import tracemalloc

    for repeats in (1, 8):
        joints = np.tile(gestures[0], (repeats, 1, 1))
        lines = lines_of([(str(n), 0, joints) for n in range(3)])
        tracemalloc.start()
        live(lines, "--run", gesture_run, "--stride", 32)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        if repeats == 1:
            least = peak
    assert peak < least + (4 << 20)
