"""Names in records that would command a terminal, a reader's eye or a spreadsheet."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest

from protocols.records import DatasetReference, ResultRecord
from protocols.report import main
from protocols.reporting.model import Cell, Column, Report, ReportTable, Row
from protocols.reporting.writers.csv import render_csv
from protocols.reporting.writers.files import FORMATS, write_report

HOSTILE = "=cmd|' /C calc'!A1\x1b]0;owned\x07\x9b2J\u202egpj\u2066\x00\r\n\ud800`"
RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def hostile_report() -> Report:
    cell = Cell(HOSTILE, 1.0, 0.5, (f"{HOSTILE}.json",), "ours", HOSTILE)
    rows = (Row(HOSTILE, (cell,), "ours", HOSTILE, HOSTILE, HOSTILE),)
    columns = (Column(HOSTILE, HOSTILE),)
    table = ReportTable("t", HOSTILE, columns, rows, (HOSTILE,), "gait", (HOSTILE,))
    return Report((table,), (), (), (HOSTILE,))


def test_no_file_of_a_report_holds_control_characters(tmp_path: Path) -> None:
    write_report(hostile_report(), tmp_path, FORMATS)
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert {file.suffix for file in files} == {".md", ".tex", ".csv", ".html"}
    for file in files:
        assert not RAW.findall(file.read_bytes().decode()), file
        assert "gpj" in file.read_text() or file.name == "main.tex"


def test_no_text_cell_of_a_spreadsheet_is_a_formula() -> None:
    texts = ["=1+1", "+cmd", "-cmd", "@SUM(A1)", "\t=1", "\r=1", " =1", "-", "+1.5 ± 0.5"]
    kept = ["+1.5", "-3", "a=b", "91.4 ± 0.5", "–"]  # noqa: RUF001 - tables show a dash
    rows = tuple(
        Row(text, (Cell(text, -1.5, None, (), "ours"),), "ours", text) for text in texts + kept
    )
    table = ReportTable("t", "T", (Column("c"),), rows, (), "gait", ())
    read = list(csv.DictReader(render_csv(table).splitlines()))
    assert all(row["value"] == "-1.5" for row in read)
    for row, text in zip(read, texts + kept, strict=True):
        for column in ("row", "text", "reference"):
            assert row[column].startswith("'") == (text in texts), (column, text)


def test_the_command_prints_none(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    record: Any = ResultRecord(
        task="gait",
        dataset=DatasetReference(name="d", fingerprint="f", synthetic=False),
        protocol="casia_b",
        rule="exact",
        objective="ce",
        stream="j",
        seed=0,
        metrics={"rank1": 0.5},
        intervals={},
        settings={},
        environment={},
        counts={},
        seconds=1.0,
        command="x",
    )
    fields = json.loads(record.to_json())
    (tmp_path / "results").mkdir()
    for number, changes in enumerate(
        [{"objective": HOSTILE}, {"task": HOSTILE}, {"rule": HOSTILE}, {HOSTILE: 1}]
    ):
        text = json.dumps({**fields, **changes})
        (tmp_path / "results" / f"\x1b[2J{number}.json").write_text(text)
    found = main(["--results", str(tmp_path / "results"), "--out", str(tmp_path / "\x1bout")])
    assert found == 0
    printed = "".join(capfd.readouterr())
    assert "\\x1b" in printed
    assert not RAW.findall(printed)
