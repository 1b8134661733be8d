from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aclnet.data.degrade import KINDS
from protocols.figures.robustness import AXES
from protocols.labels import DEGRADED, SHARES_KEPT
from protocols.records import ROBUSTNESS, ResultRecord
from protocols.statistics.person_counts import person_counts, read_kept
from tasks.run import robustness as module
from tasks.run.robustness import robustness_records
from tasks.spec import find_task


def records(task: str, run: Path, cache: Path, **options: Any) -> dict[str, ResultRecord]:
    found = robustness_records(find_task(task), run, cache, "aclnet-task", **options)
    return {record.variant: record for record in found}


@pytest.mark.parametrize("task", ["gait", "reid", "action"])
def test_what_is_not_made_worse_is_the_runs_own_test(
    task: str, request: Any, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fixture = {"gait": "first", "reid": "reid_run", "action": "gesture_run"}[task]
    run = request.getfixturevalue(fixture)
    monkeypatch.setattr(module, "LEVELS", {"noise": (0.0,)})
    found = records(task, run, cache, kinds=["noise"])
    own = ResultRecord.read(run / "record.json")
    clean, same = found["clean"], found["noise-0"]
    assert same.metrics == own.metrics
    assert {name: clean.metrics[name] for name in own.metrics} == own.metrics
    assert clean.kind == same.kind == ROBUSTNESS
    assert clean.counts["recordings"] == same.counts["recordings"]
    people: dict[str, list[int]] = {}
    for part in person_counts(read_kept(clean)).values():
        for name, (hits, trials) in part.items():
            sums = people.setdefault(name, [0, 0])
            sums[0] += hits
            sums[1] += trials
    rates = [hits / trials for hits, trials in people.values() if trials]
    assert clean.metrics["by_person/mean"] == pytest.approx(sum(rates) / len(rates))
    assert clean.metrics["by_person/worst"] == pytest.approx(min(rates))


def test_the_command_writes_a_record_a_level_and_prints_the_tables(
    first: Path, cache: Path, call: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LEVELS", {"gaps": (0.5,), "length": (0.9,)})
    results, values = tmp_path / "results", tmp_path / "all.json"
    options = ("--seed", 3, "--results", results, "--json", values, "--cache", cache)
    done = call("gait", "robustness", first, "--kinds", "length, gaps", *options)
    names = ["clean", "gaps-0.5", "length-0.9"]
    written = [ResultRecord.read(results / f"first-{name}.json") for name in names]
    assert [one["variant"] for one in json.loads(values.read_text())] == names
    change = {"kind": "gaps", "level": 0.5, "seed": 3}
    assert written[1].settings["evaluation"]["degraded"] == change
    assert written[1].tested == written[0].tested
    assert "Joints absent in single frames" in done.out
    assert "By view" in done.out
    assert not list(cache.glob(".worse-*"))


def test_recordings_below_the_recipes_minimum_are_left_out_and_counted(
    copy: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = copy / "settings.yaml"  # the walks have 20 to 26 frames
    settings.write_text(settings.read_text().replace("min_frames: 1\n", "min_frames: 20\n"))
    monkeypatch.setattr(module, "LEVELS", {"length": (0.9, 0.5)})
    said: list[str] = []
    found = records("gait", copy, cache, kinds=["length"], report=said.append)
    assert list(found) == ["clean", "length-0.9"]
    counts = found["length-0.9"].counts
    assert counts["recordings"] + counts["too_short"] == found["clean"].counts["recordings"] == 90
    assert 0 < counts["too_short"] < 90
    assert any("leaving out 90 of 90 recordings" in line for line in said)


def test_gaps_are_filled_after_a_recording_is_made_worse(
    copy: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LEVELS", {"gaps": (0.3,)})
    lost = records("gait", copy, cache, kinds=["gaps"])["gaps-0.3"]
    settings = copy / "settings.yaml"
    settings.write_text(settings.read_text().replace("fill_gaps: null\n", "fill_gaps: 0.5\n"))
    found = records("gait", copy, cache, kinds=["gaps"])
    filled = found["gaps-0.3"]
    counts = filled.counts
    assert "filled_joints" not in lost.counts
    assert 0.8 * counts["missing_joints"] < counts["filled_joints"] < counts["missing_joints"]
    whole = found["clean"].metrics["rank1"]
    assert whole - filled.metrics["rank1"] < whole - lost.metrics["rank1"]


def test_an_unknown_kind_is_refused_before_the_data_are_opened(mistake: Any, first: Path) -> None:
    mistake("gait", "robustness", first, "--kinds", "blur", words=["blur", "noise"], alone=True)


def test_every_kind_has_levels_and_words() -> None:
    assert tuple(module.LEVELS) == KINDS == tuple(DEGRADED)
    assert set(AXES) == set(KINDS)
    assert set(SHARES_KEPT) < set(KINDS)
