from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from protocols.report import build_report

COUNTS: dict[str, Any] = {
    "reliability": "fuzz",
    "seed": 0,
    "rows": [
        {
            "group": "damaged files",
            "name": name,
            "tries": 100,
            "read": 40,
            "refused": refused,
            "faults": {"memory": 60 - refused} if refused < 60 else {},
            "longest_seconds": seconds,
            "largest_bytes": 3 << 20,
        }
        for name, refused, seconds in (("npz", 58, 0.25), ("layout", 60, 1.5))
    ],
    "left_out": ["embeddings_parquet"],
    "seconds": 12.5,
    "command": "python tests/fuzz/run.py --inputs 200",
    "environment": {"commit": "0123456789abcdef"},
}


def write(results: Path, **changes: Any) -> None:
    folder = results / "reliability"
    folder.mkdir(parents=True)
    (folder / "fuzz.json").write_text(json.dumps({**COUNTS, **changes}))


def test_counts_are_a_table_and_no_damaged_records(tmp_path: Path) -> None:
    write(tmp_path)
    report = build_report(tmp_path)
    assert (report.skipped, report.runs) == ((), ())
    table, parts = report.tables[-2:]
    assert (table.key, parts.key) == ("reliability", "reliability-parts")
    names = [column.name for column in table.columns]
    assert names[:4] == ["tries", "read", "refused", "faults"]

    def shown(rows: Any) -> dict[str, list[str]]:
        return {row.label: [cell.text for cell in row.cells] for row in rows}

    assert shown(table.rows) == {"damaged files": ["200", "80", "118", "2", "1.5", "3"]}
    assert shown(parts.rows) == {
        "npz": ["100", "40", "58", "2", "0.2", "3"],
        "layout": ["100", "40", "60", "0", "1.5", "3"],
    }
    assert "--inputs 200 at 0123456789ab; not tried there: embeddings_parquet" in table.notes[0]


def test_no_counts_no_table(tmp_path: Path) -> None:
    assert "reliability" not in {table.key for table in build_report(tmp_path).tables}


def test_damaged_counts_are_named(tmp_path: Path) -> None:
    write(tmp_path, seconds=-1)
    with pytest.raises(ValueError, match=r"fuzz\.json: no such measurements: seconds"):
        build_report(tmp_path)
