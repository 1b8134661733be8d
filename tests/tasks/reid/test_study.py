from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from protocols.records import ResultRecord, read_record_files
from tasks.run.study import summary
from tasks.spec import find_task

BASE = """
base: {base}
clip: {{streams: [j]}}
network: {{encoder: {{name: transg, width: 8, heads: 2, layers: 1, positions: 5}}, neck: none}}
transg: {{}}
train: {{epochs: 1}}
"""


@pytest.mark.slow
def test_study(call: Any, reid_recipe: Path, cache: Path, tmp_path: Path) -> None:
    command = ("reid", "study", "-c", reid_recipe, "--cache", cache, "--runs", tmp_path / "runs")
    options = ("--objectives", "ce, acl", "--seeds", "0,3", "--results", tmp_path / "results")
    short = ("-s", "train.epochs=1", "-s", "pairs=[C-N, N-N]", "-s", "beside=[]")
    done = call(*command, *options, *short)
    assert done.err.count("epoch 1/1") == 4
    found, problems = read_record_files(tmp_path / "results")
    assert problems == []
    names = ("bone-length", "ce", "acl")
    rates = {(one.objective, one.seed): one.metrics for one in found.values()}
    assert rates.keys() == {(name, seed) for name in names for seed in (0, 3)}
    table = [line.split() for line in done.out.splitlines() if " against " not in line]
    rows = {words[0]: words for words in table if words}
    head = rows["arm"]
    assert {"rank1", "mAP", "rank1/C-N", "mAP/N-N"} <= set(head)
    for name in names:
        values = 100 * np.array([rates[name, seed]["rank1"] for seed in (0, 3)])
        assert rows[name][1:5] == ["2", f"{values.mean():.2f}", "±", f"{values.std(ddof=1):.2f}"]
    # The bone lengths learn nothing: seeds do not change them.
    assert rates["bone-length", 0] == rates["bone-length", 3]
    again = call(*command, *options, *short)
    assert (again.out, again.err) == (done.out, "")


@pytest.mark.slow
def test_a_recipe_with_transgs_objective_has_that_alone(
    call: Any, reid_recipe: Path, cache: Path, tmp_path: Path
) -> None:
    recipe = tmp_path / "transg.yaml"
    recipe.write_text(BASE.format(base=reid_recipe))
    command = ("reid", "study", "-c", recipe, "--cache", cache, "--runs", tmp_path / "runs")
    call(*command, "--seeds", "0")
    names = {item.name for item in (tmp_path / "runs").iterdir()}
    assert names == {"transg-seed0", "transg-seed0.json", "bone-length-seed0.json"}


def test_objectives_of_a_recipe_with_transgs_own_are_refused(
    call: Any, reid_recipe: Path, tmp_path: Path
) -> None:
    recipe = tmp_path / "transg.yaml"
    recipe.write_text(BASE.format(base=reid_recipe))
    command = ("reid", "study", "-c", recipe, "--runs", tmp_path / "runs")
    done = call(*command, "--objectives", "ce+inter,acl", code=2)
    assert "--arms: unknown arm 'ce+inter'; known for this recipe are transg" in done.err
    assert not (tmp_path / "runs").exists()


def test_an_unknown_objective(call: Any, reid_recipe: Path, tmp_path: Path) -> None:
    command = ("reid", "study", "-c", reid_recipe, "--runs", tmp_path / "runs")
    done = call(*command, "--objectives", "ce,arcface", code=2)
    assert "unknown arm 'arcface'" in done.err


def test_summary_of_one_pair_and_of_several(reid_run: Path, record: Any) -> None:
    whole = ResultRecord.model_validate(record(reid_run))
    head = summary(find_task("reid"), {("acl", 0): whole}).splitlines()[0].split()
    assert "rank1/C-N" in head
    assert not any(name.startswith(("transg/", "walk/")) for name in head)
    alone = {name: whole.metrics[name] for name in ("rank1", "rank5", "rank10", "mAP")}
    one = {"rank1/C-N": whole.metrics["rank1/C-N"], "mAP/C-N": whole.metrics["mAP/C-N"]}
    text = summary(
        find_task("reid"), {("acl", 0): whole.model_copy(update={"metrics": {**alone, **one}})}
    )
    assert text.splitlines()[0].split()[2:] == ["rank1", "rank5", "rank10", "mAP"]
