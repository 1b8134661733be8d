"""The CASIA-B tables that GaitGraph, GaitGraph2 and OpenGait print for the same embeddings."""

from __future__ import annotations

import functools
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from protocols.embeddings import load_embeddings
from protocols.gait.evaluate import evaluate_gait
from protocols.gait.gallery_probe import load_protocol
from protocols.gait.rules import RuleName
from protocols.gait.table import GaitTable
from protocols.ranking.distances import Metric

CONDITIONS = ("nm", "bg", "cl")
MEASURES = ("rank1", "rank5", "rank10", "mAP", "mINP")
Golden = dict[str, npt.NDArray[Any]]


@pytest.fixture(params=["full", "missing", "ties"])
def case(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def golden(shared: Path, case: str) -> Golden:
    with np.load(shared / "golden" / "gait" / f"casia_b_{case}.npz") as archive:
        return {key: archive[key] for key in archive.files}


@functools.cache
def evaluate(
    shared: Path,
    case: str,
    rule: RuleName,
    metric: Metric | None = None,
    protocol: str = "casia_b",
) -> GaitTable:
    data = load_embeddings(shared / "golden" / "gait" / f"casia_b_{case}.npz")
    return evaluate_gait(data, protocol, rule, metric=metric)


def condition_means(table: GaitTable) -> list[float]:
    return [table.metrics.get(f"rank1/{name}", float("nan")) for name in CONDITIONS]


@pytest.mark.parametrize(
    ("rule", "reference"),
    [("exact", "cos"), ("gaitgraph", "euc"), ("gaitgraph2", "cos"), ("opengait", "euc")],
)
def test_every_count_equals_brute_force(
    shared: Path, case: str, golden: Golden, rule: RuleName, reference: str
) -> None:
    table = evaluate(shared, case, rule)
    # Rank-1, 5 and 10; ties by the lowest gallery row, also under cosine.
    np.testing.assert_array_equal(table.cells.hits, golden[f"bf_{reference}_hits"][:3])
    np.testing.assert_array_equal(table.cells.probes, golden["n_probe"])
    np.testing.assert_array_equal(table.cells.gallery, golden["n_gallery"])
    np.testing.assert_array_equal(table.cells.unmated, golden["n_no_mate"])
    assert table.conditions == CONDITIONS
    assert table.views == tuple(str(view) for view in range(0, 181, 18))


def test_gaitgraph(shared: Path, case: str, golden: Golden) -> None:
    table = evaluate(shared, case, "gaitgraph")
    counts = table.cells.hits[0].transpose(0, 2, 1)
    np.testing.assert_array_equal(counts, golden["gg1_correct"])
    np.testing.assert_allclose(condition_means(table), golden["gg1_sub"], rtol=1e-12)
    np.testing.assert_allclose(table.probe_mean, golden["gg1_table"][:, :-1], rtol=1e-12)
    np.testing.assert_allclose(condition_means(table), golden["gg1_table"][:, -1], rtol=1e-12)
    assert table.metrics["accuracy_avg"] == pytest.approx(float(golden["gg1_accuracy_avg"]))


@pytest.mark.parametrize("case", ["full", "missing"], indirect=True)
def test_gaitgraph2(shared: Path, case: str, golden: Golden) -> None:
    table = evaluate(shared, case, "gaitgraph2")
    rates = table.rank1.transpose(0, 2, 1)
    np.testing.assert_allclose(rates, golden["gg2_accuracy"], atol=1e-6)
    np.testing.assert_allclose(condition_means(table), golden["gg2_sub"], atol=1e-6)
    assert table.metrics["accuracy_avg"] == pytest.approx(
        float(golden["gg2_accuracy_avg"]), abs=1e-6
    )
    printed = np.round(100 * np.column_stack([table.probe_mean, condition_means(table)]), 1)
    np.testing.assert_allclose(printed, golden["gg2_table_rounded"], atol=1e-4)


@pytest.mark.parametrize("case", ["full", "missing"], indirect=True)
def test_gaitgraph2_with_identical_views_in_the_means(
    shared: Path, case: str, golden: Golden
) -> None:
    data = load_embeddings(shared / "golden" / "gait" / f"casia_b_{case}.npz")
    protocol = load_protocol("casia_b").model_copy(update={"identical_views": "included"})
    table = evaluate_gait(data, protocol, "gaitgraph2")
    expected = float(golden["gg2_accuracy_avg"])
    assert table.metrics["rank1"] == pytest.approx(expected, abs=1e-6)
    by_gallery = golden["gg2_accuracy"].mean(axis=2)
    np.testing.assert_allclose(table.gallery_mean, by_gallery, atol=1e-6)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_opengait_with_equal_parts(shared: Path, metric: Metric) -> None:
    data = load_embeddings(shared / "golden" / "gait" / "casia_b_missing.npz")
    rows = data.select(np.flatnonzero(data.subject.astype(int) < 90))
    parts = replace(rows, embedding=np.repeat(rows.embedding[:, :, None], 3, axis=2))
    flat, found = (
        evaluate_gait(each, "casia_b", "opengait", metric=metric) for each in (rows, parts)
    )
    assert found.metrics == flat.metrics


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_opengait(shared: Path, case: str, golden: Golden, metric: Metric) -> None:
    if case == "ties" and metric == "cosine":
        pytest.skip("OpenGait's order among equal cosines depends on float rounding")
    key = metric[:3]
    table = evaluate(shared, case, "opengait", metric)
    # FastPoseGait computes the same table.
    for reference in (f"og_{key}_acc", f"fpg_{key}_acc"):
        np.testing.assert_allclose(100 * table.rank1, golden[reference], atol=1e-10)
    means = golden[f"og_{key}_mean"]
    np.testing.assert_allclose(condition_means(table), means / 100, atol=1e-12)
    assert 100 * table.metrics["rank1"] == pytest.approx(means.mean(), abs=1e-10)


@pytest.mark.parametrize("case", ["full", "missing"], indirect=True)
@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_opengait_with_a_pooled_gallery(
    shared: Path, case: str, golden: Golden, metric: Metric
) -> None:
    table = evaluate(shared, case, "opengait", metric, "casia_b_pooled")
    expected = golden[f"og_{metric[:3]}_pooled"]
    found = [[table.metrics[f"{m}/{c}"] for m in MEASURES] for c in CONDITIONS]
    # OpenGait sums mAP and mINP in float32.
    np.testing.assert_allclose(found, expected, atol=2e-6)


@pytest.mark.parametrize("case", ["full", "missing"], indirect=True)
@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_opengait_with_a_cross_view_gallery(
    shared: Path, case: str, golden: Golden, metric: Metric
) -> None:
    table = evaluate(shared, case, "opengait", metric, "casia_b_cross_view_gallery")
    expected = golden[f"og_{metric[:3]}_xgal"]
    rank1 = [100 * table.metrics[f"rank1/{c}"] for c in CONDITIONS]
    precision = [100 * table.metrics[f"mAP/{c}"] for c in CONDITIONS]
    np.testing.assert_allclose(rank1, expected[:, 0], atol=1e-10)
    # OpenGait rounds the mAP of each of the 11 views from float32: one of them may fall on the
    # other side of half a hundredth of a percent.
    np.testing.assert_allclose(precision, expected[:, 1], atol=0.01 / 11 + 1e-9)


@pytest.mark.parametrize("case", ["ties"], indirect=True)
@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_ties_stay_within_what_they_can_decide(
    shared: Path, case: str, golden: Golden, metric: Metric
) -> None:
    data = load_embeddings(shared / "golden" / "gait" / f"casia_b_{case}.npz")
    shuffled = data.select(np.random.default_rng(0).permutation(len(data)))
    hits = evaluate_gait(shuffled, metric=metric).cells.hits[0]
    worst = golden[f"bf_{metric[:3]}_r1_pessimistic"]
    best = golden[f"bf_{metric[:3]}_r1_optimistic"]
    assert (worst < best).any()
    assert (worst <= hits).all()
    assert (hits <= best).all()
    assert (hits != golden[f"bf_{metric[:3]}_hits"][0]).any()


def test_expected_means_of_the_default_rule(shared: Path) -> None:
    means = condition_means(evaluate(shared, "missing", "exact"))
    np.testing.assert_allclose(means, [0.872581, 0.813155, 0.769735], atol=5e-7)


def test_missing_recordings_and_unmated_probes_are_counted(shared: Path) -> None:
    counts = evaluate(shared, "missing", "exact").counts
    assert counts["missing"] == 5500 - 5062
    assert counts["probes"] + counts["gallery"] == 5062
    assert counts["ignored"] == 0
    assert counts["never_probed_subjects"] == 1
    data = load_embeddings(shared / "golden" / "gait" / "casia_b_missing.npz")
    assert counts["unmated"] == np.count_nonzero(data.subject == "111")


@pytest.mark.slow
def test_the_whole_table_takes_seconds(shared: Path) -> None:
    data = load_embeddings(shared / "golden" / "gait" / "casia_b_full.npz")
    started = time.process_time()
    evaluate_gait(data)
    assert time.process_time() - started < 5.0
