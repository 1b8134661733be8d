from __future__ import annotations

from pathlib import Path

import pytest

from aclnet.training.log import RunLog, read_log


def fill(log: RunLog, steps: range) -> None:
    for step in steps:
        log.write("step", epoch=1, step=step, values={"loss": 1 / step})


def test_lines_are_readable_before_the_log_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "run" / "log.jsonl"
    with RunLog(path) as log:
        log.write("step", epoch=2, step=9, values={"loss": 0.5})
        assert read_log(path) == [{"kind": "step", "epoch": 2, "step": 9, "loss": 0.5}]
        assert log.lines == 1


def test_resumed_log_equals_the_uninterrupted_one(tmp_path: Path) -> None:
    whole, torn = tmp_path / "whole.jsonl", tmp_path / "torn.jsonl"
    with RunLog(whole) as log:
        fill(log, range(1, 9))
    with RunLog(torn) as log:
        fill(log, range(1, 4))
        at_checkpoint = log.lines
        fill(log, range(4, 7))
    with torn.open("a") as file:
        file.write('{"kind": "st')
    with RunLog(torn, keep_lines=at_checkpoint) as log:
        assert log.lines == at_checkpoint
        fill(log, range(4, 9))
    assert torn.read_bytes() == whole.read_bytes()


def test_new_run_begins_a_new_log(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    for _ in range(2):
        with RunLog(path) as log:
            fill(log, range(1, 3))
    assert len(read_log(path)) == 2


def test_resume_without_an_old_log(tmp_path: Path) -> None:
    with RunLog(tmp_path / "log.jsonl", keep_lines=5) as log:
        assert log.lines == 0


def test_numbers_that_are_not_finite_become_null(tmp_path: Path) -> None:
    with RunLog(tmp_path / "log.jsonl") as log:
        log.write("epoch", epoch=1, step=1, values={"a": float("nan"), "b": float("inf"), "c": 1})
    entry = read_log(tmp_path / "log.jsonl")[0]
    assert (entry["a"], entry["b"], entry["c"]) == (None, None, 1)


def test_torn_last_line_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text('{"step": 1}\n{"step": 2')
    assert read_log(path) == [{"step": 1}]
    path.write_text('{"step": 2')
    assert read_log(path) == []


@pytest.mark.parametrize("bad", ["{", "[1]", "hello"])
def test_damaged_line_is_named(tmp_path: Path, bad: str) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text('{"step": 1}\n' + bad + '\n{"step": 3}\n')
    with pytest.raises(ValueError, match=r"log\.jsonl, line 2: "):
        read_log(path)


def test_missing_log(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no run log"):
        read_log(tmp_path / "none.jsonl")
