from __future__ import annotations

import json
from pathlib import Path

import pytest

from tasks.run.judged import read_record, recorded_seconds


def test_a_missing_record_names_the_command_of_its_task(copy: Path) -> None:
    (copy / "record.json").unlink()
    with pytest.raises(ValueError, match=f"is missing.*`aclnet-task gait train --run {copy} --res"):
        read_record(copy)
    assert recorded_seconds(copy) == 0


def test_a_damaged_record_says_what_is_wrong(copy: Path) -> None:
    path = copy / "record-bone-length.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "metrics": {"rank1": "high"}}))
    with pytest.raises(ValueError, match=r"bone-length\.json is damaged: .*metrics\.rank1"):
        read_record(copy, path.name)
    path.write_text(path.read_text()[:20])
    with pytest.raises(ValueError, match="is damaged"):
        read_record(copy, path.name)


def test_seconds_are_the_trainings(first: Path) -> None:
    record = read_record(first)
    assert record.seconds > 0
    assert record.created
    assert recorded_seconds(first) == record.seconds
