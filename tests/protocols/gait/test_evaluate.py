"""Gait tables on data of every shape: slow oracle, gaps, no views, other conditions."""

from __future__ import annotations

import itertools
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.embeddings import Embeddings
from protocols.gait.evaluate import evaluate_gait
from protocols.gait.gallery_probe import GalleryProbe, load_protocol
from protocols.statistics.intervals import wilson_interval


def casia_like(
    generator: np.random.Generator, people: int = 4, views: int = 3, dims: int = 3
) -> Embeddings:
    """Random integer embeddings with the recordings of CASIA-B."""
    takes = [("nm", t) for t in range(1, 7)] + [(c, t) for c in ("bg", "cl") for t in (1, 2)]
    rows = [(s, c, t, 18 * v) for s in range(people) for c, t in takes for v in range(views)]
    subject, condition, take, view = (np.array(column) for column in zip(*rows, strict=True))
    embedding = generator.integers(-3, 4, (len(rows), dims))
    embedding[:, 0] += 4  # never all zeros, which has no direction
    return Embeddings(embedding.astype(np.float32), subject, condition, take, view)


def slow_scores(data: Embeddings, probe: int, gallery: list[int]) -> list[float]:
    """Rank-1, AP and INP of one probe, Euclidean; all 0 without a mate."""

    def distance(row: int) -> tuple[float, int]:
        return float(((data.embedding[probe] - data.embedding[row]) ** 2).sum()), row

    ranked = [data.subject[row] == data.subject[probe] for row in sorted(gallery, key=distance)]
    places = [place for place, mate in enumerate(ranked, start=1) if mate]
    if not places:
        return [0.0, 0.0, 0.0]
    precision = sum((n + 1) / place for n, place in enumerate(places)) / len(places)
    return [float(ranked[0]), precision, len(places) / places[-1]]


def slow_table(data: Embeddings) -> dict[str, float]:
    """Rank-1, mAP and mINP of CASIA-B, a probe at a time."""
    rows = list(
        zip(data.condition.tolist(), data.take.astype(int), data.view.astype(int), strict=True)
    )
    gallery = [i for i, (c, take, _) in enumerate(rows) if c == "nm" and take <= 4]
    views = sorted({int(view) for _, _, view in rows})
    names = ("rank1", "mAP", "mINP")
    result: dict[str, float] = {}
    for condition in ("nm", "bg", "cl"):
        by_view = []
        for probe_view in views:
            probes = [
                i
                for i, (c, _, view) in enumerate(rows)
                if c == condition and view == probe_view and i not in gallery
            ]
            others = [[i for i in gallery if rows[i][2] == v] for v in views if v != probe_view]
            cells = [
                np.mean([slow_scores(data, i, there) for i in probes], axis=0)
                for there in others
                if there and probes
            ]
            by_view += [np.mean(cells, axis=0)] if cells else []
        if by_view:
            means = np.mean(by_view, axis=0)
            result |= {f"{n}/{condition}": float(v) for n, v in zip(names, means, strict=True)}
    for name in names:
        found = [value for key, value in result.items() if key.startswith(f"{name}/")]
        result |= {name: sum(found) / len(found)} if found else {}
    return result


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), share=st.sampled_from([1.0, 0.8, 0.3]))
def test_the_table_equals_the_slow_oracle(seed: int, share: float) -> None:
    generator = np.random.default_rng(seed)
    data = casia_like(generator)
    data = data.select(generator.random(len(data)) < share)
    table = evaluate_gait(data, metric="euclidean")
    expected = slow_table(data)
    found = {name: table.metrics[name] for name in table.metrics if name in expected}
    assert found == pytest.approx(expected, rel=1e-12)
    names = {f"{m}/{c}" for m in ("rank1", "mAP", "mINP") for c in ("nm", "bg", "cl")}
    assert names & set(table.metrics) == names & set(expected)


def test_order_of_ties_is_the_order_of_rows() -> None:
    embedding = np.zeros((3, 2), dtype=np.float32)
    embedding[:, 0] = 1.0
    roles = {"condition": np.array(["nm", "nm", "nm"]), "take": np.array([1, 1, 5])}
    first = Embeddings(embedding, np.array(["a", "b", "b"]), **roles)
    second = Embeddings(embedding, np.array(["b", "a", "b"]), **roles)
    assert evaluate_gait(first, "casia_b_no_view").metrics["rank1/nm"] == 0.0
    assert evaluate_gait(second, "casia_b_no_view").metrics["rank1/nm"] == 1.0


def test_gaps_are_noted_and_left_out_of_exact_means() -> None:
    data = casia_like(np.random.default_rng(0))
    no_bg_18 = ~((data.condition == "bg") & (data.view == "18"))
    no_gallery_36 = ~((data.condition == "nm") & (data.take <= "4") & (data.view == "36"))
    table = evaluate_gait(data.select(no_bg_18 & no_gallery_36))
    assert table.notes == (
        "No gallery in view 36: its column does not count.",
        "No probes of condition bg in view 18.",
    )
    assert np.isnan(table.rank1[1, 1]).all()
    assert np.isnan(table.rank1[:, :, 2]).all()
    assert np.isfinite(list(table.metrics.values())).all()
    # bg: probe view 0 sees gallery 18, probe view 36 sees galleries 0 and 18.
    expected = (table.rank1[1, 0, 1] + table.rank1[1, 2, :2].mean()) / 2
    assert table.metrics["rank1/bg"] == pytest.approx(expected)


def test_a_toolbox_rule_spreads_a_gap_but_says_so() -> None:
    data = casia_like(np.random.default_rng(0))
    table = evaluate_gait(
        data.select(~((data.condition == "bg") & (data.view == "18"))), rule="opengait"
    )
    assert "rank1/nm" in table.metrics
    assert "rank1/bg" not in table.metrics
    assert "rank1" not in table.metrics
    assert any(
        "rank1/bg" in note and "rule exact averages the rest" in note for note in table.notes
    )


def test_a_condition_that_is_absent_leaves_the_others() -> None:
    data = casia_like(np.random.default_rng(1))
    table = evaluate_gait(data.select(data.condition != "cl"))
    both = [table.metrics["rank1/nm"], table.metrics["rank1/bg"]]
    assert table.metrics["rank1"] == pytest.approx(np.mean(both))
    assert "rank1/cl" not in table.metrics
    assert any("rank1/cl" in note for note in table.notes)


def test_one_view_is_one_gallery_and_says_so() -> None:
    data = casia_like(np.random.default_rng(2), views=1)
    table = evaluate_gait(data)
    assert table.views == ("all",)
    assert table.cells.probes.tolist() == [[8], [8], [8]]
    assert "one view, 0" in table.notes[0]


def without_view(data: Embeddings) -> Embeddings:
    return Embeddings(data.embedding, data.subject, data.condition, data.take)


@pytest.mark.parametrize("protocol", ["casia_b", "casia_b_pooled", "casia_b_cross_view_gallery"])
def test_a_view_protocol_refuses_data_without_views(protocol: str) -> None:
    plain = without_view(casia_like(np.random.default_rng(2)))
    with pytest.raises(ValueError, match=f"{protocol} compares views, and sample '0-nm-1' has no"):
        evaluate_gait(plain, protocol)


@pytest.mark.parametrize("views", [1, 3])
def test_a_protocol_of_another_name_ignores_views(views: int) -> None:
    data = casia_like(np.random.default_rng(2), views=views)
    table = evaluate_gait(data, "casia_b_no_view")
    assert table.protocol == "casia_b_no_view"
    assert table.views == ("all",)
    assert table.notes == ()
    assert table.metrics == evaluate_gait(without_view(data), "casia_b_no_view").metrics
    if views == 1:
        assert table.metrics == evaluate_gait(data).metrics


def test_samples_without_condition_are_counted() -> None:
    data = casia_like(np.random.default_rng(2))
    condition = np.where(data.take == "6", "", data.condition)
    lacking = Embeddings(data.embedding, data.subject, condition, data.take, data.view)
    table = evaluate_gait(lacking)
    assert table.notes == ("No condition or take, so neither gallery nor probe: 12 samples.",)
    assert table.counts["ignored"] == 12


def test_takes_that_are_counted_must_be_known() -> None:
    data = Embeddings(np.eye(3), ["a"] * 3, take=["1", "2", ""])
    with pytest.raises(ValueError, match=r"the first 2 takes .* sample 'a' has no take"):
        evaluate_gait(data, "kgbd_walks")


def test_a_pooled_gallery_of_one_view_would_leave_nobody() -> None:
    data = casia_like(np.random.default_rng(2), views=1)
    with pytest.raises(ValueError, match="leaves out a probe's own view, and all samples have v"):
        evaluate_gait(data, "casia_b_pooled")


def test_samples_of_nobody_are_refused_and_those_there_twice_are_said() -> None:
    data = casia_like(np.random.default_rng(2))
    twice = data.select(np.append(np.arange(len(data)), len(data) - 1))
    (note,) = evaluate_gait(twice).notes
    assert note.startswith("Repeated, and counted each time: 1 sample, such as ")
    subject = data.subject.copy()
    subject[3] = " "
    with pytest.raises(ValueError, match=r"has no subject while others have one \(1 of "):
        evaluate_gait(replace(data, subject=subject))


def test_a_person_who_is_not_enrolled_counts_as_wrong_or_not_at_all() -> None:
    embedding = np.eye(3, dtype=np.float32)[[0, 0, 1]]
    data = Embeddings(
        embedding, np.array(["a", "a", "b"]), np.array(["nm"] * 3), np.array([1, 5, 5])
    )
    protocol = load_protocol("casia_b_no_view")
    wrong = evaluate_gait(data, protocol)
    assert wrong.counts["unmated"] == 1
    assert wrong.metrics["rank1/nm"] == wrong.metrics["mAP/nm"] == 0.5
    assert wrong.metrics["chance/nm"] == 0.5  # one gallery row: right for a, wrong for b
    skipped = evaluate_gait(data, protocol.model_copy(update={"unmated": "skip"}))
    assert (skipped.metrics["rank1/nm"], skipped.metrics["mAP/nm"]) == (1.0, 0.5)


def test_a_view_for_some_samples_only_is_an_error() -> None:
    data = casia_like(np.random.default_rng(4), views=2)
    view = data.view.copy()
    view[3] = ""
    broken = Embeddings(data.embedding, data.subject, data.condition, data.take, view)
    with pytest.raises(ValueError, match="sample '0-nm-2' has no view while others have one"):
        evaluate_gait(broken)


def test_a_sample_without_direction_is_named() -> None:
    data = casia_like(np.random.default_rng(4), views=2)
    embedding = data.embedding.copy()
    embedding[7] = 0.0
    labels = (data.subject, data.condition, data.take, data.view)
    with pytest.raises(ValueError, match=f"sample '{data.sample[7]}' is all zeros"):
        evaluate_gait(Embeddings(embedding, *labels))
    assert "rank1" in evaluate_gait(Embeddings(embedding, *labels), metric="euclidean").metrics


@pytest.mark.parametrize("installed", [True, False])
def test_ranks_alone_are_the_same_with_and_without_faiss(
    installed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = casia_like(np.random.default_rng(8))
    whole = evaluate_gait(data, metric="euclidean")
    if not installed:
        monkeypatch.setitem(sys.modules, "faiss", None)
    found = evaluate_gait(data, metric="euclidean", precision=False)
    assert found.metrics == {k: v for k, v in whole.metrics.items() if not k.startswith("m")}
    assert found.notes == whole.notes
    np.testing.assert_array_equal(found.cells.hits, whole.cells.hits)


def test_an_unknown_rule_is_an_error() -> None:
    with pytest.raises(ValueError, match="exact, gaitgraph, gaitgraph2, opengait"):
        evaluate_gait(casia_like(np.random.default_rng(0)), rule="precise")  # type: ignore[arg-type]


def bone_lengths(path: Path) -> tuple[dict[str, npt.NDArray[Any]], npt.NDArray[Any]]:
    """Median bone lengths of each walk, and its labels."""
    with np.load(path) as archive:
        data = {key: archive[key] for key in archive.files}
    joints, bones, offsets = data["joints"][:, 0], data["bones"], data["offsets"]
    length = np.linalg.norm(joints[:, bones[:, 0]] - joints[:, bones[:, 1]], axis=-1)
    walks = itertools.pairwise(offsets)
    return data, np.stack([np.median(length[a:b], axis=0) for a, b in walks])


def test_real_walks_by_condition(shared: Path) -> None:
    data, lengths = bone_lengths(shared / "data" / "ucalgary_gait.npz")
    walks = Embeddings(lengths, data["subject"], data["condition"], data["repetition"])
    table = evaluate_gait(walks, "ucalgary_gait", metric="euclidean")
    assert table.conditions == ("N", "AR", "AL")
    assert table.cells.probes.ravel().tolist() == [26, 53, 53]
    assert table.counts["missing"] == 1
    assert table.metrics["rank1/N"] == pytest.approx(0.769, abs=5e-4)  # as the data's notes say
    # With one gallery walk a person, AP is 1 / rank of it, and so is INP.
    assert table.metrics["mAP/AR"] == pytest.approx(table.metrics["mINP/AR"])


@pytest.mark.slow
def test_real_walks_by_take(shared: Path) -> None:
    data, lengths = bone_lengths(shared / "data" / "kgbd.npz")
    walks = Embeddings(lengths, data["subject"], take=data["repetition"])
    table = evaluate_gait(walks, "kgbd_walks", metric="euclidean")
    assert table.conditions == ("all",)
    assert (table.counts["gallery"], table.counts["probes"]) == (2 * 164, 821 - 2 * 164)
    assert table.metrics["chance"] == pytest.approx(1 / 164)
    assert table.metrics["rank1"] > 0.6
    low, high = table.intervals(np.random.default_rng(0))["rank1"]
    assert low < table.metrics["rank1"] < high


def test_random_gallery_takes_are_seeded_and_do_not_depend_on_row_order() -> None:
    generator = np.random.default_rng(5)
    subject, take = np.repeat(np.arange(20), 5).astype(str), np.tile(list("12345"), 20)
    data = Embeddings(generator.standard_normal((100, 4)).astype(np.float32), subject, take=take)
    protocol: GalleryProbe = load_protocol("kgbd_walks").with_gallery_takes("random 2")
    results = [
        evaluate_gait(rows, protocol, generator=np.random.default_rng(seed)).metrics["mAP"]
        for rows, seed in (
            (data, 1),
            (data, 1),
            (data.select(generator.permutation(100)), 1),
            (data, 2),
        )
    ]
    assert results[0] == results[1] == pytest.approx(results[2])
    assert results[0] != results[3]
    with pytest.raises(ValueError, match="pass a seeded generator"):
        evaluate_gait(data, protocol)


def test_a_mate_in_the_probes_own_view_does_not_count() -> None:
    rows = [("a", 1, 0), ("a", 5, 0), ("b", 1, 18), ("b", 5, 0)]
    subject, take, view = (np.array(column) for column in zip(*rows, strict=True))
    data = Embeddings(np.eye(4, dtype=np.float32), subject, np.full(4, "nm"), take, view)
    counts = evaluate_gait(data).counts
    # Both probes are of view 0, where a is enrolled and b is not; only view 18 counts.
    assert (counts["probes"], counts["unmated"], counts["unmated_comparisons"]) == (2, 1, 1)


def test_only_people_with_a_probe_count_where_all_are_alike() -> None:
    takes = [("nm", t) for t in range(1, 7)] + [("bg", 1)]
    rows = [(s, *take, v) for s in range(5) for take in takes for v in (0, 90)]
    rows = [row for row in rows if row[1] == "nm" or row[0] < 2]
    subject, condition, take, view = (np.array(column) for column in zip(*rows, strict=True))
    table = evaluate_gait(Embeddings(np.eye(5)[subject], subject, condition, take, view))
    ends = table.intervals(np.random.default_rng(0), draws=20)
    for name, people in (("rank1", 5), ("rank1/nm", 5), ("rank1/bg", 2)):
        low, _ = wilson_interval(people, people)
        assert ends[name] == pytest.approx((float(low), 1.0))


def test_intervals_come_from_persons() -> None:
    generator = np.random.default_rng(6)
    # Two people are always found and two never: the rate hangs on who is drawn.
    data = casia_like(generator)
    embedding = np.zeros((len(data), 4), dtype=np.float32)
    person = data.subject.astype(int)
    lost = (person >= 2) & (data.condition != "nm")
    embedding[np.arange(len(data)), np.where(lost, 5 - person, person)] = 1.0
    table = evaluate_gait(Embeddings(embedding, data.subject, data.condition, data.take, data.view))
    assert table.metrics["rank1/cl"] == 0.5
    intervals = table.intervals(np.random.default_rng(0))
    assert intervals["rank1/cl"] == (0.0, 1.0)
    # All four are found: four people without an error, Wilson.
    assert intervals["rank1/nm"] == pytest.approx((0.5101, 1.0), abs=1e-4)
    assert intervals == table.intervals(np.random.default_rng(0))
    all_found = Embeddings(
        np.eye(4, dtype=np.float32)[person], data.subject, data.condition, data.take, data.view
    )
    ends = evaluate_gait(all_found).intervals(np.random.default_rng(0))
    assert ends["rank1"] == ends["rank1/nm"] == intervals["rank1/nm"]


def test_cells_for_a_record_are_plain_counts() -> None:
    data = casia_like(np.random.default_rng(7))
    table = evaluate_gait(data)
    cells = table.record_cells()
    hits, trials = np.array(cells["rank1_hits"]), np.array(cells["trials"])
    assert hits.dtype.kind == "i"
    np.testing.assert_allclose(hits / trials, table.rank1)
    assert cells["conditions"] == ["nm", "bg", "cl"]
    assert cells["probe_views"] == ["0", "18", "36"]
