from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from protocols.report import build_report

ROW = {
    "work": "a table",
    "plain": "row by row",
    "seconds": 0.0512,
    "plain_seconds": 0.5,
    "ratio": 9.77,
    "lowest": 9.1,
    "highest": 10.25,
}


def write(results: Path, *notes: str, **changes: Any) -> None:
    folder = results / "benchmarks"
    folder.mkdir(parents=True)
    found = {
        "benchmark": "evaluation",
        "rows": [{**ROW, **changes}],
        "notes": notes,
        "command": "python tests/benchmarks/bench_evaluation.py",
        "environment": {"commit": "0123456789abcdef", "cpu": "a processor"},
    }
    (folder / "evaluation.json").write_text(json.dumps(found))


def test_ratios_are_a_table(tmp_path: Path) -> None:
    write(tmp_path, "Peaks stay below 1 GiB.")
    report = build_report(tmp_path)
    assert report.skipped == ()
    table = report.tables[-1]
    assert table.key == "benchmarks"
    shown = {row.label: [cell.text for cell in row.cells] for row in table.rows}
    assert shown == {"a table; row by row": ["0.0512 s", "0.5 s", "9.8", "9.1", "10.2"]}
    assert "bench_evaluation.py at 0123456789ab on a processor" in table.notes[0]
    assert table.notes[0].endswith("Peaks stay below 1 GiB.")


@pytest.mark.parametrize(
    ("devices", "place"), [(["a card"], "on a card, a processor."), (["cpu"], "on a processor.")]
)
def test_the_card_is_named(tmp_path: Path, devices: list[str], place: str) -> None:
    write(tmp_path)
    file = tmp_path / "benchmarks" / "evaluation.json"
    found = json.loads(file.read_text())
    found["environment"]["devices"] = devices
    file.write_text(json.dumps(found))
    assert build_report(tmp_path).tables[-1].notes[0].endswith(place)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    write(tmp_path, ratio=0)
    with pytest.raises(ValueError, match=r"evaluation\.json: no such measurements: rows"):
        build_report(tmp_path)
