"""Re-identification: rules against a slow oracle, invariances, levels, counts, errors."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.embeddings import Embeddings
from protocols.ranking.reranking import rerank
from protocols.records import DatasetReference, ResultRecord
from protocols.reid.evaluate import evaluate_reid
from protocols.reid.pairs import load_pairs
from protocols.reid.rules import RULES, reid_rule
from protocols.reid.walks import pool_walks
from protocols.statistics.intervals import wilson_interval

PAIRS = ("N-N", "B-B", "C-C", "C-N", "B-N")


def sequences(
    generator: np.random.Generator, people: int = 6, dims: int = 8, noise: float = 1.0
) -> Embeddings:
    """Sequences cut from walks in three conditions, two takes and two views; some are lost."""
    rows = [
        (f"person {s}", c, t, v, f)
        for s in range(people)
        for c in ("nm", "bg", "cl")
        for t in ("1", "2")
        for v in ("000", "090")
        for f in range(0, 120, 40)
    ]
    subject, condition, take, view, _ = zip(*rows, strict=True)
    walk = [f"{s}-{c}-{t}-{v}@{f}" for s, c, t, v, f in rows]
    centre = {name: generator.standard_normal(dims) for name in dict.fromkeys(subject)}
    embedding = [centre[name] + noise * generator.standard_normal(dims) for name in subject]
    data = Embeddings(
        np.array(embedding, dtype=np.float32), subject, condition, take, view, sample=walk
    )
    return data.select(generator.random(len(data)) < 0.9)


def slow(data: Embeddings, probe_set: str, gallery_set: str, rule: str) -> dict[str, float]:
    """One probe at a time, cosine, by the words of the rule."""
    unit = data.embedding.astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    gallery = np.flatnonzero(data.condition == gallery_set)
    values: list[list[float]] = []
    for probe in np.flatnonzero(data.condition == probe_set):
        walk = [(getattr(data, name) == getattr(data, name)[probe]) for name in ("take", "view")]
        person = data.subject == data.subject[probe]
        hidden = {
            "clean": np.arange(len(data)) == probe,
            "cross-take": person & walk[0] & walk[1] & (data.condition == probe_set),
            "market1501": person & walk[1],
        }[rule]
        seen = [row for row in gallery if not hidden[row]]
        seen.sort(key=lambda row: -float(unit[probe] @ unit[row]))
        places = [place for place, row in enumerate(seen, 1) if person[row]]
        if not places:
            if rule != "market1501":
                values.append([0.0] * 5)
            continue
        precision = [hit / place for hit, place in enumerate(places, 1)]
        ranks = [float(places[0] <= k) for k in (1, 5, 10)]
        values.append([*ranks, float(np.mean(precision)), len(places) / places[-1]])
    return dict(
        zip(("rank1", "rank5", "rank10", "mAP", "mINP"), np.mean(values, axis=0), strict=True)
    )


@pytest.mark.parametrize("rule", ["clean", "cross-take", "market1501"])
def test_every_pair_equals_the_slow_oracle(rule: str) -> None:
    data = sequences(np.random.default_rng(3))
    lonely = (data.subject != "person 5") | (data.condition != "nm")  # unmated in C-N and B-N
    data = data.select(lonely)
    table = evaluate_reid(data, "casia_b", rule=rule)
    names = load_pairs("casia_b").sets
    for result in table.pairs:
        expected = slow(data, names[result.pair.probe], names[result.pair.gallery], rule)
        figures = result.metrics
        del figures["chance"]
        assert figures == pytest.approx(expected, rel=1e-12)
    for name in ("rank1", "mAP"):
        mean = np.mean([table.metrics[f"{name}/{pair}"] for pair in PAIRS])
        assert table.metrics[name] == pytest.approx(mean)
    assert table.counts["unmated/C-N"] == np.sum(
        (data.subject == "person 5") & (data.condition == "cl")
    )
    assert any(note.startswith("Probes without a mate") for note in table.notes)


@pytest.mark.parametrize("rule", list(RULES))
@pytest.mark.parametrize("level", ["sequence", "walk"])
def test_search_and_whole_ranking_agree(rule: str, level: Any) -> None:
    data = sequences(np.random.default_rng(4))
    whole = evaluate_reid(data, "casia_b", rule=rule, level=level)
    found = evaluate_reid(data, "casia_b", rule=rule, level=level, precision=False)
    assert "mAP" not in found.metrics
    assert found.metrics.items() <= whole.metrics.items()
    assert found.counts == whole.counts
    for a, b in zip(found.pairs, whole.pairs, strict=True):
        np.testing.assert_array_equal(a.cmc, b.cmc)


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_nothing_that_should_not_matter_changes_a_clean_figure(seed: int) -> None:
    generator = np.random.default_rng(seed)
    data = sequences(generator, people=4)
    before = evaluate_reid(data, "casia_b", ["N-N", "C-N"])
    names = {name: f"walker {n}" for n, name in enumerate(np.unique(data.subject)[::-1])}
    changed = (
        data.select(generator.permutation(len(data))),
        replace(data, subject=np.array([names[name] for name in data.subject])),
        replace(data, embedding=data.embedding * np.float32(generator.uniform(0.01, 100.0))),
        replace(data, condition=np.char.upper(data.condition)),
        replace(
            data, condition=np.array([{"nm": "0", "bg": "1", "cl": "2"}[c] for c in data.condition])
        ),
    )
    for other in changed:
        after = evaluate_reid(other, "casia_b", ["N-N", "C-N"])
        assert after.metrics == pytest.approx(before.metrics, rel=1e-9)
        assert after.counts == before.counts


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_figures_are_ordered_as_they_must_be(seed: int) -> None:
    table = evaluate_reid(sequences(np.random.default_rng(seed), people=3), "casia_b")
    for result in table.pairs:
        rates = result.metrics
        assert 0.0 <= rates["rank1"] <= rates["rank5"] <= rates["rank10"] <= 1.0
        assert 0.0 < rates["mINP"] <= rates["mAP"] <= 1.0
        assert rates["rank10"] == result.cmc[9]


def test_ties_go_to_the_lowest_gallery_row() -> None:
    data = Embeddings(np.ones((3, 2)), ["a", "b", "a"], ["probe", "gallery", "gallery"])
    assert evaluate_reid(data, "kgbd").metrics["rank1"] == 0.0
    assert evaluate_reid(data.select([0, 2, 1]), "kgbd").metrics["rank1"] == 1.0
    assert evaluate_reid(data.select([0, 2, 1]), "kgbd", rule="transg").metrics["mAP"] == 0.5


def test_transg_drops_the_last_partial_batch_of_a_large_set() -> None:
    generator = np.random.default_rng(0)
    side = np.repeat(["probe", "gallery"], [300, 256])
    data = Embeddings(generator.standard_normal((556, 4)), generator.integers(0, 9, 556), side)
    table = evaluate_reid(data, "kgbd", rule="transg")
    assert table.counts == {
        "probes": 256, "valid": 256, "unmated": 0, "gallery": 256, "dropped": 44,
    }  # fmt: skip
    kept = np.concatenate([np.arange(256), np.arange(300, 556)])
    assert evaluate_reid(data.select(kept), "kgbd", rule="transg").metrics == table.metrics
    assert any("drops the last partial batch of 256" in note for note in table.notes)
    assert evaluate_reid(data, "kgbd").counts["dropped"] == 0
    same = replace(data, condition=np.full(556, "nm"))
    assert evaluate_reid(same, "casia_b", rule="transg").counts["dropped"] == 44


def test_sequences_in_no_set_are_said() -> None:
    data = Embeddings(np.eye(4), ["a", "a", "a", "b"], ["probe", "gallery", "else", "else"])
    assert "Left out because in no set of kgbd: 2 of 4." in evaluate_reid(data, "kgbd").notes
    assert not any("no set" in note for note in evaluate_reid(data.select([0, 1]), "kgbd").notes)


def test_transg_passes_over_an_unmated_probe_only_in_map() -> None:
    data = Embeddings(
        [[1.0], [5.0], [1.0], [9.0]], ["a", "b", "a", "c"],
        ["probe", "probe", "gallery", "gallery"],
    )  # fmt: skip
    table = evaluate_reid(data, "kgbd", rule="transg")
    assert (table.metrics["rank1"], table.metrics["mAP"]) == (0.5, 1.0)
    assert (table.counts["valid"], table.counts["unmated"]) == (1, 1)
    assert evaluate_reid(data, "kgbd", metric="euclidean").metrics["mAP"] == 0.5


def test_a_duplicate_takes_the_place_of_the_probe_under_transg() -> None:
    data = Embeddings([[0.0], [0.0], [1.0]], ["a", "b", "a"], ["nm"] * 3)
    clean = evaluate_reid(data, "casia_b", metric="euclidean")
    transg = evaluate_reid(data, "casia_b", rule="transg")
    assert clean.pairs[0].sums[:, 0].tolist() == [1.0, 0.0]
    # The second row's nearest is its twin, the first row, which is dropped in its place: it
    # "finds" itself.
    assert transg.pairs[0].sums[:, 0].tolist() == [1.0, 1.0]


def test_a_sequence_in_both_sets_does_not_see_itself() -> None:
    data = Embeddings(
        [[1.0, 0.0], [1.0, 0.0], [1.0, 0.1], [0.0, 1.0]], ["a", "a", "b", "a"],
        ["probe", "gallery", "gallery", "gallery"], sample=["x@0", "x@0", "y@0", "z@0"],
    )  # fmt: skip
    table = evaluate_reid(data, "kgbd")
    assert table.metrics["rank1"] == 0.0
    assert any("1 probe with the same name" in note for note in table.notes)
    assert table.metrics["chance"] == 1 / 2  # of the two that it sees one is its mate
    other_take = replace(data, take=["1", "2", "1", "1"])
    assert evaluate_reid(other_take, "kgbd").metrics["rank1"] == 1.0


def test_walks_are_pooled_from_unit_embeddings() -> None:
    data = Embeddings(
        [[10.0, 0.0], [0.0, 1.0], [3.0, 3.0]], ["a"] * 3, ["probe", "probe", "gallery"],
        take=["1", "01", "2"], sample=["w1@0", "w1@40", "w2@0"],
    )  # fmt: skip
    table = evaluate_reid(data, "kgbd", level="walk")
    assert (table.counts["probes"], table.counts["gallery"]) == (1, 1)
    assert table.metrics["mAP"] == 1.0
    assert table.notes[1].startswith("Whole walks: 3 sequences pooled into 2 walks")
    walks = pool_walks(data)
    np.testing.assert_allclose(walks.embedding, [[0.5, 0.5], [0.5**0.5, 0.5**0.5]], rtol=1e-6)
    assert walks.sample.tolist() == ["w1", "w2"]
    assert walks.take.tolist() == ["1", "2"]
    assert len(pool_walks(data.select(np.arange(0)))) == 0


def test_cross_take_at_walk_level_is_clean() -> None:
    data = sequences(np.random.default_rng(9))
    clean = evaluate_reid(data, "casia_b", level="walk")
    other = evaluate_reid(data, "casia_b", rule="cross-take", level="walk")
    assert clean.metrics == other.metrics
    assert any("removes what clean does" in note for note in other.notes)


def test_re_ranked_distances_can_be_judged() -> None:
    data = sequences(np.random.default_rng(5), noise=2.0)
    alone = evaluate_reid(data, "casia_b", ["C-N"])
    plain = evaluate_reid(
        data, "casia_b", ["C-N"], measuring=lambda p, g, m: rerank(p, g, metric=m, weight=1.0)
    )
    assert plain.metrics == pytest.approx(alone.metrics)
    ranked = evaluate_reid(
        data, "casia_b", ["C-N"], measuring=lambda p, g, m: rerank(p, g, metric=m)
    )
    assert ranked.metrics["mAP"] > alone.metrics["mAP"]


def test_a_set_in_itself_is_measured_once() -> None:
    given: list[bool] = []

    def measure(probe: Any, gallery: Any, metric: Any) -> Any:
        given.append(gallery is None)
        return rerank(probe, gallery, metric=metric, weight=1.0)

    data = sequences(np.random.default_rng(5), noise=2.0)
    found = evaluate_reid(data, "casia_b", ["N-N", "C-N"], measuring=measure)
    assert given == [True, False]
    assert found.metrics == pytest.approx(evaluate_reid(data, "casia_b", ["N-N", "C-N"]).metrics)


def test_given_distances_are_checked() -> None:
    data = sequences(np.random.default_rng(5))
    with pytest.raises(ValueError, match="is not a number"):
        evaluate_reid(
            data,
            "casia_b",
            ["C-N"],
            measuring=lambda p, g, m: [(slice(0, len(p)), np.full((len(p), len(g)), np.nan))],
        )
    with pytest.raises(ValueError, match="distance blocks end at probe 0"):
        evaluate_reid(data, "casia_b", ["C-N"], measuring=lambda p, g, m: [])


def test_intervals_resample_people() -> None:
    table = evaluate_reid(sequences(np.random.default_rng(6)), "casia_b")
    intervals = table.intervals(np.random.default_rng(0), draws=300)
    assert set(intervals) == {key for key in table.metrics if not key.startswith("chance")}
    for name, (low, high) in intervals.items():
        assert low <= table.metrics[name] <= high
    again = table.intervals(np.random.default_rng(0), draws=300)
    assert again == intervals
    everybody_alike = replace(
        table.pairs[0], sums=np.ones_like(table.pairs[0].sums), trials=table.pairs[0].trials * 0 + 2
    )
    flat = replace(table, pairs=(everybody_alike,)).intervals(np.random.default_rng(0), draws=50)
    people = len(table.pairs[0].people)
    low, high = wilson_interval(people / 2, people)
    assert flat["rank1"] == pytest.approx((float(low), float(high)))


def test_a_record_holds_the_table() -> None:
    table = evaluate_reid(sequences(np.random.default_rng(7)), "casia_b")
    record = ResultRecord(
        task="reid", dataset=DatasetReference(name="made", fingerprint="", synthetic=True),
        protocol=table.protocol, rule=table.rule.name, objective="none", stream="", seed=None,
        metrics=table.metrics, intervals=table.intervals(np.random.default_rng(0), draws=50),
        counts=table.counts, settings={}, environment={}, seconds=0.0, command="",
        notes=table.notes, cells=table.record_cells(),
    )  # fmt: skip
    cells = json.loads(record.to_json())["cells"]
    assert list(cells["pairs"]) == list(PAIRS)
    people = cells["pairs"]["C-N"]["people"]
    hits, trials = sum(people["rank1_hits"]), sum(people["trials"])
    assert hits / trials == pytest.approx(table.metrics["rank1/C-N"])
    counted = sum(people["mAP_trials"])
    assert sum(people["mAP_sums"]) / counted == pytest.approx(table.metrics["mAP/C-N"], abs=1e-4)
    assert len(cells["pairs"]["C-N"]["cmc"]) == 20


def test_a_record_says_which_probes_average_precision_counts() -> None:
    """Under transg a probe without a mate is wrong in rank-k and not there in mAP."""
    data = Embeddings(
        [[1.0, 0.0], [0.9, 0.1], [1.0, 0.1], [0.0, 1.0]], ["a", "a", "b", "c"],
        ["probe", "gallery", "probe", "gallery"],
    )  # fmt: skip
    table = evaluate_reid(data, "kgbd", rule="transg")
    (pair,) = table.record_cells()["pairs"].values()
    people = pair["people"]
    assert (people["names"], people["trials"], people["mAP_trials"]) == (["a", "b"], [1, 1], [1, 0])
    assert sum(people["mAP_sums"]) / sum(people["mAP_trials"]) == table.metrics["mAP"]


def test_no_valid_probe_is_no_number_but_a_note() -> None:
    data = Embeddings(
        [[1.0], [1.0]], ["a", "b"], ["probe", "gallery"], camera=["1", "2"]
    )  # fmt: skip
    table = evaluate_reid(data, "kgbd", rule="market1501")
    assert table.metrics == {}
    assert "rank1" not in table.metrics
    assert any("No value for P-G" in note for note in table.notes)
    assert table.intervals(np.random.default_rng(0), draws=10) == {}


def check_refused(message: str, data: Embeddings, *args: Any, **how: Any) -> None:
    with pytest.raises(ValueError, match=message):
        evaluate_reid(data, *args, **how)


def test_what_does_not_fit_is_refused_in_a_sentence() -> None:
    data = sequences(np.random.default_rng(8))
    bare = Embeddings(data.embedding, data.subject, data.condition)
    some = replace(bare, camera=np.where(np.arange(len(bare)) == 3, "", "1"))
    check_refused(
        "probe 'X' is not a set of protocol casia_b: .* N .nm., B .bg.", data, "casia_b", ["X-N"]
    )
    check_refused("PROBE-GALLERY, such as C-N", data, "casia_b", ["CN"])
    check_refused("name one", data, "casia_b", [])
    check_refused("Set P .* has no sequences: their split should be 'probe'", data, "kgbd")
    check_refused("rule must be one of clean, cross-take", data, "casia_b", rule="cleen")
    check_refused("metric must be one of", data, "casia_b", metric="cos")
    check_refused("level must be sequence or walk", data, "casia_b", level="video")
    check_refused("depth must be at least 1", data, "casia_b", depth=0)
    check_refused("Rule cross-take needs the take of every", bare, "casia_b", rule="cross-take")
    check_refused("Pooling .* needs the take of every", bare, "casia_b", level="walk")
    check_refused("market1501 needs the camera .or view.", bare, "casia_b", rule="market1501")
    check_refused("has no camera while others have", some, "casia_b", rule="market1501")
    embedding = data.embedding.copy()
    embedding[5] = 0.0
    broken = replace(data, embedding=embedding)
    check_refused(f"sample '{data.sample[5]}' is all zeros", broken, "casia_b")
    evaluate_reid(broken, "casia_b", rule="transg")  # Euclidean needs no direction


def test_pairs_whose_set_is_absent_are_named() -> None:
    data = sequences(np.random.default_rng(2))
    part = data.select(data.condition != "bg")
    table = evaluate_reid(part, "casia_b")
    assert [result.pair.name for result in table.pairs] == ["N-N", "C-C", "C-N"]
    assert "Not evaluated, because sequences are missing: B-B, B-N." in table.notes
    check_refused("Set B .* should be 'bg', and it is 'cl', 'nm'", part, "casia_b", ["B-N"])


def test_cross_take_wants_no_take_where_the_sets_differ() -> None:
    data = sequences(np.random.default_rng(2))
    bare = Embeddings(data.embedding, data.subject, data.condition)
    table = evaluate_reid(bare, "casia_b", ["C-N"], rule="cross-take")
    assert table.metrics == evaluate_reid(data, "casia_b", ["C-N"]).metrics


def test_our_own_rules_are_cosine_and_the_published_ones_euclidean() -> None:
    assert {name: rule.metric for name, rule in RULES.items()} == {
        "clean": "cosine", "cross-take": "cosine", "market1501": "cosine",
        "transg": "euclidean", "spc-mgr": "euclidean", "sge": "euclidean",
    }  # fmt: skip
    data = sequences(np.random.default_rng(1))
    stretched = replace(data, embedding=data.embedding * np.linspace(1, 9, len(data))[:, None])
    for rule, same in (("clean", True), ("transg", False)):
        before, after = (evaluate_reid(d, "casia_b", rule=rule).metrics for d in (data, stretched))
        assert (before == pytest.approx(after, rel=1e-9)) is same
    with pytest.raises(ValueError, match="not 'transG'"):
        reid_rule("transG")
