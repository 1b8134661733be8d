"""Gait tables as text."""

from __future__ import annotations

import numpy as np
import pytest

from protocols.embeddings import Embeddings
from protocols.gait.evaluate import evaluate_gait
from protocols.gait.rules import RuleName
from protocols.gait.table import GaitTable
from protocols.gait.text import render_gait
from protocols.text import render_notes


def table(views: int = 3, rule: RuleName = "exact", seed: int = 0) -> GaitTable:
    generator = np.random.default_rng(seed)
    takes = [("nm", t) for t in range(1, 7)] + [(c, t) for c in ("bg", "cl") for t in (1, 2)]
    rows = [(s, c, t, 90 * v) for s in range(5) for c, t in takes for v in range(views)]
    subject, condition, take, view = (np.array(column) for column in zip(*rows, strict=True))
    embedding = np.eye(5)[subject] + 0.5 * generator.standard_normal((len(rows), 5))
    return evaluate_gait(
        Embeddings(embedding.astype(np.float32), subject, condition, take, view), rule=rule
    )


def test_views_stand_across_and_baselines_below() -> None:
    ours, bones = table(), table(seed=1)
    lines = render_gait(ours, "acl", baselines={"bone-length": bones}).splitlines()
    assert lines[0] == (
        "casia_b, rule exact, cosine distance: rank-1 in percent by probe view, identical views "
        "excluded"
    )
    assert lines[2].split() == ["condition", "0", "90", "180", "mean"]
    rows = [line.split() for line in lines[4:]]
    assert [row[:2] for row in rows[:11]] == [
        [name, condition]
        for name in ("acl", "bone-length")
        for condition in ("nm", "bg", "cl", "mean")
    ] + [["chance", condition] for condition in ("nm", "bg", "cl")]
    expected = [*ours.probe_mean[1], ours.metrics["rank1/bg"]]
    assert rows[1][2:] == [f"{100 * value:.2f}" for value in expected]
    assert rows[3][2:] == [f"{100 * ours.metrics['rank1']:.2f}"]
    assert rows[8][2:] == ["20.00"]
    assert lines[-1] == render_notes(ours.notes, ours.counts)
    assert "missing 0" in lines[-1]


def test_columns_are_aligned() -> None:
    text = render_gait(table(), "acl", baselines={"a longer name": table(seed=1)})
    head, rule, *rows = text.split("\n\n")[1].splitlines()
    ends = [i for i, mark in enumerate(rule) if mark == "-" and rule[i + 1 : i + 2] != "-"]
    assert [head[: end + 1].split()[-1] for end in ends[2:]] == ["0", "90", "180", "mean"]
    assert all(len(row) <= len(rule) for row in rows)


def test_without_views_all_measures_are_shown() -> None:
    single = table(views=1)
    text = render_gait(single, "acl")
    assert text.splitlines()[2].split() == ["condition", "rank1", "rank5", "rank10", "mAP", "mINP"]
    nm = next(line for line in text.splitlines() if line.startswith("acl"))
    assert nm.split()[5] == f"{100 * single.metrics['mAP/nm']:.2f}"
    assert "Note: All samples have one view, 0" in text


def one_condition(protocol: str) -> GaitTable:
    generator = np.random.default_rng(0)
    rows = [(s, kind, view) for s in range(5) for kind in ("00", "01") for view in ("000", "090")]
    subject, kind, view = (np.array(column) for column in zip(*rows, strict=True))
    embedding = np.eye(5)[subject] + 0.4 * generator.standard_normal((len(rows), 5))
    return evaluate_gait(Embeddings(embedding, subject, kind, view=view), protocol)


@pytest.mark.parametrize(
    ("protocol", "said"), [("oumvlp", "excluded"), ("oumvlp_gaitgraph2", "included")]
)
def test_one_condition_has_a_matrix_of_views_with_margins(protocol: str, said: str) -> None:
    found = one_condition(protocol)
    title, _, matrix, _ = render_gait(found, "x").split("\n\n")
    assert title.endswith(f"identical views {said}")
    head, _, *rows, margin = [line.split() for line in matrix.splitlines()]
    assert head == ["probe", "\\", "gallery", "0", "90", "mean"]
    rates, decimals = 100 * found.rank1[0], found.rule.table_decimals
    mean = [rates[0, 1], rates[1, 0]] if said == "excluded" else rates.mean(axis=1).tolist()
    for row, view, cells, right in zip(rows, ("0", "90"), rates, mean, strict=True):
        assert row == [view, *(f"{value:.{decimals}f}" for value in (*cells, right))]
    assert margin[-1] == f"{np.mean(mean):.{decimals}f}"


def test_the_headlines_condition_needs_no_mean() -> None:
    generator = np.random.default_rng(0)
    rows = [(s, k, v) for s in range(3) for k in ("00-nm", "01-nm", "02-bg") for v in ("0", "90")]
    subject, kind, view = (np.array(column) for column in zip(*rows, strict=True))
    data = Embeddings(generator.standard_normal((len(rows), 3)), subject, kind, view=view)
    table = evaluate_gait(data, "sustech1k")
    _, by_view, further, _ = render_gait(table, "x").split("\n\n")
    assert [line.split()[1] for line in by_view.splitlines()[2:11]] == list(table.conditions)
    assert "mean" not in [line.split()[1] for line in by_view.splitlines()[2:]]
    assert further.splitlines()[0].split() == ["condition", "rank5"]
    assert further.splitlines()[-1].split()[2] == f"{100 * table.metrics['rank5']:.2f}"


def test_gaitgraph2_prints_one_decimal() -> None:
    printed = table(rule="gaitgraph2")
    row = render_gait(printed, "x").splitlines()[4].split()
    assert row[2] == f"{100 * printed.probe_mean[0, 0]:.1f}"


def test_what_has_no_value_is_a_dash() -> None:
    generator = np.random.default_rng(0)
    data = Embeddings(
        generator.standard_normal((4, 3)).astype(np.float32),
        np.array([1, 1, 1, 1]),
        np.array(["nm"] * 4),
        np.array([1, 1, 5, 5]),
        np.array(["0", "90", "0", "90"]),
    )
    lines = render_gait(evaluate_gait(data), "acl").splitlines()
    bg = next(line for line in lines if line.startswith("acl") and " bg " in line)
    assert bg.split()[2:] == ["-", "-", "-"]
    assert any(line.startswith("Note: No value for") for line in lines)


def test_a_baseline_must_have_the_same_cells() -> None:
    with pytest.raises(ValueError, match="'bones' has conditions nm, bg, cl and views 0, 90, the"):
        render_gait(table(), "acl", baselines={"bones": table(views=2)})
