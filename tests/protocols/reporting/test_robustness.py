"""Recordings made worse in the report, from made-up records."""

from __future__ import annotations

from typing import Any

import pytest

from protocols.figures.robustness import draw_robustness, plan
from protocols.groups import RunEntry, robustness_tests
from protocols.records import ResultRecord
from protocols.reporting.tables.robustness import robustness_tables

GROUPS = {"by_person/mean": 0.8, "by_person/worst": 0.25, "by_view/090": 0.75}


def run(
    kind: str = "",
    level: float = 0.0,
    rate: float = 0.9,
    seed: int = 0,
    objective: str = "acl",
    fill_gaps: float | None = None,
) -> RunEntry:
    change = {"degraded": {"kind": kind, "level": level, "seed": 0}} if kind else {}
    variant = f"{kind}-{level:g}" if kind else "clean"
    fields: dict[str, Any] = {
        "task": "gait",
        "kind": "robustness",
        "variant": variant,
        "dataset": {"name": "kgbd", "fingerprint": f"{fill_gaps}", "synthetic": False},
        "protocol": "own",
        "rule": "exact",
        "objective": objective,
        "stream": "j",
        "seed": seed,
        "metrics": {"rank1": rate, **({} if kind else GROUPS)},
        "intervals": {"rank1": (rate - 0.1, rate + 0.05)},
        "counts": {"recordings": 10 - seed, "too_short": seed, "people/by_view/090": 4},
        "settings": {
            "evaluation": {"metric": "cosine", **change},
            "data": {"fill_gaps": fill_gaps},
        },
        "environment": {},
        "seconds": 1.0,
        "command": "",
    }
    file = f"{objective}-{fill_gaps}-{variant}-{seed}.json"
    return RunEntry(file, ResultRecord.model_validate(fields))


RUNS = [
    run("length", 0.25, 0.4),
    run("length", 0.5, 0.6),
    *(run("noise", 0.05, 0.5 + seed / 10, seed) for seed in (0, 1)),
    *(run(seed=seed) for seed in (0, 1)),
]


def test_a_row_a_level_the_mildest_first() -> None:
    table, _ = robustness_tables(RUNS)
    shown = [(row.group.split()[0], row.label, row.cells[0].text) for row in table.rows]
    assert shown == [
        ("As", "unchanged", "90.0"),
        ("Noise", "5 %", "55.0 ± 7.1"),
        ("The", "50 %", "60.0"),
        ("The", "25 %", "40.0"),
    ]
    assert [cell.text for cell in table.rows[1].cells[1:]] == [
        "45.0 to 60.0", "9 to 10", "0 to 1", "2",
    ]  # fmt: skip


def test_rows_of_several_networks_say_which() -> None:
    table, groups = robustness_tables([*RUNS, run(objective="ce")])
    labels = [row.label for row in table.rows[:3]]
    assert labels == ["unchanged, ACL", "unchanged, Cross-entropy", "5 %, ACL"]
    assert len({row.group for row in groups.rows}) == 4


def test_a_network_has_one_name_whatever_the_others_were_tested_on() -> None:
    runs = [run(), run(fill_gaps=0.3), run("gaps", 0.1, 0.8), run("noise", 0.1, 0.7, fill_gaps=0.3)]
    (test,) = robustness_tests(runs)
    assert sorted(test.groups, key=str) == [
        ("ACL, j, fill_gaps=0.3", ("noise", 0.1)),
        ("ACL, j, fill_gaps=0.3", None),
        ("ACL, j, fill_gaps=unset", ("gaps", 0.1)),
        ("ACL, j, fill_gaps=unset", None),
    ]


def test_networks_that_read_the_recordings_otherwise_share_a_table() -> None:
    table, _ = robustness_tables([run(), run(fill_gaps=0.3)])
    assert [row.label for row in table.rows] == [
        "unchanged, fill_gaps=unset",
        "unchanged, fill_gaps=0.3",
    ]


def test_groups_and_people_have_a_table_of_their_own() -> None:
    _, table = robustness_tables(RUNS)
    assert [(row.group, row.label, row.cells[0].text) for row in table.rows] == [
        ("By person", "mean", "80.0"),
        ("By person", "worst", "25.0"),
        ("By view", "090", "75.0"),
    ]
    people = [column.name for column in table.columns].index("people")
    assert table.rows[2].cells[people].text == "4"


def test_the_figure_has_a_panel_a_kind_that_begins_with_recordings_as_they_are() -> None:
    (planned,) = plan(RUNS)
    figure, caption = planned.draw()
    noise, length = figure.axes
    assert noise.lines[0].get_xydata().tolist() == [[0, 90], [5, pytest.approx(55)]]
    assert length.lines[0].get_xydata().tolist() == [[100, 90], [50, 60], [25, 40]]
    assert length.xaxis_inverted()
    assert len(noise.collections) == 1
    assert "6 records" in caption


def test_what_cannot_be_drawn_is_not_planned_or_refused() -> None:
    assert list(plan(RUNS[-2:])) == []
    with pytest.raises(ValueError, match="needs a curve"):
        draw_robustness({"noise": []}, "rank-1")
