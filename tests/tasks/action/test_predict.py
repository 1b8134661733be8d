"""The predictions of a tiny action run for files that it has not seen."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Call = Callable[..., Any]
Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def cases(shared: Path) -> Path:
    """The folder of inputs that once went wrong."""
    folder = shared / "cases" / "wrong_values"
    if not folder.is_dir():
        pytest.skip(f"there are no cases at {folder}")
    return folder


@pytest.fixture(scope="module")
def predict(
    call: Call, cases: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., tuple[Rows, str]]:
    """Predict a case with a run of three classes of motion; the rows as JSON and the screen."""
    folder = tmp_path_factory.mktemp("run")
    data = ("--data", cases / "act_ok.pkl", "--run", folder / "run", "--cache", folder / "cache")
    call("action", "train", "--config", cases / "action_tiny.yaml", *data)

    def predicted(name: str, *options: object) -> tuple[Rows, str]:
        out = folder / "out.json"
        command = ("action", "predict", cases / name, "--run", folder / "run", "--json", out)
        done = call(*command, *options)
        return json.loads(out.read_text()), done.out

    return predicted


def test_command(
    call: Call, gesture_run: Path, gesture: Any, clips_file: Any, tmp_path: Path
) -> None:
    file = clips_file("clip.npz", gesture("raise", 60))
    out = tmp_path / "out.json"
    options = ("--top", 1, "--fps", 8, "--json", out)
    done = call("action", "predict", file, "--run", gesture_run, *options)
    assert "raise" in done.out
    assert "16 (2.00 s)" in done.out
    assert "stand" not in done.out
    (row,) = json.loads(out.read_text())
    assert (row["file"], row["classes"], row["end"]) == (str(file), ["raise"], 16)
    wrong = call("action", "predict", file, "--run", gesture_run, "--persons", "some", code=2)
    assert "'together'" in wrong.err


def test_options_of_the_format(
    call: Call, gesture_run: Path, gesture: Any, clips_file: Any
) -> None:
    """What a file does not say is told by -o; what is no option of its format is refused."""
    file = clips_file("clip.npz", gesture("raise", 60))
    predict = ("action", "predict", file, "--run", gesture_run)
    refused = call(*predict, "-o", "unit=metre", code=2)
    assert "in unit metre, but the network" in " ".join(refused.err.split())
    call(*predict, "-o", "unit=normalised")
    for option, sentence in (
        ("top=3", "top is not an option of a format"),
        ("people=apart", "format npz has no option 'people'"),
        ("unit", "expected NAME=VALUE"),
    ):
        refused = call(*predict, "-o", option, code=2)
        assert sentence in " ".join(refused.err.split())
    wrong = call(*predict, "-o", "unit=normalised", "--prepare", "some", code=2)
    assert "'main_person'" in wrong.err


def times(row: dict[str, Any]) -> list[float]:
    return [row[name] for name in ("start", "end", "start_seconds", "end_seconds")]


@pytest.mark.parametrize("options", [(), ("-o", "people=apart")])
def test_times_are_those_of_the_video(predict: Any, options: tuple[str, ...]) -> None:
    (row,), screen = predict("pr_late.json", "--fps", 30, *options)
    assert times(row) == [300, 324, 10.0, 10.8]
    assert row["classes"][0] == "2"
    assert all(text in screen for text in ("300 (10.00", "324 (10.80"))


def test_times_of_every_fifth_frame(predict: Any) -> None:
    rows, screen = predict("pr_step5.json", "--fps", 30)
    assert times(rows[0])[::2] == [0, 0.0]
    assert times(rows[-1])[1::2] == [116, pytest.approx(116 / 30)]
    (note,) = rows[0]["notes"]
    assert note.startswith("1 recording: frame numbers increase by 5: read as 1 frame in 5")
    assert f"pr_step5.json: {note}" in screen
    rows, _ = predict("pr_step5.json", "-o", "numbers=milliseconds")
    assert (times(rows[-1])[1::2], rows[0]["notes"]) == ([24, pytest.approx(0.12)], [])


@pytest.mark.parametrize("options", [(), ("--persons", "apart")])
def test_people_left_out_are_said(predict: Any, options: tuple[str, ...]) -> None:
    rows, screen = predict("pr_three.json", *options)
    assert [row["left_out"] for row in rows] == [
        {"people beyond the 2 seen in most frames": 1} for _ in rows
    ]
    assert "pr_three.json: left out: 1 person beyond the 2 seen in most frames" in screen


@pytest.mark.parametrize(
    ("option", "classes"),
    [("people=apart", ["2", "0", "1"]), ("persons=3", None), ("persons=1", ["2"])],
)
def test_the_people_that_a_reader_keeps(
    predict: Any, option: str, classes: list[str] | None
) -> None:
    rows, screen = predict("pr_three.json", "-o", option)
    if classes is not None:
        assert [row["classes"][0] for row in rows] == classes
    lost = {"persons=1": {"people beyond the 1 seen in most frames": 2}}.get(option, {})
    assert [row["left_out"] for row in rows] == [lost] * len(rows)
    assert ("left out" in screen) == bool(lost)
