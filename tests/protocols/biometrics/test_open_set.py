"""Open-set identification: golden values, a slow loop, seeded rotation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.biometrics.open_set import best_by_identity, open_set_scores, rotate_unenrolled
from protocols.biometrics.open_set_table import draw_open_set
from protocols.biometrics.scores import Comparisons, compare_all
from protocols.ranking.exclusion import same_labels

SEEDS = st.integers(0, 2**32 - 1)


def compared(seed: int, people: int = 8, noise: float = 0.8) -> Comparisons:
    generator = np.random.default_rng(seed)
    centre = generator.standard_normal((people, 6))
    own, enrolled = np.repeat(np.arange(people), 5), np.repeat(np.arange(people), 3)
    probe = centre[own] + noise * generator.standard_normal((len(own), 6))
    gallery = centre[enrolled] + noise * generator.standard_normal((len(enrolled), 6))
    return compare_all(probe, gallery, own, enrolled)


def test_golden_fnir_at_fpir(shared: Path) -> None:
    with np.load(shared / "golden" / "gait" / "biometrics.npz") as golden:
        scores, ids, probe = golden["os_score"], golden["os_ids"], golden["os_probe_id"]
        own = [int(np.flatnonzero(ids == name)[0]) if name in ids else -1 for name in probe]
        found = open_set_scores(scores, own)
        assert (found.mated.sum(), (~found.mated).sum()) == (50, 50)
        for target in (0.3, 0.1, 0.02):
            for rank in (1, 5):
                point = found.at_threshold(found.at_fpir(target).threshold, rank)
                assert point == pytest.approx(golden[f"os_fnir_fpir{target}_R{rank}"], abs=1e-12)


@given(seed=SEEDS, target=st.floats(0.05, 1.0), rank=st.integers(1, 4))
def test_equals_a_slow_loop(seed: int, target: float, rank: int) -> None:
    generator = np.random.default_rng(seed)
    best = generator.integers(0, 6, size=(30, 5)).astype(float)
    own = generator.integers(-1, 5, size=30)
    own[:2] = 0, -1
    found = open_set_scores(best, own)
    strangers = [row for row in range(30) if own[row] < 0]
    mated = [row for row in range(30) if own[row] >= 0]
    if target * len(strangers) < 1.0:
        with pytest.raises(ValueError, match="cannot be measured"):
            found.at_fpir(target)
        return
    point = found.at_threshold(found.at_fpir(target).threshold, rank)

    def fpir(threshold: float) -> float:
        return sum(best[row].max() >= threshold for row in strangers) / len(strangers)

    def missed(row: int) -> bool:
        mine = best[row, own[row]]
        ahead = sum(best[row, c] > mine for c in range(5) if c != own[row])
        return bool(mine < point.threshold or ahead >= rank)

    assert point.fpir == fpir(point.threshold) <= target
    assert point.fnir == pytest.approx(sum(map(missed, mated)) / len(mated))
    seen = [best[row, own[row]] for row in mated] + [best[row].max() for row in strangers]
    assert all(fpir(value) > target for value in seen if value < point.threshold)


@given(seed=SEEDS)
def test_laws(seed: int) -> None:
    generator = np.random.default_rng(seed)
    best, own = generator.standard_normal((40, 6)), generator.integers(-1, 6, size=40)
    own[:5] = 0, -1, -1, 1, 2
    found = open_set_scores(best, own)
    points = [found.at_threshold(t) for t in np.linspace(-3, 3, 13)]
    assert (np.diff([point.fpir for point in points]) <= 0).all()
    assert (np.diff([point.fnir for point in points]) >= 0).all()
    # Without a threshold a mated probe is missed only behind others.
    for rank in (1, 3):
        missed = np.mean(found.rank[found.mated] > rank)
        assert found.at_threshold(-np.inf, rank).fnir == pytest.approx(missed)
    order = generator.permutation(40)
    assert found.select(order).at_fpir(0.5) == found.at_fpir(0.5)


def test_best_template_of_each_identity() -> None:
    scores = np.array([[0.1, 0.9, np.nan, 0.4], [np.nan, 0.2, np.nan, 0.3]], dtype=np.float32)
    best = best_by_identity(scores, np.array([7, 3, 5, 7]))
    np.testing.assert_allclose(best, [[0.9, -np.inf, 0.4], [0.2, -np.inf, 0.3]], rtol=1e-6)


def test_a_mated_probe_that_may_see_no_template_of_its_own_is_missed() -> None:
    exclude = same_labels((["a", "b"], ["a", "b"]), (["0", "90"], ["0", "0"]))
    comparisons = compare_all(np.eye(2), np.eye(2), ["a", "b"], ["a", "b"], exclude=exclude)
    _, scores = next(comparisons.blocks())
    found = open_set_scores(best_by_identity(scores, comparisons.enrolled), [0, 1])
    assert found.mated.all()
    assert found.found(-np.inf, rank=9).tolist() == [False, True]


def test_rotation_is_seeded_and_takes_half_of_the_people_out() -> None:
    comparisons = compared(0)
    first = rotate_unenrolled(comparisons, np.random.default_rng(1), rotations=6)
    again = rotate_unenrolled(comparisons, np.random.default_rng(1), rotations=6)
    other = rotate_unenrolled(comparisons, np.random.default_rng(2), rotations=6)
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a.mated, b.mated)
        np.testing.assert_array_equal(a.top, b.top)
    assert any((a.mated != b.mated).any() for a, b in zip(first, other, strict=True))
    assert len({a.mated.tobytes() for a in first}) > 1
    for scores in first:
        assert len(np.unique(comparisons.own[scores.mated])) == 4
        assert np.isneginf(scores.own[~scores.mated]).all()
        assert (scores.own <= scores.top).all()


def test_rotation_does_not_depend_on_the_blocks() -> None:
    comparisons = compared(4)
    small = Comparisons(
        **{name: getattr(comparisons, name) for name in ("probe", "gallery", "own", "enrolled")},
        exclude=None,
        resolution=0.0,
        kept=comparisons.kept,
        block_bytes=1,
    )
    whole = rotate_unenrolled(comparisons, np.random.default_rng(0), rotations=2)
    parts = rotate_unenrolled(small, np.random.default_rng(0), rotations=2)
    for a, b in zip(whole, parts, strict=True):
        for field in ("mated", "top", "own", "rank"):
            np.testing.assert_array_equal(getattr(a, field), getattr(b, field))


def test_the_table_is_the_mean_and_spread_over_rotations() -> None:
    comparisons = compared(2, people=10, noise=1.5)
    rotations = rotate_unenrolled(comparisons, np.random.default_rng(0), rotations=5)
    condition = np.arange(50) % 2
    table = draw_open_set(
        comparisons, condition, ("nm", "bg"), (0.2, 0.01), np.random.default_rng(0), 5
    )
    assert table is not None
    assert (table.enrolled, table.rotations) == (5, 5)
    metrics = table.metrics()
    rates = [1 - scores.at_fpir(0.2).fnir for scores in rotations]
    assert metrics["dir@far0.2"] == pytest.approx(np.mean(rates))
    assert metrics["fnir@fpir0.2"] == pytest.approx(1 - np.mean(rates))
    assert metrics["dir_spread@far0.2"] == pytest.approx(np.std(rates, ddof=1))
    bg = [1 - scores.select(condition == 1).at_fpir(0.2).fnir for scores in rotations]
    assert metrics["dir@far0.2/bg"] == pytest.approx(np.mean(bg))
    assert metrics["fnir_r5@fpir0.2"] <= metrics["fnir@fpir0.2"]
    assert not any("0.01" in name for name in metrics)
    assert table.notes == (
        "An FPIR of 0.01 cannot be measured on the non-mated probes of all conditions, nm, bg: no "
        "open-set rate there.",
    )
    low, high = table.intervals(np.random.default_rng(0), 500)["dir@far0.2"]
    assert 0.0 <= low < metrics["dir@far0.2"] < high <= 1.0
    other = table.intervals(np.random.default_rng(0), 500)["fnir@fpir0.2"]
    assert other == pytest.approx((1 - high, 1 - low))


def test_a_perfect_system_is_not_known_to_be_perfect() -> None:
    comparisons = compared(3, noise=0.001)
    rotations = rotate_unenrolled(comparisons, np.random.default_rng(0), rotations=8)
    assert len(np.unique(comparisons.own[np.any([s.mated for s in rotations], axis=0)])) == 8
    nm = np.zeros(40, dtype=np.int64)
    table = draw_open_set(comparisons, nm, ("nm",), (0.1,), np.random.default_rng(0), 8)
    assert table is not None
    assert table.metrics()["dir@far0.1"] == 1.0
    low, high = table.intervals(np.random.default_rng(0), 200)["dir@far0.1"]
    # Eight people, none ever missed: Wilson's lower end for 8 of 8.
    assert (low, high) == pytest.approx((0.6756, 1.0), abs=1e-4)


def test_what_has_no_rate_is_refused() -> None:
    found = open_set_scores([[0.5, 0.4]], [0])
    with pytest.raises(ValueError, match="1 mated and 0 non-mated probes"):
        found.at_threshold(0.0)
    with pytest.raises(ValueError, match="above 0 and at most 1"):
        found.at_fpir(2.0)
    alone = compare_all(np.eye(2), np.eye(2), ["a", "a"], ["a", "a"])
    with pytest.raises(ValueError, match="not 1 people"):
        rotate_unenrolled(alone, np.random.default_rng(0), 1)


def test_thresholds_of_other_people_by_a_slow_reading() -> None:
    """The least threshold over all their rotations, applied to the test people's."""
    test, other = compared(1, people=12), compared(2, people=10)
    condition = np.zeros(60, dtype=np.int64)
    generator = np.random.default_rng(3)
    table = draw_open_set(test, condition, ["nm"], [0.1, 0.001], generator, 4, other)
    assert table is not None
    again = np.random.default_rng(3)
    own, drawn = rotate_unenrolled(test, again, 4), rotate_unenrolled(other, again, 4)
    tops = np.concatenate([scores.top[~scores.mated] for scores in drawn])
    mine = np.concatenate([scores.own[scores.mated] for scores in drawn])
    least = min(value for value in np.concatenate([tops, mine]) if np.mean(tops >= value) <= 0.1)
    every, only = table.transferred
    assert {point.threshold for point in every.points} == {least}
    assert (every.mark, only.mark) == ("", "/nm")
    fpir = np.mean([np.mean(scores.top[~scores.mated] >= least) for scores in own])
    fnir = np.mean([1 - scores.found(least)[scores.mated].mean() for scores in own])
    metrics = table.metrics()
    assert metrics["fpir_from_development@fpir0.1"] == pytest.approx(fpir)
    assert metrics["fnir_from_development@fpir0.1/nm"] == pytest.approx(fnir)
    unseen = "non-mated probes of the development people: no open-set threshold"
    assert [note[:13] for note in table.notes if unseen in note] == ["An FPIR of 0."]
    ends = table.intervals(np.random.default_rng(0), 200)
    for name, rate in (("fpir", fpir), ("fnir", fnir)):
        low, high = ends[f"{name}_from_development@fpir0.1"]
        assert low <= rate <= high
        assert low < high


def test_without_other_people_nothing_changes() -> None:
    condition = np.zeros(60, dtype=np.int64)
    plain, other = (
        draw_open_set(compared(1, 12), condition, ["nm"], [0.1], np.random.default_rng(3), 4, more)
        for more in (None, compared(2))
    )
    assert plain is not None
    assert other is not None
    assert plain.metrics().items() <= other.metrics().items()
    first, second = (one.intervals(np.random.default_rng(0), 50) for one in (plain, other))
    assert first.items() <= second.items()
    assert plain.transferred == ()
