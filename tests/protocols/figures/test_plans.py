"""Figures of the report: which records allow which, what they show, what they leave out."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from matplotlib.axes import Axes

from protocols.biometrics.evaluate import evaluate_biometrics
from protocols.embeddings import Embeddings
from protocols.figures import (
    class_gain,
    cmc,
    confusion,
    det,
    evolution,
    families,
    hyper_curves,
    identity_errors,
    registry,
    score_histograms,
    training_curves,
    view_heatmap,
)
from protocols.figures.drawing.planning import FigurePlan
from protocols.figures.registry import make_figures
from protocols.groups import RunEntry
from protocols.records import DatasetReference, ResultRecord
from protocols.reid.evaluate import evaluate_reid
from protocols.reid.pairs import load_pairs

Planner = Callable[[Sequence[RunEntry]], Iterator[FigurePlan]]


def run(file: str, cells: dict[str, Any] | None = None, **fields: Any) -> RunEntry:
    """A run of ACL on MSR-Action3D, with other fields where given."""
    known: dict[str, Any] = {
        "task": "action",
        "dataset": DatasetReference(name="msraction3d", fingerprint="f", synthetic=False),
        "protocol": "msr_action3d",
        "rule": "10 clips",
        "objective": "acl",
        "stream": "j",
        "seed": 0,
        "metrics": {},
        "intervals": {},
        "counts": {},
        "settings": {},
        "environment": {},
        "seconds": 1.0,
        "command": "",
        "cells": cells,
    }
    return RunEntry(file, ResultRecord(**{**known, **fields}))


def classes(correct: Sequence[int]) -> dict[str, Any]:
    """Cells of two classes of 10 samples, each mistaken for the other."""
    table = [[i, j, n] for i, c in enumerate(correct) for j, n in ((i, c), (1 - i, 10 - c)) if n]
    names = ["hammer", "bend"]
    return {"classes": names, "tested": [10, 10], "correct": list(correct), "confusion": table}


def only(planner: Planner, runs: Sequence[RunEntry]) -> tuple[FigurePlan, list[Axes], str]:
    """The one figure that a kind draws of runs: its plan, axes and caption."""
    (plan,) = planner(runs)
    figure, caption = plan.draw()
    return plan, figure.axes, caption


def test_confusion_sums_the_seeds_of_the_whole_objective() -> None:
    runs = [
        run("a/acl-seed0.json", classes([10, 5])),
        run("a/acl-seed1.json", classes([8, 5]), seed=1),
        run("a/ce-seed0.json", classes([1, 1]), objective="ce"),
        run("a/study.json", classes([0, 0]), kind="sweep", variant="x"),
    ]
    plan, axes, caption = only(confusion.plan, runs)
    assert (plan.title, plan.datasets) == (
        "MSR-Action3D: confusion of the classes",
        ("MSR-Action3D",),
    )
    shown = [text.get_text() for text in axes[0].texts if text.get_visible()]
    assert shown == ["90", "10", "50", "50"]
    assert "40 predictions, 70.0 % right" in caption
    assert "seeds 0, 1; records acl-seed0, acl-seed1 in a." in caption


def test_a_part_of_the_classes_is_not_drawn_beside_the_whole() -> None:
    part = {"classes": ["bend"], "tested": [2], "correct": [2], "confusion": [[0, 0, 2]]}
    runs = [run("a.json", classes([9, 9])), run("b.json", part, protocol="msr_as1")]
    (plan,) = confusion.plan(runs)
    assert "as1" not in plan.key


def test_class_gain_pools_seeds_and_needs_cross_entropy_of_the_same_streams() -> None:
    ours = [run(f"acl{s}.json", classes([8, 6 + s]), seed=s) for s in (0, 1)]
    base = [run(f"ce{s}.json", classes([9, 4]), seed=s, objective="ce") for s in (0, 1)]
    _, (axes,), caption = only(class_gain.plan, ours + base)
    assert [bar.get_width() for bar in axes.patches] == pytest.approx([25, -10])
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["bend (10)", "hammer (10)"]
    assert "Cross-entropy: seeds 0, 1; records ce0, ce1" in caption
    other = [run("ce.json", classes([9, 4]), objective="ce", stream="b")]
    assert not list(class_gain.plan(ours + other))
    assert not list(class_gain.plan(base))


FAMILIES = {
    "hammer": [["bend", 3, 0], ["jog", 0, 0]],
    "bend": [["hammer", 0, 3], ["jog", 1, 0]],
    "jog": [],
    "kick": [["jog", 1, 0]],
}
BODY = {"pose": [[0, 0, 0], [0, 1, 0], [None, None, None]], "weight": [0.0, 1.0, 0.2]}
BODIES = {
    "bones": [[1, 0], [2, 1]],
    "parts": {"trunk": [0], "right_arm": [1, 2]},
    "y_down": False,
    "classes": dict.fromkeys(FAMILIES, BODY),
}
SHARES = {"mistakes_in_family": 0.75, "mistakes_in_family/chance": 0.25}


def family_run(cells: dict[str, Any], seed: int = 0) -> RunEntry:
    return run(f"families{seed}.json", cells, kind="families", metrics=SHARES, seed=seed)


def test_families_are_drawn_with_bodies_those_of_new_mistakes_first() -> None:
    runs = [family_run({"families": FAMILIES, "bodies": BODIES}, seed) for seed in (0, 1)]
    plan, axes, caption = only(families.plan, runs)
    titles = [one.get_title().partition("\n")[0] for one in axes]
    # Hammer has more mistakes than kick, but bend's family has shown them.
    assert titles == ["bend", "hammer", "jog", "kick", "jog", "hammer", "bend", "jog"]
    assert axes[0].get_xlabel() == "right arm"
    assert "75 % of all test mistakes" in caption
    assert "seed 0; record families0." in caption
    assert plan.key == "families-action-msraction3d-msr-action3d-acl"


def test_families_without_bodies_are_counts_and_without_members_nothing() -> None:
    _, axes, caption = only(families.plan, [family_run({"families": FAMILIES})])
    assert [one.get_title(loc="left") for one in axes] == ["bend (2)", "hammer (2)", "kick (1)"]
    assert "Bodies" not in caption
    assert not list(families.plan([family_run({"families": {"hammer": []}})]))
    assert not list(families.plan([family_run({"families": "none"})]))


def swept(setting: str, value: Any, top1: float, seed: int = 0, **base: Any) -> RunEntry:
    objective = {"overlap": 2, "margin": 0.1, setting: value}
    return run(
        f"s/{setting}={value}-seed{seed}.json",
        kind="sweep",
        variant=f"objective.{setting}",
        settings={"objective": objective, "train": {"seed": seed}, **base},
        metrics={"top1": top1},
        seed=seed,
    )


def test_a_panel_a_setting_values_in_rising_order_seeds_apart() -> None:
    runs = [
        swept("overlap", 4, 0.7),
        swept("overlap", 1, 0.5),
        swept("overlap", 1, 0.6, seed=1),
        swept("margin", 0.5, 0.8),
        run("ce.json", objective="ce", metrics={"top1": 0.4}),
        *(run(f"acl{s}.json", metrics={"top1": 0.6 + s / 50}, seed=s) for s in (0, 1)),
    ]
    _, axes, caption = only(hyper_curves.plan, runs)
    assert [one.get_xlabel() for one in axes] == ["overlap ($n_a$)", "margin ($\\epsilon$)"]
    assert [tick.get_text() for tick in axes[0].get_xticklabels()] == ["1", "4"]
    mean = next(line for line in axes[0].lines if line.get_marker() == "o")
    np.testing.assert_allclose(mean.get_ydata(), [55, 70])
    assert any(line.get_ydata()[0] == pytest.approx(40) for line in axes[0].lines)
    assert "standard deviation of 1.4 points" in caption
    assert "seeds 0, 1; values" in caption


def test_values_of_another_recipe_are_another_panel() -> None:
    runs = [swept("overlap", 1, 0.5, clip={"frames": f}) for f in (8, 9)]
    _, axes, _ = only(hyper_curves.plan, runs)
    assert len(axes) == 2
    # A setting that only one of the records knows came later.
    _, axes, _ = only(hyper_curves.plan, [*runs[:1], swept("overlap", 2, 0.5)])
    assert len(axes) == 1


def test_evolution_shows_objectives_of_the_same_samples_and_epochs() -> None:
    def study(objective: str, seed: int, epochs: Sequence[int] = (1, 9)) -> RunEntry:
        maps = [{"epoch": e, "silhouette": 0.5, "points": [[0, e], [1, seed]]} for e in epochs]
        cells = {"classes": ["a", "b"], "class": [0, 1], "maps": maps}
        metrics = {f"silhouette/{epoch}": epoch / 10 for epoch in epochs}
        name = f"{objective}{seed}.json"
        return run(name, cells, objective=objective, seed=seed, metrics=metrics)

    runs = [study("acl", 0), study("ce", 0), study("ce", 1), study("acl", 2, (1, 5))]
    first, other = evolution.plan(runs)
    figure, caption = first.draw()
    assert [one.get_ylabel() for one in figure.axes] == ["Cross-entropy", "", "ACL", ""]
    assert [one.get_title() for one in figure.axes[:2]] == ["epoch 1", "epoch 9"]
    assert "Cross-entropy 0.10, 0.90; ACL 0.10, 0.90" in caption
    assert "records ce0, acl0" in caption
    assert len(other.draw()[0].axes) == 2


def test_views_divide_hits_summed_over_seeds_and_need_several_views() -> None:
    def walk(seed: int, hits: list[list[int]], views: Sequence[str] = ("0", "90")) -> RunEntry:
        cells = {
            "conditions": ["nm"],
            "probe_views": list(views),
            "gallery_views": list(views),
            "rank1_hits": [hits],
            "trials": [[[4] * len(views)] * len(views)],
        }
        return run(f"{seed}.json", cells, task="gait", protocol="casia_b", seed=seed)

    plan, axes, caption = only(
        view_heatmap.plan, [walk(0, [[4, 2], [1, 3]]), walk(1, [[4, 4], [1, 3]])]
    )
    assert [text.get_text() for text in axes[0].texts] == ["100", "75", "25", "75"]
    assert "seeds 0, 1" in caption
    assert plan.title.startswith("MSR-Action3D, casia_b")
    assert not list(view_heatmap.plan([walk(0, [[4]], ["all"])]))


def people(seed: int) -> Embeddings:
    """Eight people in three conditions and two views."""
    rows = [
        (s, c, str(t), v)
        for s in range(8)
        for c, takes in (("nm", 6), ("bg", 2), ("cl", 2))
        for t in range(1, takes + 1)
        for v in ("000", "090")
    ]
    subject, condition, take, view = zip(*rows, strict=True)
    generator = np.random.default_rng(seed)
    centre = generator.standard_normal((8, 4))
    embedding = centre[list(subject)] + generator.standard_normal((len(rows), 4))
    names = [f"{number:03d}" for number in subject]
    sample = [f"{s}-{c}-{t}-{v}@0" for s, c, t, v in rows]
    return Embeddings(embedding.astype(np.float32), names, condition, take, view, sample=sample)


def reid_run(objective: str, seed: int) -> RunEntry:
    table = evaluate_reid(people(seed), load_pairs("casia_b"))
    cells = json.loads(json.dumps({"main": table.record_cells()}))
    fields: dict[str, Any] = {"task": "reid", "protocol": "casia_b", "rule": "clean"}
    return run(f"{objective}{seed}.json", cells, objective=objective, seed=seed, **fields)


def test_cmc_by_objective_by_pair_and_errors_by_person() -> None:
    runs = [reid_run("acl", 0), reid_run("acl", 1), reid_run("ce", 0)]
    objectives, pairs = cmc.plan(runs)
    (errors,) = identity_errors.plan(runs)
    main = [(entry.record.cells or {})["main"]["pairs"] for entry in runs]
    figure, caption = objectives.draw()
    lines = {line.get_label().partition(" (")[0]: line for line in figure.axes[0].lines}
    assert set(lines) == {"Cross-entropy", "ACL"}
    expected = 100 * np.mean([[pair["cmc"] for pair in one.values()] for one in main[:2]], (0, 1))
    np.testing.assert_allclose(lines["ACL"].get_ydata(), expected)
    assert "ACL seeds 0, 1" in caption
    assert len(pairs.draw()[0].axes[0].lines) == 5
    (axes,) = errors.draw()[0].axes
    assert "8 people" in axes.get_title(loc="left")


def biometrics_run(objective: str, seed: int) -> RunEntry:
    table = evaluate_biometrics(people(seed), targets=(0.1,), rotations=0)
    cells = json.loads(json.dumps(table.record_cells()))
    fields: dict[str, Any] = {
        "task": "gait",
        "protocol": "casia_b",
        "rule": "",
        "kind": "biometrics",
    }
    metrics = {name: float(value) for name, value in table.metrics.items()}
    name = f"{objective}{seed}.json"
    return run(name, cells, objective=objective, seed=seed, metrics=metrics, **fields)


def test_det_by_objective_and_condition_and_the_scores_behind_it() -> None:
    runs = [biometrics_run("acl", 0), biometrics_run("acl", 1), biometrics_run("ce", 0)]
    objectives, conditions = det.plan(runs)
    (scores,) = score_histograms.plan(runs)
    labels = [str(line.get_label()) for line in objectives.draw()[0].axes[0].lines]
    eer = 100 * runs[0].record.metrics["eer"]
    assert f"ACL (EER {eer:.1f} %)" in labels
    figure, caption = conditions.draw()
    assert [str(line.get_label())[:2] for line in figure.axes[0].lines] == ["nm", "bg", "cl", "eq"]
    assert "seed 0; record acl0." in caption
    (axes,) = scores.draw()[0].axes
    assert axes.get_xlabel() == "score"
    (mark,) = (line for line in axes.lines if line.get_linestyle() == ":")
    curve = (runs[0].record.cells or {})["det"]["all"]
    place = curve["threshold"].index(mark.get_xdata()[0])
    assert curve["fmr"][place] == pytest.approx(eer / 100, abs=0.03)


def test_pairs_of_re_identification_are_kept_apart() -> None:
    record = biometrics_run("acl", 0).record
    cells = record.cells or {}
    parts = {
        name: {kind: {name: cells[kind][name]} for kind in ("det", "histogram")}
        for name in ("nm", "cl")
    }
    metrics = {"eer/nm": 0.4, "eer/cl": 0.3}
    fields: dict[str, Any] = {
        "task": "reid",
        "protocol": "casia_b",
        "rule": "",
        "kind": "biometrics",
    }
    runs = [run("r.json", {"pairs": parts}, metrics=metrics, **fields)]
    (by_pair,), (scores,) = det.plan(runs), score_histograms.plan(runs)
    labels = [str(line.get_label()) for line in by_pair.draw()[0].axes[0].lines]
    assert labels == ["nm (EER 40.0 %)", "cl (EER 30.0 %)", "equal rates"]
    assert "pair nm alone" in scores.draw()[1]
    assert not list(cmc.plan(runs))


@pytest.mark.slow
def test_files_are_written_and_broken_records_are_reported(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text('{"kind": "epoch", "epoch": 1, "train/loss": 2.0}\n{"ki')
    good = run("a.json", classes([9, 8]))
    dataset = DatasetReference(name="other", fingerprint="g", synthetic=True)
    bad = run("b.json", {"classes": 5, "confusion": [], "tested": 0, "correct": 0}, dataset=dataset)
    worse = run("c.json", {"classes": ["a"], "confusion": [[3, 3, 3]]}, dataset=dataset)
    said: list[str] = []
    logs = {"first": tmp_path / "log.jsonl"}

    def broken(runs: Any) -> Any:
        return runs["none"]

    with mock.patch.dict(registry._FIGURES, {"broken": (broken, "runs")}):
        figures = make_figures([good, bad, worse], tmp_path, logs=logs, passed_over=said.append)
    assert [figure.key for figure in figures] == [
        "confusion-action-msraction3d-msr-action3d",
        "training",
    ]
    for figure in figures:
        assert figure.svg == tmp_path / "figures" / f"{figure.key}.svg"
        assert Path(figure.svg).read_text().startswith("<?xml")
        assert figure.png is not None
        assert figure.png.read_bytes().startswith(b"\x89PNG")
    assert "figures broken: " in said.pop(0)
    assert said
    assert all("confusion-action-other" in sentence for sentence in said)


def test_training_curves_are_a_figure_a_data_set(tmp_path: Path) -> None:
    dataset = DatasetReference(name="sbu", fingerprint="g", synthetic=False)
    runs = {"a/one": run("x.json"), "a/two": run("y.json"), "b": run("z.json", dataset=dataset)}
    logs = {}
    for name, entry in runs.items():
        entry.record.write(tmp_path / name / "record.json")
        logs[name] = tmp_path / name / "log.jsonl"
    plans = list(training_curves.plan(logs))
    assert [(one.key, one.datasets) for one in plans] == [
        ("training-action-msr-action3d", ("MSR-Action3D",)),
        ("training-action-sbu-kinect-interaction", ("SBU Kinect Interaction",)),
    ]


@pytest.mark.slow
def test_two_data_sets_of_one_name_have_two_keys(tmp_path: Path) -> None:
    other = DatasetReference(name="msraction3d", fingerprint="g", synthetic=False)
    runs = [run("a.json", classes([9, 8])), run("b.json", classes([9, 8]), dataset=other)]
    keys = [figure.key for figure in make_figures(runs, tmp_path)]
    assert len(set(keys)) == 2


OWN_FIGURE = """
from matplotlib.figure import Figure

from protocols.figures.drawing.planning import plan_of


def plan(runs):
    for run in runs:
        yield plan_of("mine", "my figure", run.record, lambda: (Figure(), "What I see."))
"""


def test_a_figure_of_ones_own_is_added_by_one_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_figure.py").write_text(OWN_FIGURE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(registry, "_FIGURES", dict(registry._FIGURES))
    registry.register_figure("mine", importlib.import_module("own_figure").plan)
    with pytest.raises(ValueError, match="a kind of figure 'mine' already"):
        registry.register_figure("mine", confusion.plan)
    (figure,) = make_figures([run("a.json")], tmp_path)
    assert (figure.title, figure.caption) == ("MSR-Action3D: my figure", "What I see.")
    assert Path(figure.svg).is_file()


def test_no_records_no_figures(tmp_path: Path) -> None:
    assert make_figures([], tmp_path) == ()
    assert list(tmp_path.iterdir()) == []
