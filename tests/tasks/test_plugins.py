"""What is wrong with a file given by --plugin; tests/tasks/test_extend.py adds things by such."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from protocols.splits import register_split
from tasks.spec import TaskSpec, register


def test_names_that_are_taken_are_refused(tmp_path: Path, mistake: Callable[..., str]) -> None:
    for name, words in (("this.py", ("another module is called this",)), ("no.py", ("existing",))):
        (tmp_path / "this.py").touch()
        mistake("--plugin", tmp_path / name, "doctor", words=words)
    (tmp_path / "casia_b.csv").touch()
    with pytest.raises(ValueError, match="there is a protocol casia_b already"):
        register_split("gait", tmp_path / "casia_b.csv")
    parts = dict.fromkeys(("help", "settings", "adapter", "judge", "query"))
    for name, more, message in (
        ("gait", parts, "there is a command of this name"),
        ("compare", parts, "there is a command of this name"),
        ("mine", {}, "task 'mine' has no help"),
    ):
        with pytest.raises(ValueError, match=message):
            register(type("Mine", (TaskSpec,), {"name": name, **more})())


def test_a_plug_in_that_fails_is_named_with_its_line(tmp_path: Path, mistake: Any) -> None:
    for text, words in (("\n1/0", "line 2: ZeroDivisionError"), ("def", "SyntaxError")):
        (tmp_path / "bad.py").write_text(text)
        mistake("--plugin", tmp_path / "bad.py", "doctor", words=("bad.py", words))
