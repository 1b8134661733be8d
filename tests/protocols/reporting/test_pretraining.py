"""Pre-trained encoders in the report, from made-up records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from protocols.action.evaluate import evaluate_action
from protocols.action.scores import ClassScores
from protocols.figures import confusion
from protocols.groups import RunEntry
from protocols.records import ResultRecord
from protocols.reporting.model import ReportTable, Row
from protocols.reporting.tables.conditions import load_conditions
from protocols.reporting.tables.own import own_tables
from protocols.reporting.tables.paper import OURS, paper_tables
from protocols.reporting.tables.pretraining import pretraining_tables
from protocols.reporting.writers.between import write_between

NETWORK = {"network": {"encoder": {"name": "st_gcn"}}, "clip": {"frames": 32}}


def run(file: str, right: int = 0, initial: str = "", seed: int = 0, **changes: Any) -> RunEntry:
    """A run tested on 10 people with two samples each; those of the first `right` are right."""
    scores = ClassScores(
        sample=np.array([f"s{n}" for n in range(20)]),
        label=np.zeros(20, dtype=np.int64),
        classes=np.array(["a", "b"]),
        probabilities=np.eye(2, dtype=np.float32)[(np.arange(20) // 2 >= right).astype(int)],
        logits=None,
        subject=np.array([f"p{n // 2}" for n in range(20)]),
        subset=np.array([""] * 20),
    )
    table = evaluate_action(scores, protocol="x")
    began = {"initial": {"task": "pretrain", "objective": initial}} if initial else {}
    fields: dict[str, Any] = {
        "task": "pretrain",
        "variant": "linear",
        "dataset": {"name": "nwucla", "fingerprint": "ab", "synthetic": False},
        "protocol": "nwucla_xview",
        "rule": "how",
        "objective": "actclr",
        "stream": "j",
        "seed": seed,
        "metrics": {"top1": table.metrics["top1"]},
        "intervals": {},
        "counts": dict(table.counts),
        "settings": {**NETWORK, **changes.pop("settings", {}), **began},
        "environment": {},
        "seconds": 1.0,
        "command": "",
        "cells": table.record_cells(),
    }
    return RunEntry(f"{file}{seed}.json", ResultRecord.model_validate(fields | changes))


def tuned(file: str, right: int, initial: str = "", **changes: Any) -> RunEntry:
    made = {"task": "action", "objective": "ce", "variant": "semi-10"} | changes
    return run(file, right, initial, **made)


def shown(table: ReportTable) -> dict[str, dict[str, str]]:
    names = [column.name for column in table.columns]
    return {
        row.label: {
            name: cell.text
            for name, cell in zip(names, row.cells, strict=True)
            if cell.runs or name == "runs"
        }
        for row in table.rows
    }


def only(runs: Sequence[RunEntry]) -> ReportTable:
    (table,) = pretraining_tables(runs)
    return table


def test_each_method_stands_beside_no_pre_training() -> None:
    runs = [
        one
        for seed in (0, 1)
        for one in (
            run("actclr", 9, seed=seed),
            run("random", 2, objective="random", seed=seed),
            run("knn", 5, seed=seed, variant="knn"),
            tuned("scratch", 1, seed=seed),
            tuned("after", 8, "actclr", seed=seed),
            tuned("after-acl", 7, "actclr", seed=seed, objective="acl"),
        )
    ]
    table = only(runs)
    assert shown(table) == {
        "No pre-training": {
            "linear": "20.0",
            "10 % of labels, Cross-entropy": "10.0",
            "runs": "2",
        },
        "ActCLR": {
            "linear": "90.0",
            "linear, gain": "+70.0 (+40.0 to +90.0)",
            "kNN": "50.0",
            "10 % of labels, Cross-entropy": "80.0",
            "10 % of labels, Cross-entropy, gain": "+70.0 (+40.0 to +100.0)",
            "10 % of labels, ACL": "70.0",
            "runs": "2",
        },
    }
    assert any("ActCLR is better than no pre-training" in note for note in table.footnotes)
    text = "<!-- table pretrain-gain: linear; linear, gain; runs -->\n<!-- end -->"
    assert "| ActCLR | 90.0 | +70.0 (+40.0 to +90.0) | 2 |" in write_between(text, [table])


def test_without_a_pre_trained_network_there_is_no_table() -> None:
    assert pretraining_tables([tuned("ce", 5), run("random", 2, objective="random")]) == ()
    gait = run("gait", 5, "actclr", task="gait", variant="finetune")
    supervised = tuned("ce", 5, settings={"initial": {"task": "action", "objective": "ce"}})
    assert pretraining_tables([gait, supervised]) == ()


def test_all_labels_are_compared_with_plain_runs_of_the_same_network() -> None:
    other = {"network": {"encoder": {"name": "temporal_conv"}}}
    wider = {"network": {"encoder": {"name": "st_gcn", "width": 64}}}
    runs = [
        tuned("after", 8, "actclr", variant="finetune"),
        tuned("statistics", 7, "random", variant="finetune"),
        tuned("plain", 6, variant=""),
        tuned("other", 9, variant="", settings=other),
    ]
    found = shown(only(runs))
    assert found["No pre-training"] == {"all labels, Cross-entropy": "60.0", "runs": "1"}
    assert found["ActCLR"]["all labels, Cross-entropy, gain"].startswith("+20.0 (")
    assert found["Random encoder"]["all labels, Cross-entropy, gain"].startswith("+10.0 (")
    runs[2] = tuned("wider", 6, variant="", settings=wider)
    assert "all labels, Cross-entropy, gain" not in shown(only(runs))["ActCLR"]


def test_encoders_and_settings_have_rows_of_their_own() -> None:
    transformer = {"network": {"encoder": {"name": "joint_transformer"}}}
    runs = [
        run("actclr", 9),
        run("longer", 8, settings={"train": {"epochs": 9}}),
        run("random", 2, objective="random"),
        run("masked", 7, objective="masked", settings=transformer),
        run("random-t", 3, objective="random", settings=transformer),
    ]
    found = {label: row.get("linear") for label, row in shown(only(runs)).items()}
    assert found == {
        "No pre-training, joint_transformer": "30.0",
        "Masked motion prediction, joint_transformer": "70.0",
        "No pre-training, st_gcn": "20.0",
        "ActCLR, st_gcn, epochs=unset": "90.0",
        "ActCLR, st_gcn, epochs=9": "80.0",
    }


# --- beside published results ---------------------------------------------------------------------


def benchmark(part: str, protocol: str, recipe: int = 0) -> dict[str, Any]:
    """Fields of a run that meets the conditions of a protocol."""
    asked = load_conditions()[f"{part}/{protocol}"]
    settings: dict[str, Any] = {}
    for name, value in list(asked.recipes.values())[recipe].items():
        *above, last = name.split(".")
        place = settings
        for step in above:
            place = place.setdefault(step, {})
        place[last] = value
    counts = {**asked.counts, **asked.sequences}
    counts["train"] = counts.pop("training")
    dataset = {"name": "ntu60", "fingerprint": "ab", "synthetic": False}
    return {"settings": settings, "counts": counts, "protocol": protocol, "dataset": dataset}


def ours(runs: Sequence[RunEntry], key: str) -> list[Row]:
    (table,) = (table for table in paper_tables(runs) if table.key == key)
    return [row for row in table.rows if row.group == OURS and row.runs]


def test_probes_stand_in_the_table_of_linear_evaluation() -> None:
    met = benchmark("pretrain", "ntu60_xsub", recipe=1)
    view = benchmark("pretrain", "ntu60_xview", recipe=1)
    runs = [run("a", 9, **met), run("b", 5, variant="knn", **met), run("c", 7, **view)]
    (row,) = ours(runs, "self-supervised")
    assert row.label == "ActCLR, j"
    assert [cell.text for cell in row.cells] == ["90.0", "70.0", "not run", "not run"]


def test_few_labels_have_a_column_each() -> None:
    met = benchmark("finetune", "ntu60_xsub")
    counts = met["counts"]
    few = {**counts, "train": 4009, "train_left_out": counts["train"] - 4009}
    runs = [
        tuned("one", 3, "actclr", **met, variant="semi-1", rule="1 % of the labels"),
        tuned("ten", 6, "actclr", **{**met, "counts": few}, rule="10 % of the labels"),
        tuned("all", 9, "actclr", **met, variant="finetune"),
        tuned("scratch", 2, **met),
    ]
    (row,) = ours(runs, "self-supervised-semi")
    assert row.label == "Cross-entropy, j, after ActCLR"
    assert [cell.text for cell in row.cells] == ["30.0", "not run", "60.0", "not run"]
    assert ours(runs, "self-supervised-finetuned") == []
    runs.append(tuned("3s", 8, "actclr", **met, variant="finetune", stream="fused j,b,jm"))
    (row,) = ours(runs, "self-supervised-finetuned")
    assert row.cells[0].text == "80.0"
    assert ours(runs, "table-1") == []


def test_few_labels_are_not_compared_with_published_results_of_all() -> None:
    rows = {
        row.label: row
        for table in own_tables([tuned("few", 9, "actclr"), tuned("all", 5, variant="")])
        for row in table.rows
        if row.runs
    }
    assert rows["Cross-entropy, j"].compared == "nwucla_xview"
    assert rows["Cross-entropy, j, after ActCLR"].compared == "nwucla_xview, semi-10"


@pytest.mark.parametrize(
    ("variants", "shown"),
    [(["semi-10", "", "finetune"], [""]), (["knn", "linear", "linear-10"], ["linear"])],
)
def test_figures_show_one_use_of_labels(variants: list[str], shown: list[str]) -> None:
    task = "action" if "" in variants else "pretrain"
    runs = [run(name or "plain", 5, task=task, variant=name) for name in variants]
    drawn = [plan.draw()[1] for plan in confusion.plan(runs)]
    assert len(drawn) == len(shown)
    for caption, variant in zip(drawn, shown, strict=True):
        assert f"record {variant or 'plain'}0" in caption


def test_a_figure_does_not_mix_trainings_with_different_beginnings() -> None:
    runs = [tuned("scratch", 3), tuned("after", 8, "actclr")]
    captions = [plan.draw()[1] for plan in confusion.plan(runs)]
    assert ["after ActCLR" in caption for caption in captions] == [False, True]
