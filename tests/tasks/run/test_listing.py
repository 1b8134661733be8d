"""`aclnet-task runs`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from aclnet.files import owned


@pytest.fixture
def folder(first: Path, gesture_run: Path, tmp_path: Path) -> Path:
    """Runs in every state, a damaged one, and links to a run and to all of them."""
    runs = tmp_path / "runs"
    for name, origin in (("a", first), ("deep/b", first), ("cut", first), ("act", gesture_run)):
        shutil.copytree(origin, runs / name)
    log = (runs / "cut" / "log.jsonl").read_text().splitlines(keepends=True)
    until = next(at for at, line in enumerate(log) if '"epoch"' in line.split(",")[0])
    (runs / "cut" / "log.jsonl").write_text("".join(log[: until + 1]))
    (runs / "deep" / "b" / "record.json").unlink()
    (runs / "bad").mkdir()
    (runs / "bad" / "run.json").write_text("{")
    (runs / "bad" / "settings.yaml").write_text("")
    (runs / "linked").symlink_to(runs / "a")
    (runs / "round").symlink_to(runs)
    return runs


def listed(call: Any, *arguments: object) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(call("runs", *arguments, "--json", "-").out)["runs"]
    return found


def test_every_run_is_listed_with_state_and_values(call: Any, folder: Path, first: Path) -> None:
    done = call("runs", folder)
    rows = {line.split()[0]: line for line in done.out.splitlines()}
    listed_here = {name for name in rows if set(name) != {"-"}}
    assert listed_here == {"run", "a", "act", "cut", "deep/b", "linked"}
    rank1 = json.loads((first / "record.json").read_text())["metrics"]["rank1"]
    assert f"{100 * rank1:.2f}" in rows["a"]
    assert "2/2" in rows["a"]
    assert "finished" in rows["a"]
    assert "untested" in rows["deep/b"]
    assert "interrupted" in rows["cut"]
    assert "1/2" in rows["cut"]
    assert "12/12" in rows["act"]
    (warning,) = done.err.splitlines()
    assert f"warning: {folder / 'bad' / 'run.json'} is damaged" in warning
    with owned(folder / "cut" / ".lock", "it", ""):
        states = {run["run"]: run["state"] for run in listed(call, folder)}
    assert states[str(folder / "cut")] == "running"


def test_sorted_and_kept(call: Any, folder: Path, tmp_path: Path) -> None:
    record = json.loads((folder / "a" / "record.json").read_text())
    record["metrics"]["rank1"] = 2.0
    (folder / "linked").unlink()
    shutil.copytree(folder / "a", folder / "z")
    (folder / "z" / "record.json").write_text(json.dumps(record))
    order = [Path(run["run"]).name for run in listed(call, folder, "--sort", "rank1")]
    assert order == ["z", "a", "act", "cut", "b"]
    back = listed(call, folder, "--sort", "rank1", "--reverse", "--keep", "task=gait")
    assert [Path(run["run"]).name for run in back] == ["a", "z", "cut", "b"]
    out = tmp_path / "there" / "out.json"
    call("runs", folder, "--keep", "state=finished", "--json", out, "--metric", "rank1/nm")
    content = json.loads(out.read_text())
    assert {Path(run["run"]).name for run in content["runs"]} == {"a", "z", "act"}
    assert list(content["damaged"]) == [str(folder / "bad")]


def test_mistakes_are_sentences(mistake: Any, call: Any, folder: Path, tmp_path: Path) -> None:
    mistake("runs", tmp_path / "none", words=("there is no folder",), alone=True)
    mistake("runs", folder, "--sort", "rnk1", words=("--sort 'rnk1'", "rank1"))
    mistake("runs", folder, "--metric", "rnk1", words=("--metric 'rnk1'", "rank1"))
    mistake("runs", folder, "--keep", "task", words=("KEY=VALUE",))
    mistake("runs", folder, "--keep", "state=done", words=("interrupted",))
    other = tmp_path / "people.gallery"
    other.write_bytes(b"SQLite format 3")
    mistake("runs", folder, "--json", other, words=("is not a JSON file",))
    (tmp_path / "empty").mkdir()
    assert call("runs", tmp_path / "empty").out == f"no run in {tmp_path / 'empty'}\n"


def test_a_run_of_a_task_that_is_not_loaded_is_named(call: Any, copy: Path) -> None:
    info = json.loads((copy / "run.json").read_text())
    (copy / "run.json").write_text(json.dumps(info | {"task": "verify"}))
    done = call("runs", copy)
    assert done.out == f"no run in {copy}\n"
    assert f"{copy}: there is no task 'verify'" in done.err
    assert "--plugin FILE" in done.err


def test_it_needs_no_torch(first: Path, without_torch: Any) -> None:
    code = "from tasks.cli import main; sys.argv[0] = 'aclnet-task'; main()"
    assert "finished" in without_torch(code, "runs", first.parent)
