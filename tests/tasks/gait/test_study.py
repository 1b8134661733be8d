from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from protocols.records import ResultRecord, read_record_files


@pytest.mark.slow
def test_study(few: Path, call: Any, recipe: Path, tmp_path: Path) -> None:
    command = ("gait", "study", "-c", recipe, "--data", few, "--runs", tmp_path / "runs")
    options = ("--objectives", "ce, acl", "--seeds", "0,3", "--results", tmp_path / "results")
    done = call(*command, *options)
    assert done.err.count("epoch 2/2") == 4
    found, problems = read_record_files(tmp_path / "results")
    assert problems == []
    rank1 = {(one.objective, one.seed): one.metrics["rank1"] for one in found.values()}
    assert rank1.keys() == {
        (name, seed) for name in ("bone-length", "ce", "acl") for seed in (0, 3)
    }
    table = [line.split() for line in done.out.splitlines() if " against " not in line]
    rows = {words[0]: words for words in table if words}
    assert rows["arm"][2] == "rank1"
    for name in ("bone-length", "ce", "acl"):
        values = 100 * np.array([rank1[name, seed] for seed in (0, 3)])
        assert rows[name][1:5] == ["2", f"{values.mean():.2f}", "±", f"{values.std(ddof=1):.2f}"]
    # Runs that have ended are only read.
    again = call(*command, *options)
    assert again.out == done.out
    assert again.err == ""
    # A further seed trains only itself.
    more = call(*command, "--objectives", "ce,acl", "--seeds", "0,3,4")
    assert more.err.count("epoch 2/2") == 2
    # A run of other settings is not taken for one of these.
    other = call(*command, *options, "-s", "clip.frames=12", code=2)
    assert "clip.frames = 16" in other.err
    assert "--runs" in other.err


def test_study_goes_on_with_a_run_that_lacks_its_record(
    few: Path, call: Any, recipe: Path, tmp_path: Path
) -> None:
    command = ("gait", "study", "-c", recipe, "--data", few, "--runs", tmp_path / "runs")
    options = ("--objectives", "ce", "--seeds", "0")
    done = call(*command, *options)
    (tmp_path / "runs" / "ce-seed0" / "record.json").unlink()
    assert "±" not in done.out  # one seed has no spread
    again = call(*command, *options)
    assert "only evaluated again" in again.err
    assert again.out == done.out


def test_study_does_not_take_an_ended_run_of_other_data(
    first: Path, walkers: Path, few: Path, call: Any, recipe: Path, cache: Path, tmp_path: Path
) -> None:
    run = tmp_path / "runs" / "acl-seed0"
    run.mkdir(parents=True)
    for name in ("record.json", "record-bone-length.json", "run.json"):
        (run / name).write_text((first / name).read_text())
    seed = ResultRecord.from_json((run / "record.json").read_text()).seed
    run.rename(run.with_name(f"acl-seed{seed}"))
    command = ("gait", "study", "-c", recipe, "--runs", tmp_path / "runs", "--cache", cache)
    options = ("--objectives", "acl", "--seeds", seed, "--results", tmp_path / "results")
    for same in ((), ("--data", walkers)):
        done = call(*command, *options, *same)
        assert done.err == ""
    done = call(*command, *options, "--data", few, code=2)
    (sentence,) = done.err.splitlines()
    assert f"acl-seed{seed} was trained on other data" in sentence


@pytest.mark.slow
def test_shape_posture_and_movement_apart(
    few: Path, call: Any, recipe: Path, tmp_path: Path
) -> None:
    command = ("gait", "motion", "-c", recipe, "--data", few, "--runs", tmp_path / "runs")
    done = call(*command, "--results", tmp_path / "results", "--arms", "own,still-common")
    found, problems = read_record_files(tmp_path / "results")
    assert problems == []
    arms = {record.variant: record for record in found.values()}
    assert sorted(arms) == ["bones", "bones-common", "own", "still-common"]
    assert {record.kind for record in arms.values()} == {"motion"}
    still = arms["still-common"].settings["clip"]
    assert (still["frames"], still["normalise"]["body"]) == (1, "common")
    assert len({record.tested for record in arms.values()}) == 1
    bones = [arms[name].metrics for name in ("bones", "bones-common")]
    for metric in ("rank1", "eer", "fnir@fpir0.1"):
        assert f"{100 * bones[0][metric]:.2f}" in done.out
    assert bones[0]["eer"] != bones[1]["eer"]
    refused = call(*command, "--arms", "own,shape", code=2)
    assert "unknown arm 'shape'; known are own, common, still" in refused.err
