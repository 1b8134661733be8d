"""Which runs fill which cells, and what a cell says of them."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from typing import Any

import pytest

from aclnet.config import load_settings
from protocols.groups import RunEntry, flat_settings, group_runs
from protocols.records import FOREIGN, ResultRecord
from protocols.reporting.model import Column, Report, ReportTable, Row
from protocols.reporting.tables.catalogue import PAPER_TABLES
from protocols.reporting.tables.cells import EMPTY
from protocols.reporting.tables.conditions import load_conditions, unmet
from protocols.reporting.tables.gains import gain_tables
from protocols.reporting.tables.own import own_tables
from protocols.reporting.tables.paper import IMPORTED, OURS, paper_tables
from protocols.reporting.tables.rivals import rivals_tables
from protocols.reporting.tables.studies import cost_table, study_tables
from protocols.reporting.writers.html import render_html
from tasks.recipes import find_recipe
from tasks.spec import find_task


def run(file: str, **changes: Any) -> RunEntry:
    """A gait run that meets the conditions of Table VI, but for the changes."""
    name = changes.pop("dataset", "casia_b")
    synthetic = changes.pop("synthetic", False)
    made = {"task": "gait", "protocol": "casia_b"} | changes
    met = meeting(made["task"], made["protocol"])
    met["settings"]["train"] |= {"seed": changes.get("seed", 0)}
    fields: dict[str, Any] = {
        "dataset": {"name": name, "fingerprint": "ab", "synthetic": synthetic},
        "rule": "exact",
        "objective": "acl",
        "stream": "j",
        "seed": 0,
        "metrics": {"rank1": 0.5, "rank1/nm": 0.7, "rank1/bg": 0.5, "rank1/cl": 0.3},
        "intervals": {"rank1": (0.4, 0.6)},
        **met,
        "environment": {},
        "seconds": 1.0,
        "command": "aclnet-task gait train",
    }
    return RunEntry(file, ResultRecord.model_validate(fields | made))


def meeting(task: str, protocol: str, recipe: int = 0) -> dict[str, Any]:
    """Counts, settings and cells that meet the conditions of a protocol, as one recipe has them."""
    asked = load_conditions().get(f"{task}/{protocol}")
    if asked is None:
        return {"counts": {}, "settings": {"train": {}}, "cells": None}
    counts = {**asked.sequences, **asked.counts}
    views, gallery = counts.pop("views", 0), counts.pop("gallery_views", 0)
    if "all" in counts:
        counts |= {"training": counts.pop("all"), "test": 0}
    for name, part in (("training", "train"), ("training_subjects", "train_subjects")):
        if name in counts:
            counts[part] = counts.pop(name)
    settings: dict[str, Any] = {"train": {}}
    for name, value in list(asked.recipes.values())[recipe].items():
        *above, last = name.split(".")
        place = settings
        for part in above:
            place = place.setdefault(part, {})
        place[last] = value
    settings["evaluation"] = {"metric": next(iter(asked.metric.values()), None)}
    cells = {"probe_views": ["0"] * views, "gallery_views": ["0"] * gallery} if views else None
    return {"counts": counts, "settings": settings, "cells": cells}


def seeds(**changes: Any) -> list[RunEntry]:
    metrics = [{"rank1": rate} for rate in (0.50, 0.53, 0.62)]
    return [
        run(f"{seed}.json", seed=seed, metrics=rates, intervals={}, **changes)
        for seed, rates in enumerate(metrics)
    ]


def table_of(key: str, tables: Sequence[ReportTable]) -> ReportTable:
    (found,) = (table for table in tables if table.key == key)
    return found


def own(table: ReportTable) -> list[Row]:
    return [row for row in table.rows if row.source != "published"]


def test_a_row_needs_a_cell_a_column() -> None:
    row = Row("X", (), "ours", "")
    with pytest.raises(ValueError, match="'X' of t has 0 cells for 1 columns"):
        ReportTable("t", "T", (Column("a"),), (row,), (), "action", ())


def test_a_cell_averages_seeds_with_the_sample_deviation() -> None:
    (row,) = own(table_of("table-6", paper_tables(seeds())))
    cell = row.cells[3]
    assert cell.value == pytest.approx(100 * statistics.mean([0.50, 0.53, 0.62]))
    assert cell.spread == pytest.approx(100 * statistics.stdev([0.50, 0.53, 0.62]))
    assert cell.text == "55.0 ± 6.2"
    assert cell.runs == ("0.json", "1.json", "2.json")
    assert (row.group, row.source, row.reference) == (OURS, "ours", "aclnet-task gait train")


def test_one_run_has_no_spread() -> None:
    (row,) = own(table_of("table-6", paper_tables([run("one.json")])))
    assert [cell.text for cell in row.cells] == ["70.0", "50.0", "30.0", "50.0"]
    assert {cell.spread for cell in row.cells} == {None}


def test_without_runs_every_paper_table_says_not_run() -> None:
    tables = paper_tables([])
    for number in range(1, 11):
        rows = own(table_of(f"table-{number}", tables))
        assert rows
        assert all("not run" in [cell.text for cell in row.cells] for row in rows)
        assert {row.source for row in rows} == {"none"}


def test_generated_data_enter_no_paper_table() -> None:
    tables = paper_tables([run("w.json", synthetic=True), run("v.json", synthetic=True)])
    assert not [cell for t in tables for row in t.rows for cell in row.cells if cell.runs]


def changed(recipe: int = 0, **changes: Any) -> tuple[str, ...]:
    """Why a run on CASIA-B is left out of Table VI; counts replace its own, settings by name."""
    met = meeting("gait", "casia_b", recipe)
    for name, value in changes.items():
        part, _, setting = name.partition("__")
        if setting:
            met["settings"][part] = met["settings"][part] | {setting: value}
        else:
            met["counts"][part] = value
    return unmet(run("r.json", **met).record)


def test_each_protocol_of_a_table_has_conditions() -> None:
    asked = {
        f"{'finetune' if table.after else table.task}/{column.protocol}"
        for table in PAPER_TABLES
        for column in table.columns
    }
    assert {name for name in asked if not name.endswith("/")} == set(load_conditions())


@pytest.mark.parametrize("protocol", load_conditions())
def test_the_conditions_are_those_of_the_recipes(protocol: str) -> None:
    (part, benchmark), asked = protocol.split("/"), load_conditions()[protocol]
    for number, (name, wanted) in enumerate(asked.recipes.items()):
        task = name.partition("/")[0]
        settings = load_settings(find_task(task).settings, find_recipe(name))
        assert settings.benchmark == benchmark
        own = flat_settings(settings.model_dump(mode="json"))
        assert {key: json.loads(own[key]) for key in wanted} == wanted
        met = meeting(part, benchmark, number)
        if part == "finetune":
            met["settings"]["initial"] = {"objective": "actclr"}
        made = run("r.json", task=task, protocol=benchmark, dataset=asked.data[0], **met)
        assert unmet(made.record) == ()


def test_two_epochs_on_twenty_people_do_not_stand_in_table_six() -> None:
    met = meeting("gait", "casia_b")
    met["counts"] |= {"train_subjects": 14, "validation_subjects": 2, "test_subjects": 4}
    met["counts"] |= {"probe_subjects": 4, "gallery_subjects": 4, "train": 1600, "test": 440}
    met["settings"]["train"]["epochs"] = 2
    right, short = run("right.json"), run("short.json", **met)
    tables = {table.key: table for table in paper_tables([right, short])}
    six, other = tables["table-6"], tables["other-table-6"]
    assert [row.runs for row in six.rows if row.source == "ours"] == [("right.json",)]
    assert any('not shown: 1; "Other runs: Table VI' in note for note in six.notes)
    (row,) = other.rows
    assert (row.runs, row.cells[0].text) == (("short.json",), "70.0")
    (note,) = other.footnotes
    for reason in (
        "16 training people, not 74",
        "4 test people, not 50",
        "1,600 training sequences, not 8,140",
        "train.epochs is 2, not 150 as in the recipe gait/casia_b",
    ):
        assert reason in note
    assert {column.higher_is_better for column in other.columns} == {None}


def test_each_condition_is_asked() -> None:
    assert changed() == changed(1) == ()
    assert changed(train=4000) == ("4,000 training sequences, not 8,140",)
    assert changed(train=7400, validation=100) == ()  # copies of the poses lack some
    assert changed(test_subjects=49, validation_subjects=14, train_subjects=60) == (
        "49 test people, not 50",
    )
    assert changed(trained_epochs=3) == ("its training is not finished (epoch 3)",)
    small = {"name": "resgcn", "depth": "n21", "reduction": 8}
    (network,) = changed(network__encoder=small, recipe=1)
    assert network == "network.encoder.depth is n21, not n39 as in the recipe gait/gaitgraph"
    met = meeting("gait", "casia_b")
    fewer = {**met, "settings": {**met["settings"], "gallery_takes": "first 1"}}
    assert unmet(run("r.json", **fewer).record) == (
        "gallery_takes is first 1, not unset as in the recipe gait/casia_b",
    )
    five = {**met, "cells": {**met["cells"], "probe_views": ["0", "18", "36", "54", "72"]}}
    assert unmet(run("r.json", **five).record) == ("5 views, not 11",)
    pooled = {**met, "cells": {**met["cells"], "gallery_views": ["all"]}}
    assert unmet(run("r.json", **pooled).record) == ("1 view of the gallery, not 11",)
    unknown = {**met, "cells": None}
    assert unmet(run("r.json", **unknown).record) == (
        "its record does not state the number of views",
        "its record does not state the number of views of the gallery",
    )


def test_what_was_left_out_of_the_protocol_counts_as_not_met() -> None:
    assert changed(dropped_short=800, missing=200, unmated=5) == ()
    assert changed(dropped_short=3000, left_out=4000, ignored=2000, missing=1500, unmated=400) == (
        "3,000 sequences of too few frames",
        "4,000 sequences left out by the split",
        "2,000 test sequences in neither gallery nor probes",
        "1,500 recordings of the protocol that the data lack",
        "400 probes without a mate",
    )
    assert changed(probes=30, gallery=20) == (
        "30 probes, not 3,300",
        "20 gallery sequences, not 2,200",
    )
    assert changed(evaluation__metric="euclidean") == ("its metric is euclidean, not cosine",)
    (people,) = changed(identities__table=None)
    assert people == "identities.table is unset, not casia_b as in the recipe gait/casia_b"


def test_other_data_under_the_protocol_stand_beside_the_table() -> None:
    tables = {t.key: t for t in paper_tables([run("mine.json", dataset="my people")])}
    (own,) = (row for row in tables["table-6"].rows if row.source != "published")
    assert own.cells[0].text == "not run"
    (note,) = tables["other-table-6"].footnotes
    assert "its data are named my people, not casiab" in note


def test_imported_weights_were_trained_elsewhere() -> None:
    met = meeting("action", "ntu60_xsub")
    met["settings"]["train"] = {"epochs": 1}
    made: dict[str, Any] = {"task": "action", "protocol": "ntu60_xsub", "dataset": "ntu60", **met}
    assert unmet(run("a.json", objective="imported", **made).record) == ()
    assert len(unmet(run("a.json", **made).record)) == 1


def test_a_study_without_the_tables_figures_leaves_it_not_run() -> None:
    study = run("tsne.json", kind="evolution", intervals={}, metrics={"silhouette": 0.2})
    (row,) = own(table_of("table-6", paper_tables([study])))
    assert {cell.text for cell in row.cells} == {"not run"}


def test_imported_weights_have_rows_of_their_own() -> None:
    shared: dict[str, Any] = {
        "task": "action",
        "dataset": "ntu60",
        "protocol": "ntu60_xsub",
        "intervals": {},
        "metrics": {"top1": 0.9},
    }
    note = "weights imported from x.pth, not trained here"
    runs = [run("a.json", **shared), run("b.json", objective="imported", notes=(note,), **shared)]
    table = table_of("table-1", paper_tables(runs))
    assert [(row.source, row.group) for row in own(table)] == [
        ("ours", OURS),
        ("imported", IMPORTED),
    ]
    # X-View was not run, and that is said beside the figure of X-Sub.
    assert [cell.text for cell in own(table)[0].cells] == ["90.0", "not run"]
    assert note in table.notes


def test_other_settings_are_not_averaged_with_each_other() -> None:
    met = meeting("gait", "casia_b")["settings"]
    slow, fast = ({**met, "train": {**met["train"], "rate": rate}} for rate in (0.1, 0.2))
    runs = [*seeds(settings=slow), run("fast.json", seed=1, settings=fast)]
    groups = group_runs(runs)
    assert [group.files for group in groups] == [("0.json", "1.json", "2.json"), ("fast.json",)]
    assert [group.variant for group in groups] == ["rate=0.1", "rate=0.2"]
    labels = [row.label for row in own(table_of("table-6", paper_tables(runs)))]
    assert labels == ["ACL, j, rate=0.1", "ACL, j, rate=0.2"]


def test_seeds_are_tested_on_as_many_people_and_samples() -> None:
    fewer = meeting("gait", "casia_b")["counts"] | {"probes": 3295}
    runs = [*seeds(), run("fewer.json", seed=7, counts=fewer)]
    assert [group.variant for group in group_runs(runs)] == ["3,300 probes", "3,295 probes"]
    drawn = meeting("gait", "casia_b")["settings"] | {"identities": {"order": "drawn"}}
    (group,) = group_runs(
        [
            run(r.file, seed=r.record.seed, settings=drawn, counts=counts)
            for r, counts in zip(runs, [fewer, {**fewer, "probes": 3300}] * 2, strict=True)
        ]
    )
    assert len(group.runs) == 4


def test_an_unfinished_run_is_no_seed_of_finished_ones() -> None:
    counts = meeting("gait", "casia_b")["counts"] | {"trained_epochs": 3}
    runs = [run("0.json", counts=counts), *seeds()[1:], run("z.json")]
    assert [group.files for group in group_runs(runs)] == [
        ("0.json",),
        ("z.json", "1.json", "2.json"),
    ]
    rows = table_of("gait-casia-b", own_tables(runs)).rows
    assert rows[0].group == "casia_b: exact; training not finished (epoch 3)"
    assert rows[0].compared != rows[1].compared


def test_rows_of_several_rules_say_which() -> None:
    settings = meeting("gait", "casia_b")["settings"] | {"evaluation": {"metric": "euclidean"}}
    runs = [run("a.json"), run("b.json", rule="gaitgraph", settings=settings)]
    labels = [row.label for row in own(table_of("table-6", paper_tables(runs)))]
    assert labels == ["ACL, j, rule exact", "ACL, j, rule gaitgraph"]


def reid(file: str, objective: str, hits: int, **changes: Any) -> RunEntry:
    rate = hits / 10
    metrics = {"rank1": rate, "rank1/C-N": rate, "mAP": 0.1, "mAP/C-N": 0.1, "chance": 0.02}
    metrics |= {f"transg/{name}": value + 0.1 for name, value in metrics.items()}
    people = {"names": [str(n) for n in range(10)], "trials": [1] * 10}
    people["rank1_hits"] = [int(n < hits) for n in range(10)]
    cells = {"main": {"pairs": {"C-N": {"people": people}}}}
    fields: dict[str, Any] = {
        "task": "reid",
        "rule": "clean",
        "objective": objective,
        "metrics": metrics,
        "cells": cells,
    }
    return run(file, **(fields | changes))


def test_reidentification_tells_its_rules_apart() -> None:
    runs = [reid("ce.json", "ce", 2), reid("acl.json", "acl", 8)]
    rows = own(table_of("table-7", paper_tables(runs)))
    acl = {row.label: [cell.text for cell in row.cells] for row in rows if "ACL" in row.label}
    assert acl == {
        "ACL, j, rule transg": ["–", "–", "–", "90.0", "–"],  # noqa: RUF001 - the table's dash
        "ACL, j, rule clean": ["–", "–", "–", "80.0", "–"],  # noqa: RUF001 - the table's dash
    }
    table = table_of("reid-casia-b", own_tables(runs))
    labels = [row.label for row in table.rows]
    assert labels[0] == "Random pick"
    assert labels[-2:] == ["ACL, j", "ACL, j, rule transg"]
    place = [column.name for column in table.columns].index("against cross-entropy")
    cell = table.rows[labels.index("ACL, j")].cells[place]
    assert cell.text == "+60.0"
    assert "better" in cell.note
    assert cell.runs == ("acl.json", "ce.json")


def test_newer_gait_records_are_compared_by_person() -> None:
    names = [str(n) for n in range(10)]

    def entry(objective: str, hits: int, encoder: str = "st_gcn") -> RunEntry:
        right = [int(n < hits) for n in range(10)]
        people = {"names": names, "trials": {"nm": [1] * 10}, "rank1_hits": {"nm": right}}
        settings = {"network": {"encoder": {"name": encoder}}}
        file = f"{objective}-{encoder}.json"
        return run(file, objective=objective, cells={"people": people}, settings=settings)

    table = table_of("gait-casia-b", own_tables([entry("ce", 2), entry("acl", 8)]))
    place = [column.name for column in table.columns].index("against cross-entropy")
    texts = {row.label: row.cells[place].text for row in table.rows}
    assert texts["ACL, j"] == "+60.0"
    # With another encoder only bone lengths are compared.
    others = [entry("ce", 2), entry("acl", 8, "resgcn"), entry("bone-length", 1, "resgcn")]
    table = table_of("gait-casia-b", own_tables(others))
    texts = {row.label: row.cells[place].text for row in table.rows}
    assert [texts[name] for name in ("ACL, j", "Bone lengths, j")] == ["\N{EN DASH}", "-10.0"]
    # Older ones keep no such counts, and then there is no such column.
    plain = [run("a.json"), run("c.json", objective="ce")]
    names = [column.name for column in table_of("gait-casia-b", own_tables(plain)).columns]
    assert "against cross-entropy" not in names


def test_the_gain_of_the_objective_is_one_row_a_test() -> None:
    runs = [reid("ce.json", "ce", 2), reid("acl.json", "acl", 8)]
    runs += [run("a.json"), run("c.json", objective="ce", metrics={"rank1": 0.4}, intervals={})]
    runs.append(run("alone.json", dataset="casia_b 2"))
    gait, person, both = gain_tables(runs)
    (row,) = gait.rows
    assert row.label == "casia_b, casia_b"
    assert [cell.text for cell in row.cells] == [
        "40.0",
        "50.0",
        "40.0 to 60.0",
        "+10.0",
        "3,300",
        "1",
    ]
    assert "no counts per person" in row.cells[3].note
    (row,) = person.rows
    assert [row.cells[place].text for place in (0, 1, 3)] == ["20.0", "80.0", "+60.0"]
    assert "better" in row.cells[3].note
    assert [row.group for row in both.rows] == [
        "Gait recognition, rank-1",
        "Person re-identification, rank-1",
    ]
    assert [row.cells for row in both.rows] == [gait.rows[0].cells, person.rows[0].cells]
    twice = [*runs, run("b.json", settings={"clip": {"frames": 60}})]
    assert [table.key for table in gain_tables(twice)] == ["reid-acl-gain"]


def test_tests_of_other_streams_are_rows_that_name_them() -> None:
    both = [
        run(f"{objective}-{stream}.json", objective=objective, stream=stream)
        for stream in ("j", "j+b")
        for objective in ("ce", "acl")
    ]
    (table,) = gain_tables(both)
    assert [row.label for row in table.rows] == ["casia_b, casia_b, j", "casia_b, casia_b, j+b"]


SMOOTH = {"label_smoothing": 0.0}


def rival(objective: str, seed: int, right: int, **weights: Any) -> RunEntry:
    """A run that is right in `right` of each person's five samples, and in one more of somebody."""
    people, samples = 8, 5
    lucky = seed + len(objective) % 5
    hit = [n % samples < right + (n // samples == lucky) for n in range(people * samples)]
    outcomes = {
        "sample": [f"{n}" for n in range(people * samples)],
        "subjects": [f"{person}" for person in range(people)],
        "subject": [n // samples for n in range(people * samples)],
        "subsets": [""],
        "subset": [0] * (people * samples),
        "label": [0] * (people * samples),
        "predicted": [0 if one else 1 for one in hit],
    }
    return run(
        f"{objective}-{seed}-{weights}.json",
        task="action",
        dataset="utkinect",
        protocol="p",
        objective=objective,
        seed=seed,
        metrics={"top1": sum(hit) / len(hit)},
        intervals={},
        settings={"objective": {"inter_weight": 0.0, "intra_weight": 0.0} | SMOOTH | weights},
        cells={"classes": ["a", "b"], "outcomes": outcomes},
    )


def rivals(seeds: int = 3) -> list[RunEntry]:
    return [
        one
        for seed in range(seeds)
        for one in (
            rival("ce", seed, 2),
            rival("acl", seed, 3, inter_weight=0.3, intra_weight=0.3),
            rival("ce+fr_head", seed, 4, terms=[{"name": "fr_head", "weight": 0.1}]),
        )
    ]


def test_rivals_are_compared_with_cross_entropy_and_with_acl() -> None:
    (table,) = rivals_tables(rivals())
    shown = {row.label: [cell.text for cell in row.cells] for row in table.rows}
    assert list(shown) == ["Cross-entropy", "Cross-entropy + FR-Head", "ACL"]
    assert [cells[0] for cells in shown.values()] == [EMPTY.text, "0.1", "0.3"]
    assert shown["ACL"][3].startswith("+20.0 (")
    assert shown["Cross-entropy + FR-Head"][5].startswith("+20.0 (")
    assert shown["Cross-entropy"][3:7] == shown["ACL"][5:7] * 2 == [EMPTY.text] * 4
    detectable = table.rows[1].cells[4]
    assert detectable.value is not None
    assert detectable.value > 0
    assert len(detectable.runs) == 6


def test_while_a_weight_is_chosen_it_is_not_compared() -> None:
    runs = [*rivals(1), rival("ce+fr_head", 0, 1, terms=[{"name": "fr_head", "weight": 0.01}])]
    (table,) = rivals_tables(runs)
    assert [row.cells[0].value for row in table.rows] == [None, 0.01, 0.1, 0.3]
    assert [row.cells[3] != EMPTY for row in table.rows] == [False, False, False, True]


def test_cross_entropy_of_another_smoothing_is_compared_with_acl_alone() -> None:
    runs = [*rivals(), *(rival("ce", seed, 1, label_smoothing=0.1) for seed in range(3))]
    (table,) = rivals_tables(runs)
    plain, smooth, *_, acl = table.rows
    assert (plain.label, smooth.label) == (
        "Cross-entropy, label_smoothing=0.0",
        "Cross-entropy, label_smoothing=0.1",
    )
    assert acl.cells[3].text.startswith("+20.0 (")
    assert smooth.cells[3] == EMPTY
    assert smooth.cells[5].text.startswith("-40.0 (")


def test_acl_alone_has_no_table_of_rivals() -> None:
    ours = [one for one in rivals() if one.record.objective in ("ce", "acl")]
    assert rivals_tables([*ours, rival("ce+inter", 0, 3, inter_weight=0.1)]) == ()


def test_a_view_compared_with_itself_is_no_row_beside_other_views() -> None:
    note = "All samples have one view, 90: it is compared with itself, which others leave out."
    rows = table_of("gait-casia-b", own_tables([run("a.json"), run("b.json", notes=(note,))])).rows
    assert [row.group for row in rows] == [
        "casia_b: exact",
        "casia_b: exact; one view, compared with itself",
    ]
    assert rows[0].compared != rows[1].compared


def test_foreign_embeddings_are_no_arm_of_ours() -> None:
    runs = [run(f"{name}.json", objective=name, notes=(FOREIGN,)) for name in ("acl", "ce")]
    assert gain_tables(runs) == ()
    rows = table_of("gait-casia-b", own_tables([*runs, run("own.json")])).rows
    assert [row.marked for row in rows if row.source == "foreign"] == [
        "Cross-entropy, j [foreign]",
        "ACL, j [foreign]",
    ]
    assert not any("points" in cell.note for row in rows for cell in row.cells)
    six = paper_tables(runs)
    assert not any(row.runs for table in six for row in table.rows)


def test_kgbd_of_six_frames_enters_the_depth_sets() -> None:
    made: dict[str, Any] = {"dataset": "kgbd", "protocol": "kgbd"}
    runs = [
        reid("six.json", "acl", 5, **made),
        reid("forty.json", "acl", 9, settings={"clip": {"frames": 40}}, **made),
    ]
    rows = own(table_of("reid-depth-sets", paper_tables(runs)))
    assert [row.cells[1].text for row in rows if row.cells[1].runs] == ["60.0", "50.0"]


def test_studies_of_a_run_have_their_own_tables() -> None:
    shared: dict[str, Any] = {
        "task": "action",
        "dataset": "ntu60",
        "protocol": "ntu60_xsub",
        "intervals": {},
    }
    runs = [
        run(
            "o.json",
            rule="10 clips",
            kind="occlusion",
            metrics={"top1": 0.9, "top1/left_arm": 0.8, "top1/trunk": 0.7},
            **shared,
        ),
        run(
            "d.json",
            rule="10 clips",
            kind="difficulty",
            variant="ce",
            metrics={"baseline/1-5": 0.6, "run/1-5": 0.65, "gain/1-5": 0.05},
            **shared,
        ),
    ]
    tables = paper_tables(runs)
    nine = own(table_of("table-9", tables))[0]
    assert (nine.cells[0].text, nine.cells[4].text) == ("80.0", "70.0")
    ten = own(table_of("table-10", tables))
    assert [row.cells[0].text for row in ten] == ["60.0", "65.0", "+5.0"]
    assert own(table_of("table-1", tables))[0].cells[0].text == "not run"
    assert not any(t.rows[0].cells[0].runs for t in own_tables(runs))
    hidden, levels = study_tables(runs)
    assert [column.name for column in hidden.columns][:2] == ["nothing hidden", "left arm"]
    assert levels.rows[0].cells[0].text == "+5.0"


def test_refused_unknown_actions_have_a_table() -> None:
    metrics = {"refused": 0.6, "false_alarms": 0.04, "top1": 0.9}
    study = run(
        "u.json",
        task="action",
        dataset="utkinect",
        protocol="utkinect_xsub",
        kind="unknown",
        variant="5 % false alarms",
        metrics={**metrics, "ece/before": 0.1, "ece/after": 0.02},
        intervals={"refused": (0.5, 0.7), "false_alarms": (0.0, 0.1)},
    )
    (table,) = study_tables([study])
    cells = [cell.text for cell in table.rows[0].cells]
    assert cells[:6] == ["60.0", "50.0 to 70.0", "4.0", "90.0", "10.0", "2.0"]
    assert len(cells) == len(table.columns)


def test_strangers_at_thresholds_of_other_people_have_a_table() -> None:
    strangers = {f"{rate}_from_development@fpir0.1": 0.1 for rate in ("fnir", "fpir")}
    judged = {
        "kind": "biometrics",
        "metrics": strangers,
        "intervals": dict.fromkeys(strangers, (0.05, 0.2)),
    }
    plain = run("b.json", kind="biometrics", metrics={"eer": 0.1}, intervals={})
    runs = [run("a.json", **judged), plain]
    (table,) = study_tables(runs)
    (row,) = table.rows
    found = ["10.0", "5.0 to 20.0", "10.0", "5.0 to 20.0"]
    assert [cell.text for cell in row.cells[:4]] == found
    assert len(row.cells) == len(table.columns)


def test_a_small_set_says_what_its_spread_contains() -> None:
    def notes(probes: int, seeds: int, **settings: Any) -> str:
        made = {"counts": {"probes": probes}, "settings": settings}
        runs = [run(f"{seed}.json", seed=seed, **made) for seed in range(seeds)]
        return " ".join(table_of("gait-casia-b", own_tables(runs)).notes)

    assert "With 190 test samples and 3 seeds, values are rough" in notes(190, 3)
    assert "With 190 test samples and 1 seed, values are rough" in notes(190, 1)
    assert "fewer than 500" not in notes(500, 3) + notes(190, 5)
    drawn = notes(190, 5, identities={"order": "drawn"})
    assert "on casia_b only, the choice of training and test people." in drawn
    assert "but not the choice of test samples." in notes(190, 5)


def test_an_unknown_task_is_shown_by_its_records_alone() -> None:
    shared: dict[str, Any] = {"task": "Sign Language", "dataset": "signs", "protocol": "own"}
    metrics = {"wer": 0.25, "wer/long": 0.4, "chance": 0.9, "frames_late": 3.5}
    shared |= {"metrics": metrics, "intervals": {"wer": (0.2, 0.3)}, "notes": ("Two signers.",)}
    runs = [run("a.json", **shared), run("b.json", seed=1, **shared)]
    runs.append(run("study.json", kind="dreams", **shared))
    table = table_of("sign-language-signs", own_tables(runs))
    assert [(column.name, column.unit) for column in table.columns] == [
        ("wer", "%"),
        ("frames_late", ""),
        ("wer, interval", "%"),
        ("runs", ""),
    ]
    # Nobody says which end is better: nothing is marked as the best.
    assert {column.higher_is_better for column in table.columns[:2]} == {None}
    guess, row = table.rows
    assert (guess.label, guess.cells[0].text) == ("Random pick", "90.0")
    texts = [cell.text for cell in row.cells]
    assert texts == ["25.0", "3.50", "20.0 to 30.0", "2"]
    assert "Two signers." in table.notes
    page = render_html(Report((table,), (), tuple(runs)))
    assert '<option value="Sign Language">Sign Language</option>' in page
    assert '<option value="signs">signs</option>' in page
    assert 'class="others"' not in page
    assert "own, exact; dreams" in page


def test_cost_comes_from_its_records() -> None:
    assert {cell.text for cell in cost_table([]).rows[0].cells} == {"not run"}
    entry = run("c.json", intervals={}, metrics={"parameters": 3_728_796, "flops": 14.84e9})
    cost = RunEntry("c.json", entry.record.model_copy(update={"task": "cost", "kind": "cost"}))
    (row,) = cost_table([entry, cost]).rows
    assert [cell.text for cell in row.cells[:2]] == ["3.73", "14.840"]
