"""Rank-1 by probe view and gallery view as a table."""

from __future__ import annotations

from typing import Any

from protocols.groups import RunEntry
from protocols.records import DatasetReference, ResultRecord
from protocols.reporting.tables.views import view_tables


def run(seed: int, **cells: Any) -> RunEntry:
    held = {
        "conditions": ["nm", "cl"],
        "probe_views": ["0", "90"],
        "gallery_views": ["0", "90"],
        "rank1_hits": [[[4, 2], [1, 4]], [[3, 1], [0, 0]]],
        "trials": [[[4, 4], [4, 4]], [[4, 4], [0, 4]]],
    }
    record = ResultRecord(
        task="gait",
        dataset=DatasetReference(name="walkers", fingerprint="f", synthetic=True),
        protocol="casia_b",
        rule="exact",
        objective="acl",
        stream="j",
        seed=seed,
        metrics={"rank1": 0.5},
        intervals={},
        counts={},
        settings={},
        environment={},
        seconds=1.0,
        command="run",
        cells=held | cells,
    )
    return RunEntry(f"acl-seed{seed}.json", record)


def test_seeds_are_summed_and_the_mean_leaves_the_own_view_out() -> None:
    other = run(1, rank1_hits=[[[4, 4], [1, 4]], [[3, 1], [0, 0]]])
    (table,) = view_tables([run(0), other])
    assert [column.name for column in table.columns] == ["gallery 0", "gallery 90", "other views"]
    assert [(row.group, row.label) for row in table.rows] == [
        ("nm", "probe 0"),
        ("nm", "probe 90"),
        ("cl", "probe 0"),
        ("cl", "probe 90"),
    ]
    texts = [[cell.text for cell in row.cells] for row in table.rows]
    dash = "–"  # noqa: RUF001 - what tables show
    assert texts[:3] == [
        ["100.0", "75.0", "75.0"],
        ["25.0", "100.0", "25.0"],
        ["75.0", "25.0", "25.0"],
    ]
    assert texts[3] == [dash, "0.0", dash]  # no trial in the other view
    assert {row.source for row in table.rows} == {"synthetic"}


def test_one_view_and_damaged_cells_make_no_table() -> None:
    alone = {"probe_views": ["all"], "gallery_views": ["all"]}
    assert view_tables([run(0, **alone, rank1_hits=[[[4]]], trials=[[[4]]])]) == ()
    assert view_tables([run(0, trials=[[1, 2], [3]])]) == ()
