"""The predictions of a tiny action run for files that it has not seen."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Call = Callable[..., Any]


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
    """What a file does not say is told by -o, and what is no option of its format is refused."""
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
