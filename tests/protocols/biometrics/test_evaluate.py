"""From embeddings to the table of biometric measures, its record and its text."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.biometrics import trials
from protocols.biometrics.evaluate import evaluate_biometrics
from protocols.biometrics.people_errors import MOST_UNITS, crossing_rates, fnmr_at
from protocols.biometrics.scores import compare_all
from protocols.biometrics.text import render_biometrics
from protocols.embeddings import Embeddings
from protocols.records import DatasetReference, ResultRecord

VIEWS = ("000", "090", "180")


def walkers(
    seed: int, people: int = 14, views: tuple[str, ...] = VIEWS, first: int = 0, noise: float = 0.7
) -> Embeddings:
    """Noisy identity vectors; bags and coats push them aside."""
    generator = np.random.default_rng(seed)
    takes = [("nm", t) for t in range(1, 7)] + [(c, t) for c in ("bg", "cl") for t in (1, 2)]
    rows = [(s, c, t, v) for s in range(people) for c, t in takes for v in views]
    subject, condition, take, view = (np.array(column) for column in zip(*rows, strict=True))
    centre = generator.standard_normal((people, 8))
    push = {"nm": 0.0, "bg": 0.4, "cl": 0.9}
    side = np.array([push[name] for name in condition])[:, None] * generator.standard_normal(8)
    embedding = centre[subject.astype(int)] + side + noise * generator.standard_normal(side.shape)
    names = np.array([f"{first + int(s):03d}" for s in subject])
    return Embeddings(embedding.astype(np.float32), names, condition, take, view)


def test_equals_a_slow_loop_over_all_comparisons() -> None:
    data = walkers(0, people=6)
    table = evaluate_biometrics(data, targets=(0.1,), rotations=0)
    unit = data.embedding.astype(float)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    gallery = (data.condition == "nm") & (data.take <= "4")
    for name in ("nm", "bg", "cl"):
        genuine, impostor = [], []
        for p in np.flatnonzero((data.condition == name) & ~gallery):
            for g in np.flatnonzero(gallery):
                if data.view[p] != data.view[g]:
                    side = genuine if data.subject[p] == data.subject[g] else impostor
                    side.append(float(np.float32(unit[p] @ unit[g])))
        assert table.counts[f"genuine/{name}"] == len(genuine)
        assert table.counts[f"impostor/{name}"] == len(impostor)
        allowed = int(0.1 * len(impostor))
        refused = np.sort(impostor)[::-1][allowed]
        # Of all scores above the first impostor that is refused, the lowest is the threshold.
        threshold = min(s for s in genuine + impostor if s > refused)
        assert table.metrics[f"threshold@fmr0.1/{name}"] == pytest.approx(threshold, abs=1e-6)
        expected = np.mean(np.array(genuine) < threshold)
        assert table.metrics[f"fnmr@fmr0.1/{name}"] == pytest.approx(expected, abs=1e-3)
        assert table.metrics[f"fmr_achieved@fmr0.1/{name}"] <= 0.1
    assert table.notes[0] == "Samples of one view are not compared with each other."


def test_a_threshold_of_nm_is_too_strict_for_coats() -> None:
    table = evaluate_biometrics(walkers(1), targets=(0.1, 0.01))
    metrics = table.metrics
    assert metrics["eer/nm"] < metrics["eer/bg"] < metrics["eer/cl"]
    assert metrics["fnmr_from_nm@fmr0.01/cl"] > metrics["fnmr@fmr0.01/nm"]
    assert "fnmr_from_nm@fmr0.01/nm" not in metrics
    point = next(row for row in table.applied if row.condition == "cl")
    assert point.value == metrics["threshold@fmr0.1/nm"]
    assert any(note.startswith("No development people were given") for note in table.notes)


def test_thresholds_come_from_development_people() -> None:
    both = walkers(2, people=24)
    people = sorted(set(both.subject.tolist()))
    test, strangers = (
        both.select(np.isin(both.subject, part)) for part in (people[:12], people[12:])
    )
    table = evaluate_biometrics(test, development=strangers, targets=(0.1,))
    other = evaluate_biometrics(strangers, targets=(0.1,), rotations=0)
    chosen = [row for row in table.applied if row.source == "development"]
    assert {row.condition for row in chosen} == {"all", "nm", "bg", "cl"}
    assert {row.value for row in chosen} == {other.metrics["threshold@fmr0.1"]}
    assert table.metrics["fmr_from_development@fmr0.1"] == chosen[0].point.fmr
    named = [row for row in table.applied if row.source == "nm"]
    assert {row.value for row in named} == {other.metrics["threshold@fmr0.1/nm"]}
    assert not any("No development people" in note for note in table.notes)
    with pytest.raises(ValueError, match=r"development and the test people: 12, such as '012'"):
        evaluate_biometrics(both, development=strangers)
    with pytest.raises(ValueError, match="test people: 24, such as '000'"):
        evaluate_biometrics(both, development=both)


def test_failures_to_acquire_count_against_the_system() -> None:
    table = evaluate_biometrics(
        walkers(3), targets=(0.1,), rotations=0, not_acquired={"NM": 6, "cl": 84}
    )
    assert table.counts["not_acquired"] == 90
    assert table.counts["not_acquired/bg"] == 0
    assert table.metrics["fta/cl"] == 0.5
    fnmr, fmr = table.metrics["fnmr@fmr0.1/cl"], table.metrics["fmr_achieved@fmr0.1/cl"]
    assert table.metrics["frr@fmr0.1/cl"] == pytest.approx(0.5 + 0.5 * fnmr)
    assert table.metrics["far@fmr0.1/cl"] == pytest.approx(0.5 * fmr)
    assert table.metrics["frr@fmr0.1/bg"] == table.metrics["fnmr@fmr0.1/bg"]
    intervals = table.intervals(np.random.default_rng(0), draws=100)
    low, high = intervals["fta/cl"]
    assert low < 0.5 < high
    assert intervals["frr@fmr0.1/cl"][0] > 0.5
    assert "Failed to acquire, probes (percent): nm 6 (6.67)" in render_biometrics(table)
    with pytest.raises(ValueError, match=r"\['hat'\] does not fit: the conditions are nm, bg, cl"):
        evaluate_biometrics(walkers(3), not_acquired={"hat": 1})


def test_the_record_holds_everything_and_is_small() -> None:
    table = evaluate_biometrics(walkers(4, people=20))
    cells = table.record_cells()
    intervals = table.intervals(np.random.default_rng(0), draws=100)
    record = ResultRecord(
        task="gait",
        dataset=DatasetReference(name="walkers", fingerprint="0", synthetic=True),
        protocol=table.protocol,
        rule="biometric",
        objective="acl",
        stream="joint",
        seed=0,
        metrics=dict(table.metrics),
        intervals=intervals,
        counts=dict(table.counts),
        settings={},
        environment={},
        seconds=0.0,
        command="",
        notes=table.notes,
        cells=cells,
    )
    text = record.to_json()
    assert len(text) < 80_000
    assert json.loads(text)["cells"]["det"]["cl"]["threshold"][-1] is None
    for name in ("all", "nm", "bg", "cl"):
        det, histogram = cells["det"][name], cells["histogram"][name]
        assert len(det["fmr"]) == len(det["fnmr"]) == len(det["threshold"]) <= 200
        assert sum(histogram["genuine"]) == det["genuine"]
        assert sum(histogram["impostor"]) == det["impostor"]
        assert len(histogram["edges"]) == len(histogram["genuine"]) + 1
    assert {(row["condition"], row["view"]) for row in cells["by_view"]} == {
        (condition, view) for condition in ("nm", "bg", "cl") for view in ("0", "90", "180")
    }
    worst = max(row["eer"] for row in cells["by_view"] if row["condition"] == "cl")
    assert table.metrics["eer_worst_view/cl"] == worst
    people = cells["people"]
    assert people["names"] == [f"{number:03}" for number in range(20)]
    assert sum(people["genuine"]) == table.counts["genuine"]
    share = sum(people["false_non_matches"]) / sum(people["genuine"])
    assert share == pytest.approx(table.metrics["fnmr@fmr0.01"])
    matched = sum(people["false_matches"]) / sum(people["impostor"])
    assert matched == pytest.approx(table.metrics["fmr_achieved@fmr0.01"])
    assert cells["open_set"]["rotations"] == 10


def test_every_error_rate_has_an_interval_that_holds_it() -> None:
    table = evaluate_biometrics(walkers(5, people=20), targets=(0.1, 0.01))
    intervals = table.intervals(np.random.default_rng(0), draws=400)
    again = table.intervals(np.random.default_rng(0), draws=400)
    assert intervals == again
    rates = [
        name
        for name in table.metrics
        if name.split("@")[0].split("/")[0]
        in ("eer", "fnmr", "fmr_from_nm", "fnmr_from_nm", "dir", "fnir")
    ]
    assert set(rates) == set(intervals)
    # Only all conditions together have non-mated probes enough for an FPIR of 0.01.
    assert len(rates) == 4 + 8 + 4 + 4 + 5 + 5
    for name in rates:
        low, high = intervals[name]
        assert 0.0 <= low <= table.metrics[name] <= high <= 1.0, name
        assert low < high, name


def test_no_error_seen_is_not_certainty() -> None:
    data = walkers(6, people=10, noise=0.01)
    still = data.select(data.condition == "nm")
    table = evaluate_biometrics(still, targets=(0.1,), rotations=0)
    assert table.metrics["eer"] == table.metrics["fnmr@fmr0.1"] == 0.0
    intervals = table.intervals(np.random.default_rng(0), draws=50)
    # Wilson's upper end for none among ten people.
    assert intervals["eer"] == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert intervals["fnmr@fmr0.1"] == pytest.approx((0.0, 0.2775), abs=1e-4)


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), scale=st.floats(0.01, 100))
def test_neither_order_nor_scale_changes_a_figure(seed: int, scale: float) -> None:
    data = walkers(seed % 1000, people=6)
    rows = np.random.default_rng(seed).permutation(len(data))
    labels: dict[str, Any] = {name: getattr(data, name)[rows] for name in Embeddings.text_fields()}
    other = Embeddings(data.embedding[rows] * 2.0 ** round(np.log2(scale)), **labels)
    before = evaluate_biometrics(data, generator=np.random.default_rng(0))
    after = evaluate_biometrics(other, generator=np.random.default_rng(0))
    assert after.counts == before.counts
    assert after.metrics == pytest.approx(before.metrics, rel=1e-6)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_scores_on_a_grid_tell_the_same_story(metric: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    data = walkers(7)
    exact = evaluate_biometrics(data, targets=(0.1, 0.01), metric=metric)
    monkeypatch.setattr(trials, "compare_all", partial(compare_all, exact_bytes=0))
    coarse = evaluate_biometrics(data, targets=(0.1, 0.01), metric=metric)
    assert 0.0 < coarse.resolution < 1e-3
    assert any(f"multiples of {coarse.resolution:g}" in note for note in coarse.notes)
    assert coarse.counts == exact.counts
    for name, value in exact.metrics.items():
        assert coarse.metrics[name] == pytest.approx(value, abs=5e-3), name


def test_the_ends_of_the_grid_are_counted() -> None:
    # The highest and the lowest cosine, in the first of two cells.
    vectors = np.array([[1.0, 0.0], [-1.0, 0.0]], dtype=np.float32)
    made = compare_all(vectors, vectors, ["a", "b"], ["a", "b"], exact_bytes=0)
    assert made.resolution > 0
    (first, second) = made.tallies([0, 0], 2)
    assert first.values.tolist() == [-1.0, 1.0]
    assert (first.genuine.tolist(), first.impostor.tolist()) == ([0, 2], [2, 0])
    assert len(second.values) == 0


def test_one_view_and_no_view() -> None:
    one = walkers(8, views=("090",))
    labels = {name: getattr(one, name) for name in ("subject", "condition", "take")}
    none = Embeddings(one.embedding, **labels)
    first = evaluate_biometrics(one, targets=(0.1,))
    with pytest.raises(ValueError, match="casia_b compares views"):
        evaluate_biometrics(none, targets=(0.1,))
    second = evaluate_biometrics(none, "casia_b_no_view", targets=(0.1,))
    assert first.metrics == second.metrics
    assert first.views == second.views == first.by_view == ()
    assert not any("one view" in note for note in first.notes)
    pooled = evaluate_biometrics(walkers(8), "casia_b_pooled", targets=(0.1,), rotations=0)
    assert pooled.notes[0] == "No sample is compared with its own person in its own view."
    single = evaluate_biometrics(walkers(8), targets=(0.1,), rotations=0)
    assert pooled.counts["genuine"] == single.counts["genuine"]
    assert pooled.counts["impostor"] == single.counts["impostor"] * 3 // 2


def test_views_of_other_gait_sets() -> None:
    data = walkers(8)
    data = data.select(data.condition == "nm")
    kind = np.where(data.take <= "4", "0", "1")
    data = Embeddings(data.embedding, data.subject, kind, view=data.view)
    hid = evaluate_biometrics(data, "hid", targets=(0.1,), rotations=0)
    probes, gallery = hid.counts["probes"], hid.counts["gallery"]
    assert hid.counts["genuine"] + hid.counts["impostor"] == probes * gallery
    assert hid.notes[0] == "Scores are of plain distances, not re-ranked ones."
    swapped = evaluate_biometrics(data, "oumvlp_gaitgraph2", targets=(0.1,), rotations=0)
    assert swapped.counts["genuine"] + swapped.counts["impostor"] == probes * gallery
    types = replace(data, condition=np.where(kind == "0", "U0_D0", "U0_D0_BG"))
    with pytest.raises(ValueError, match="Protocol ccpg has a gallery for each condition"):
        evaluate_biometrics(types, "ccpg", targets=(0.1,))


def test_many_people_are_resampled_in_groups() -> None:
    data = walkers(9, people=MOST_UNITS + 20, views=("090",))
    table = evaluate_biometrics(data, targets=(0.1,), rotations=0)
    assert table.errors.impostor.shape == (3, MOST_UNITS, MOST_UNITS)
    assert table.people == ()
    assert "people" not in table.record_cells()
    assert int(table.errors.genuine.sum()) == table.counts["genuine"]
    assert int(table.errors.impostor.sum()) == table.counts["impostor"]
    intervals = table.intervals(np.random.default_rng(0), draws=50)
    assert intervals["eer"][0] < table.metrics["eer"] < intervals["eer"][1]


def test_resampled_curves_are_read_between_their_points() -> None:
    fmr, fnmr = np.array([[0.9, 0.4, 0.0]]), np.array([[0.0, 0.2, 0.8]])
    assert crossing_rates(fmr, fnmr) == pytest.approx([0.32])
    assert np.isnan(crossing_rates(fmr, fnmr - 2.0)).all()
    halfway = float(np.sqrt(0.9 * 0.4))
    assert fnmr_at(fmr, fnmr, halfway, 1e-3) == pytest.approx([0.1])


def test_text() -> None:
    table = evaluate_biometrics(walkers(10), targets=(0.1, 0.01))
    intervals = table.intervals(np.random.default_rng(0), draws=50)
    text = render_biometrics(table, intervals=intervals)
    assert text.startswith("casia_b, cosine scores: verification, rates in percent")
    low, high = intervals["eer/cl"]
    cell = f"{100 * table.metrics['eer/cl']:.2f} [{100 * low:.2f}, {100 * high:.2f}]"
    assert cell in text
    assert "thresholds chosen elsewhere" in text
    assert "open set, 7 people enrolled, mean of 10 draws" in text
    assert f"({100 * table.metrics['dir_spread@far0.1/bg']:.2f})" in text
    assert all(f"Note: {note}" in text for note in table.notes)


def test_what_cannot_be_measured_is_noted() -> None:
    table = evaluate_biometrics(walkers(11, people=4, views=("000",)), targets=(0.1, 1e-6))
    assert "fnmr@fmr0.1" in table.metrics
    assert not any("1e-06" in name for name in table.metrics)
    unseen = [
        note for note in table.notes if note.startswith("An FMR of 1e-06 cannot be measured on")
    ]
    assert [note.split(" of ")[-1] for note in unseen] == [
        f"{where}: left out." for where in ("all conditions", "nm", "bg", "cl")
    ]
    alone = walkers(12, people=1)
    with pytest.raises(ValueError, match="0 impostor comparisons with these embeddings"):
        evaluate_biometrics(alone)
    with pytest.raises(ValueError, match="Target false match rates must be above 0"):
        evaluate_biometrics(walkers(11), targets=(0.0,))
    zeros = Embeddings(np.zeros((2, 3)), ["1", "1"], ["nm", "nm"], ["1", "5"], ["0", "90"])
    with pytest.raises(ValueError, match="sample '1-nm-1-0' is all zeros"):
        evaluate_biometrics(zeros)
