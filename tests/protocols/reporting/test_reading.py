"""Reading a folder of results: what is not a record is named and passed over."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from protocols.records import ResultRecord
from protocols.report import build_report


def record() -> ResultRecord:
    return ResultRecord.model_validate(
        {
            "schema": 2,
            "task": "gait",
            "dataset": {"name": "kgbd", "fingerprint": "ab", "synthetic": False},
            "protocol": "kgbd_walks",
            "rule": "exact",
            "objective": "acl",
            "stream": "j",
            "seed": 0,
            "metrics": {"rank1": 0.5},
            "intervals": {},
            "counts": {},
            "settings": {},
            "environment": {},
            "seconds": 1.0,
            "command": "run",
        }
    )


@pytest.fixture
def results(tmp_path: Path) -> Path:
    record().write(tmp_path / "gait" / "good.json")
    text = record().to_json()
    old = json.loads(text) | {"schema": 0}
    contents = {
        "damaged.json": text[: len(text) // 2].encode(),
        "empty.json": b"",
        "foreign.json": b'{"loss": 3, "accuracy": [1, 2]}',
        "gait/list.json": b"[1, 2]",
        "old.json": json.dumps(old).encode(),
        "picture.json": b"\x89PNG\xff\xfe",
        ".hidden.json": b"{",
        "notes.txt": b"no record",
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "folder.json").mkdir()
    return tmp_path


def test_every_file_that_is_no_record_is_named_in_one_line(results: Path) -> None:
    report = build_report(results)
    assert [run.file for run in report.runs] == ["gait/good.json"]
    assert report.runs[0].record == record()
    skipped = report.skipped
    named = [line.partition(":")[0] for line in skipped]
    assert named == [
        "damaged.json",
        "empty.json",
        "folder.json",
        "foreign.json",
        "gait/list.json",
        "old.json",
        "picture.json",
    ]
    assert not any("\n" in line for line in skipped)
    assert "schema" in skipped[5]
    (table,) = (table for table in report.tables if table.key == "gait-kgbd")
    (row,) = (row for row in table.rows if row.label == "ACL, j")
    assert row.cells[0].text == "50.0"
    assert row.cells[0].runs == ("gait/good.json",)


def test_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no folder of results"):
        build_report(tmp_path / "nowhere")
