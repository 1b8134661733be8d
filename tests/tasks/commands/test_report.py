"""`aclnet-task report` and `python -m protocols.report` are the same thing."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest

from protocols.report import main
from protocols.reporting.writers.files import FORMATS
from tasks.commands.report import report_command


def test_the_report_shows_the_shipped_tasks_and_no_other() -> None:
    from protocols.reporting.tasks import TASKS
    from tasks import shipped  # noqa: F401
    from tasks.spec import all_tasks

    # Tests of plug-ins may have registered more.
    own = {name for name, spec in all_tasks().items() if type(spec).__module__.startswith("tasks.")}
    assert TASKS.keys() == own | {"cost", "reliability", "benchmarks"}


def test_both_commands_write_and_say_the_same(
    call: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "results"
    results.mkdir()
    (results / "bad.json").write_text("{")
    written = []
    for name in ("module", "command"):
        out = tmp_path / name
        options = ["--results", str(results), "--out", str(out), "--formats", "markdown,latex,csv"]
        if name == "module":
            assert main(options) == 0
            said = capsys.readouterr()
            texts = (said.out, said.err)
        else:
            done = call("report", *options)
            texts = (done.out, done.err)
        assert "skipped bad.json" in texts[1]
        files = {path.relative_to(out): path.read_bytes() for path in out.rglob("*.*")}
        written.append((files, *(text.replace(str(out), "OUT") for text in texts)))
    assert written[0] == written[1]
    assert written[0][0]


def test_a_mistake_is_one_sentence(call: Any, tmp_path: Path) -> None:
    done = call("report", "--results", tmp_path / "gone", "--out", tmp_path / "out", code=2)
    assert done.err.startswith("error: There is no folder of results")
    assert not (tmp_path / "out").exists()


def test_all_formats_are_written_unless_some_are_named() -> None:
    # The help may not import the report, so it has its own list.
    assert inspect.signature(report_command).parameters["formats"].default == ",".join(FORMATS)
