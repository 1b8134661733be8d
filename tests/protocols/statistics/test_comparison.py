"""Comparing runs by samples, by people and over several seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, ttest_1samp

from protocols import compare
from protocols.action.evaluate import evaluate_action
from protocols.action.scores import ClassScores
from protocols.statistics.comparison import Comparison
from protocols.statistics.outcomes import Outcomes
from protocols.statistics.person_counts import PartCounts
from protocols.statistics.trainings import PairGain, trainings_test

SEEDS = st.integers(0, 2**32 - 1)


def run(rate: float, seed: int, count: int = 200, people: int = 20) -> ClassScores:
    """A run that is right about this often; samples, labels and persons are always the same."""
    generator = np.random.default_rng(seed)
    label = np.arange(count) % 3
    wrong = generator.random(count) >= rate
    given_class = np.where(wrong, (label + 1) % 3, label)
    return ClassScores(
        sample=[f"s{i:03d}" for i in range(count)],
        label=label,
        classes=["x", "y", "z"],
        probabilities=np.eye(3)[given_class],
        subject=[str(i % people) if people else "" for i in range(count)],
    )


def right(scores: ClassScores) -> npt.NDArray[np.bool_]:
    return np.asarray(scores.predicted == scores.label)


def by_seeds(pairs: Sequence[tuple[ClassScores, ClassScores]], **how: Any) -> Comparison:
    return compare([a for a, _ in pairs], [b for _, b in pairs], "seeds", **how)


def counts(rate: float, seed: int, people: int = 20, trials: int = 30) -> PartCounts:
    """Hits in two parts of people who are all tried as often."""
    generator = np.random.default_rng(seed)
    return {
        part: {f"p{i:02d}": (int(generator.binomial(trials, rate)), trials) for i in range(people)}
        for part in ("N-N", "C-N")
    }


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS)
def test_the_test_is_the_exact_binomial_one(seed: int) -> None:
    a, b = run(0.8, seed, people=0), run(0.7, seed + 1, people=0)
    result = compare(a, b, draws=20)
    first, second = int(np.sum(right(a) & ~right(b))), int(np.sum(right(b) & ~right(a)))
    assert (result.only_first, result.only_second) == (first, second)
    assert result.p_value == pytest.approx(binomtest(first, first + second).pvalue)
    assert result.difference == pytest.approx(right(a).mean() - right(b).mean())
    assert (result.samples, result.units, result.resampled) == (200, 200, "samples")
    assert f"over 200 samples; McNemar p = {result.p_value:.2g};" in result.sentence


@settings(max_examples=20, deadline=None)
@given(seed=SEEDS)
def test_order_of_samples_changes_nothing_and_exchange_only_the_sign(seed: int) -> None:
    generator = np.random.default_rng(seed)
    a, b = run(0.8, seed), run(0.7, seed + 1)
    plain = compare(a, b, draws=100)
    mixed = compare(a, b.select(generator.permutation(200)), draws=100)
    assert plain == mixed
    other = compare(b, a, draws=100)
    assert other.difference == -plain.difference
    assert (other.low, other.high) == pytest.approx((-plain.high, -plain.low))
    assert other.p_value == plain.p_value
    opposite = {"better": "worse", "worse": "better", "not significant": "not significant"}
    assert other.verdict == opposite[plain.verdict]


def test_the_interval_resamples_persons() -> None:
    a, b = run(0.9, 0), run(0.7, 1)
    result = compare(a, b, generator=np.random.default_rng(7), draws=300)
    gain = right(a).astype(float) - right(b)
    names = sorted(set(a.subject.tolist()))
    sums = np.array([gain[a.subject == name].sum() for name in names])
    counts = np.array([np.sum(a.subject == name) for name in names])
    generator = np.random.default_rng(7)
    # In blocks of 256, as the bootstrap of protocols.statistics.intervals draws them.
    weights = np.concatenate([generator.multinomial(20, [1 / 20] * 20, size=n) for n in (256, 44)])
    values = (weights @ sums) / (weights @ counts)
    assert (result.low, result.high) == pytest.approx(np.quantile(values, [0.025, 0.975]))


def test_verdicts_and_sentences() -> None:
    good, bad = run(0.95, 0), run(0.6, 1)
    better = compare(good, bad, names=("acl", "ce"))
    assert better.verdict == "better"
    assert better.sentence.startswith("Significant: acl is better than ce by 3")
    assert "over 20 persons; p = " in better.sentence
    assert "when the runs of persons are swapped at random; " in better.sentence
    assert compare(bad, good).verdict == "worse"
    same = compare(good, good)
    assert (same.difference, same.low, same.high, same.p_value) == (0.0, 0.0, 0.0, 1.0)
    assert same.sentence.startswith(
        "Not significant: the first and the second differ by +0.0 points"
    )
    assert "(no interval, because all differ equally, over 20 persons; " in same.sentence


def test_both_the_interval_and_the_test_must_agree() -> None:
    # Every one of four persons gains one sample: the interval excludes 0, p = 0.125 does not.
    b = run(1.0, 0, count=40, people=4)
    missed = b.label.copy()
    missed[:4] = (missed[:4] + 1) % 3
    worse = replace(b, probabilities=np.eye(3)[missed])
    result = compare(b, worse)
    assert result.low > 0
    assert result.p_value == 0.125
    assert result.verdict == "not significant"
    # One person of many gains everything: one swap of two is as extreme.
    b = run(1.0, 0, count=200, people=20)
    missed = np.where(b.subject == "3", (b.label + 1) % 3, b.label)
    result = compare(b, replace(b, probabilities=np.eye(3)[missed]))
    assert (result.only_first, result.only_second, result.p_value) == (10, 0, 1.0)
    assert result.low == 0
    assert result.verdict == "not significant"


def test_without_persons_samples_are_resampled() -> None:
    result = compare(run(0.9, 0, people=0), run(0.7, 1, people=0), draws=50)
    assert (result.units, result.resampled) == (200, "samples")
    single = compare(run(0.9, 0, people=1), run(0.7, 1, people=1), draws=50)
    assert single.resampled == "samples"


def test_records_alone_are_enough() -> None:
    a, b = run(0.9, 0), run(0.7, 1)
    kept = [Outcomes.from_cells(evaluate_action(scores).record_cells()) for scores in (a, b)]
    assert compare(kept[0], kept[1], draws=50) == compare(a, b, draws=50)
    assert compare(a, kept[1], draws=50) == compare(a, b, draws=50)


def test_unknown_labels_take_no_part() -> None:
    a, b = run(0.9, 0), run(0.7, 1)
    hidden = np.where(np.arange(200) < 50, -1, a.label)
    result = compare(replace(a, label=hidden), replace(b, label=hidden), draws=20)
    assert result.samples == 150
    blind = replace(a, label=np.full(200, -1))
    with pytest.raises(ValueError, match="no sample of known label"):
        compare(blind, blind)


def test_runs_that_do_not_belong_together_are_refused() -> None:
    a = run(0.9, 0)
    with pytest.raises(ValueError, match=r"ce lacks sample 's199', which acl has \(1 in all"):
        compare(a, a.select(np.arange(199)), names=("acl", "ce"))
    with pytest.raises(ValueError, match="Sample 's000' is of class 0 in the first and of class 1"):
        compare(a, replace(a, label=[1, *a.label[1:]]))
    with pytest.raises(ValueError, match="Class 2 is 'w' in the second and 'z' in the first: both"):
        compare(a, replace(a, classes=["x", "y", "w"]))
    with pytest.raises(ValueError, match="cannot be paired"):
        by_seeds([])
    with pytest.raises(ValueError, match="unit must be one of samples, people, seeds, not 'folds'"):
        compare(a, a, "folds")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="2 pairs of runs are compared by seeds"):
        compare([a, a], [a, a], "samples")
    with pytest.raises(ValueError, match="keeps no outcomes"):
        compare(a, counts(0.9, 0), "samples")


def test_seeds_of_one_person_are_kept_together() -> None:
    pairs = [(run(0.9, seed), run(0.8, seed + 100)) for seed in range(3)]
    result = by_seeds(pairs, generator=np.random.default_rng(3), draws=200)
    singles = [compare(a, b, draws=5).difference for a, b in pairs]
    assert result.differences == pytest.approx(singles)
    assert result.difference == pytest.approx(np.mean(singles))
    # Persons have equally many samples, so that the mean over seeds is one heap of gains.
    gain = np.mean([right(a).astype(float) - right(b) for a, b in pairs], axis=0)
    subject = pairs[0][0].subject
    means = np.array([gain[subject == name].mean() for name in sorted(set(subject.tolist()))])
    weights = np.random.default_rng(3).multinomial(20, [1 / 20] * 20, size=200)
    expected = np.quantile(weights @ means / 20, [0.025, 0.975])
    assert (result.low, result.high) == pytest.approx(expected)
    assert (result.units, result.resampled) == (20, "persons")


def test_copies_of_a_seed_do_not_narrow_the_interval() -> None:
    pair = (run(0.9, 0), run(0.8, 1))
    once, thrice = by_seeds([pair]), by_seeds([pair] * 3)
    assert (once.low, once.high) == pytest.approx((thrice.low, thrice.high))


def test_a_pair_that_points_the_other_way_withholds_the_verdict() -> None:
    good, bad = run(0.95, 0), run(0.6, 1)
    agreed = by_seeds([(good, bad), (run(0.93, 2), bad)], names=("acl", "ce"))
    assert agreed.verdict == "better"
    assert agreed.sentence.startswith("Significant: acl is better than ce by ")
    split = by_seeds([(good, bad)] * 5 + [(bad, run(0.65, 3))])
    assert split.low > 0
    assert min(split.differences) < 0
    assert split.verdict == "not significant"


def test_folds_may_have_different_samples() -> None:
    a, b = run(0.9, 0), run(0.7, 1)
    halves = [np.arange(200) < 120, np.arange(200) >= 120]
    result = by_seeds([(a.select(half), b.select(half)) for half in halves])
    assert result.units == 20
    expected = np.mean([right(a)[half].mean() - right(b)[half].mean() for half in halves])
    assert result.difference == pytest.approx(expected)
    assert result.low < result.difference < result.high


def test_people_are_better_worse_or_not_significantly_different() -> None:
    good, bad = counts(0.9, 0), counts(0.6, 1)
    better = compare(good, bad, names=("acl", "ce"))
    assert better.verdict == "better"
    assert better.low > 0
    assert better.sentence.startswith("Significant: acl is better than ce by ")
    assert "points of hit rate (95 % interval" in better.sentence
    assert "over 20 people" in better.sentence
    worse = compare(bad, good, names=("ce", "acl"))
    assert worse.verdict == "worse"
    same = compare(counts(0.7, 2), counts(0.7, 3), names=("a", "b"))
    assert same.verdict == "not significant"
    assert same.sentence.startswith("Not significant: a and b differ by ")


def test_figures_are_means_over_parts_and_people() -> None:
    first = {"N-N": {"x": (4, 4), "y": (0, 1)}, "C-N": {"x": (1, 2)}}
    second = {"N-N": {"x": (2, 4), "y": (1, 1)}, "C-N": {"x": (1, 2)}}
    result = compare(first, second, draws=50)
    assert result.parts == {"C-N": 0.0, "N-N": pytest.approx(1 / 5)}
    assert result.difference == pytest.approx(0.1)
    assert result.gains == {"y": -1.0, "x": 0.25}
    assert list(result.gains) == ["y", "x"]
    assert (result.units, result.verdict) == (2, "not significant")


@settings(max_examples=15, deadline=None)
@given(seed=SEEDS)
def test_exchange_of_people_changes_only_the_sign(seed: int) -> None:
    a, b = counts(0.8, seed), counts(0.7, seed + 1)
    one, two = compare(a, b, draws=200), compare(b, a, draws=200)
    assert two.difference == pytest.approx(-one.difference)
    assert (two.low, two.high) == pytest.approx((-one.high, -one.low))
    assert two.p_value == one.p_value
    backwards = {part: dict(reversed(people.items())) for part, people in reversed(a.items())}
    assert compare(backwards, b, draws=200) == one


@pytest.mark.parametrize(("people", "least"), [(2, 0.5), (3, 0.25), (5, 0.0625)])
def test_few_people_are_never_enough_and_the_sentence_says_so(people: int, least: float) -> None:
    # All are better with the first run: two of all swaps are as extreme.
    pair = [counts(1.0, 0, people), counts(0.2, 1, people)]
    good, bad = run(1.0, 0, people=people), run(0.2, 1, people=people)
    results = [compare(*pair), compare(good, bad), by_seeds([(good, bad)] * 3)]
    for result in results:
        assert result.low > 0
        assert (result.p_value, result.least_p_value) == (least, least)
        assert result.verdict == "not significant"
        assert result.sentence.endswith(
            f"With {people} {result.resampled}, no difference can be significant: the lowest "
            f"possible p is {least:.2g}."
        )
    assert "no difference can be" not in compare(counts(1.0, 0, 6), counts(1.0, 0, 6)).sentence
    assert compare(counts(1.0, 0, 6), counts(0.2, 1, 6)).verdict == "better"


def test_seeds_need_the_test_of_people_too() -> None:
    # Three of six people gain, in every seed: the interval excludes 0 almost as a rule.
    b = run(1.0, 0, count=60, people=6)
    missed = np.where(b.subject.astype(int) < 4, (b.label + 1) % 3, b.label)
    result = by_seeds([(b, replace(b, probabilities=np.eye(3)[missed]))] * 3)
    assert (result.unit, result.low > 0, min(result.differences) > 0) == ("seeds", True, True)
    assert result.p_value == 2 / 2**4
    assert result.verdict == "not significant"
    assert "by pair +66.7, +66.7, +66.7; p = 0.12 when the runs of persons" in result.sentence


def lucky(gains: Sequence[float]) -> Comparison:
    """Compare counts of 20 people, who all gain alike in a seed, by these shares."""
    sides = (
        [counts(0.5 + sign * gain / 2, seed, trials=300) for seed, gain in enumerate(gains)]
        for sign in (1, -1)
    )
    return compare(*sides, names=("a", "b"), draws=300)


def test_what_trainings_share_by_luck_is_no_difference_of_methods() -> None:
    steady, luck = lucky([0.05, 0.06, 0.05]), lucky([0.14, 0.01, 0.01])
    assert (steady.unit, steady.verdict, luck.verdict) == ("people", "better", "not significant")
    for result in (steady, luck):
        # People alone tell both apart.
        assert result.low > 0
        assert result.p_value < 0.01
    assert luck.p_value_of_trainings == pytest.approx(0.44, abs=0.01)
    assert "p = 0.44 over people and 3 pairs of training runs" in luck.sentence
    assert lucky([0.3]).p_value_of_trainings is None
    assert "this holds for these two training runs only" in lucky([0.3]).sentence


def test_the_detectable_difference_is_found_four_times_in_five() -> None:
    # Pairs of runs whose true difference is the one that runs of this spread should find.
    random = np.random.default_rng(0)
    people, seeds = 12, 4

    def pairs(lead: float) -> list[PairGain]:
        suits = random.normal(lead, 5.0, (1, people))
        gain = suits + random.normal(0, 3.0, (seeds, 1)) + random.normal(0, 4.0, (seeds, people))
        trials = np.full((people, 1), 100.0)
        return [PairGain(np.arange(people), one[:, None], trials) for one in gain]

    typical = np.mean([trainings_test(pairs(0.0)).detectable for _ in range(400)])
    found = [trainings_test(pairs(100 * float(typical))).p_value < 0.05 for _ in range(400)]
    assert np.mean(found) == pytest.approx(0.8, abs=0.06)


def test_several_runs_say_what_they_would_find() -> None:
    result = lucky([0.05, 0.06, 0.05])
    assert result.detectable is not None
    assert f"would find a true difference of {100 * result.detectable:.1f}" in result.sentence
    assert lucky([0.3]).detectable is None


def test_one_person_shows_nothing_of_methods() -> None:
    first, second = {"all": {"ann": (9, 9)}}, {"all": {"ann": (1, 9)}}
    assert compare([first] * 3, [second] * 3).p_value_of_trainings == 1.0


def test_folds_of_other_people_are_compared_by_the_folds() -> None:
    pairs = []
    for fold, gain in enumerate((3, 5, 1, 6)):
        names = [f"{fold}{i}" for i in range(5)]
        first = dict.fromkeys(names, (10 + gain, 20))
        pairs.append(({"all": first}, {"all": dict.fromkeys(names, (10, 20))}))
    result = compare([a for a, _ in pairs], [b for _, b in pairs])
    expected = ttest_1samp([0.15, 0.25, 0.05, 0.3], 0.0).pvalue
    assert result.p_value_of_trainings == pytest.approx(expected, rel=0.02)


def test_one_pair_of_seeds_is_compared_as_samples() -> None:
    a, b = run(0.9, 0), run(0.8, 1)
    assert by_seeds([(a, b)]) == compare(a, b, "samples")


@settings(max_examples=15, deadline=None)
@given(seed=SEEDS, people=st.integers(2, 9))
def test_all_swaps_of_few_people_are_counted(seed: int, people: int) -> None:
    generator = np.random.default_rng(seed)
    runs: list[PartCounts] = [{"x": {}, "y": {}}, {"x": {}, "y": {}}]
    for person in range(people):
        for part in "xy":
            tried = int(generator.integers(0 if part == "y" else 1, 5))
            for one in runs:
                one[part][str(person)] = int(generator.integers(0, tried + 1)), tried  # type: ignore[index]
    gain = np.array([[runs[0][p][w][0] - runs[1][p][w][0] for p in "xy"] for w in runs[0]["x"]])
    tried = np.array([[runs[0][p][w][1] for p in "xy"] for w in runs[0]["x"]]).sum(axis=0)

    def mean(signs: Sequence[int]) -> float:
        return abs(float(np.mean(((signs @ gain) / np.where(tried, tried, 1))[tried > 0])))

    every = [mean(signs) for signs in product((1, -1), repeat=people)]
    expected = np.mean(np.array(every) >= mean([1] * people) - 1e-12)
    assert compare(*runs, draws=5).p_value == pytest.approx(expected)


def test_runs_over_other_probes_are_refused() -> None:
    a = counts(0.8, 0, people=3)
    with pytest.raises(ValueError, match="has the part 'C-N'"):
        compare(a, {"N-N": a["N-N"]})
    fewer = {part: {k: v for k, v in people.items() if k != "p01"} for part, people in a.items()}
    with pytest.raises(ValueError, match="has the person 'p01'"):
        compare(a, fewer)
    other = a | {"C-N": a["C-N"] | {"p02": (1, 2)}}
    with pytest.raises(ValueError, match="p02 has 30 probes of C-N in old and 2 in new"):
        compare(a, other, names=("old", "new"))
    with pytest.raises(ValueError, match="has 3 hits in 2 probes"):
        compare({"N-N": {"x": (3, 2)}}, {"N-N": {"x": (1, 2)}})
    with pytest.raises(ValueError, match="no probe to compare"):
        compare({"N-N": {"x": (0, 0)}}, {"N-N": {"x": (0, 0)}})
