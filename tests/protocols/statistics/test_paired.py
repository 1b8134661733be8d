"""Comparing runs sample by sample."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from protocols.action.evaluate import evaluate_classes
from protocols.action.scores import ClassScores
from protocols.statistics.outcomes import Outcomes
from protocols.statistics.paired import compare_outcomes, compare_seeds

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


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS)
def test_the_test_is_the_exact_binomial_one(seed: int) -> None:
    a, b = run(0.8, seed), run(0.7, seed + 1)
    result = compare_outcomes(a, b, draws=20)
    first, second = int(np.sum(a.correct & ~b.correct)), int(np.sum(b.correct & ~a.correct))
    assert (result.only_first, result.only_second) == (first, second)
    assert result.p_value == pytest.approx(binomtest(first, first + second).pvalue)
    assert result.difference == pytest.approx(a.correct.mean() - b.correct.mean())
    assert (result.samples, result.units, result.unit) == (200, 20, "persons")


@settings(max_examples=20, deadline=None)
@given(seed=SEEDS)
def test_order_of_samples_changes_nothing_and_exchange_only_the_sign(seed: int) -> None:
    generator = np.random.default_rng(seed)
    a, b = run(0.8, seed), run(0.7, seed + 1)
    plain = compare_outcomes(a, b, draws=100)
    mixed = compare_outcomes(a, b.select(generator.permutation(200)), draws=100)
    assert plain == mixed
    other = compare_outcomes(b, a, draws=100)
    assert other.difference == -plain.difference
    assert (other.low, other.high) == pytest.approx((-plain.high, -plain.low))
    assert other.p_value == plain.p_value
    opposite = {"better": "worse", "worse": "better", "not told apart": "not told apart"}
    assert other.verdict == opposite[plain.verdict]


def test_the_interval_resamples_persons() -> None:
    a, b = run(0.9, 0), run(0.7, 1)
    result = compare_outcomes(a, b, generator=np.random.default_rng(7), draws=300)
    gain = a.correct.astype(float) - b.correct
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
    better = compare_outcomes(good, bad, names=("acl", "ce"))
    assert better.verdict == "better"
    assert better.sentence.startswith("By these data acl is better than ce, by 3")
    assert "over 20 persons; McNemar p = " in better.sentence
    assert "on 200 samples" in better.sentence
    assert compare_outcomes(bad, good).verdict == "worse"
    same = compare_outcomes(good, good)
    assert (same.difference, same.low, same.high, same.p_value) == (0.0, 0.0, 0.0, 1.0)
    assert same.sentence.startswith("These data do not tell the first and the second apart")


def test_both_the_interval_and_the_test_must_agree() -> None:
    # Every one of four persons gains one sample: the interval excludes 0, p = 0.125 does not.
    b = run(1.0, 0, count=40, people=4)
    missed = b.label.copy()
    missed[:4] = (missed[:4] + 1) % 3
    worse = replace(b, probabilities=np.eye(3)[missed])
    result = compare_outcomes(b, worse)
    assert result.low > 0
    assert result.p_value == 0.125
    assert result.verdict == "not told apart"
    # One person of many gains everything: p is tiny, the interval over persons holds 0.
    b = run(1.0, 0, count=200, people=20)
    missed = np.where(b.subject == "3", (b.label + 1) % 3, b.label)
    result = compare_outcomes(b, replace(b, probabilities=np.eye(3)[missed]))
    assert result.p_value < 0.05
    assert result.low == 0
    assert result.verdict == "not told apart"


def test_without_persons_samples_are_resampled() -> None:
    result = compare_outcomes(run(0.9, 0, people=0), run(0.7, 1, people=0), draws=50)
    assert (result.units, result.unit) == (200, "samples")
    single = compare_outcomes(run(0.9, 0, people=1), run(0.7, 1, people=1), draws=50)
    assert single.unit == "samples"


def test_records_alone_are_enough() -> None:
    a, b = run(0.9, 0), run(0.7, 1)
    kept = [Outcomes.from_cells(evaluate_classes(scores).record_cells()) for scores in (a, b)]
    assert compare_outcomes(kept[0], kept[1], draws=50) == compare_outcomes(a, b, draws=50)
    assert compare_outcomes(a, kept[1], draws=50) == compare_outcomes(a, b, draws=50)


def test_unknown_labels_take_no_part() -> None:
    a, b = run(0.9, 0), run(0.7, 1)
    hidden = np.where(np.arange(200) < 50, -1, a.label)
    result = compare_outcomes(replace(a, label=hidden), replace(b, label=hidden), draws=20)
    assert result.samples == 150
    blind = replace(a, label=np.full(200, -1))
    with pytest.raises(ValueError, match="no sample of known label"):
        compare_outcomes(blind, blind)


def test_runs_that_do_not_belong_together_are_refused() -> None:
    a = run(0.9, 0)
    with pytest.raises(ValueError, match=r"Only one of acl and ce has sample 's199' \(1 such"):
        compare_outcomes(a, a.select(np.arange(199)), names=("acl", "ce"))
    with pytest.raises(ValueError, match="Sample 's000' is of class 0 in the first and of class 1"):
        compare_outcomes(a, replace(a, label=[1, *a.label[1:]]))
    with pytest.raises(ValueError, match="not of the same classes"):
        compare_outcomes(a, replace(a, classes=["x", "y", "w"]))
    with pytest.raises(ValueError, match="no pair of runs"):
        compare_seeds([])


def test_seeds_of_one_person_are_kept_together() -> None:
    pairs = [(run(0.9, seed), run(0.8, seed + 100)) for seed in range(3)]
    result = compare_seeds(pairs, generator=np.random.default_rng(3), draws=200)
    singles = [compare_outcomes(a, b, draws=5).difference for a, b in pairs]
    assert result.differences == pytest.approx(singles)
    assert result.mean == pytest.approx(np.mean(singles))
    # Persons have equally many samples, so that the mean over seeds is one heap of gains.
    gain = np.mean([a.correct.astype(float) - b.correct for a, b in pairs], axis=0)
    subject = pairs[0][0].subject
    means = np.array([gain[subject == name].mean() for name in sorted(set(subject.tolist()))])
    weights = np.random.default_rng(3).multinomial(20, [1 / 20] * 20, size=200)
    expected = np.quantile(weights @ means / 20, [0.025, 0.975])
    assert (result.low, result.high) == pytest.approx(expected)
    assert (result.pairs, result.units, result.unit) == (3, 20, "persons")


def test_copies_of_a_seed_do_not_narrow_the_interval() -> None:
    pair = (run(0.9, 0), run(0.8, 1))
    once, thrice = compare_seeds([pair]), compare_seeds([pair] * 3)
    assert (once.low, once.high) == pytest.approx((thrice.low, thrice.high))


def test_a_pair_that_points_the_other_way_withholds_the_verdict() -> None:
    good, bad = run(0.95, 0), run(0.6, 1)
    agreed = compare_seeds([(good, bad), (run(0.93, 2), bad)], names=("acl", "ce"))
    assert agreed.verdict == "better"
    assert agreed.sentence.startswith("By these data acl is better than ce")
    split = compare_seeds([(good, bad)] * 5 + [(bad, run(0.65, 3))])
    assert split.low > 0
    assert min(split.differences) < 0
    assert split.verdict == "not told apart"


def test_folds_may_have_different_samples() -> None:
    a, b = run(0.9, 0), run(0.7, 1)
    halves = [np.arange(200) < 120, np.arange(200) >= 120]
    result = compare_seeds([(a.select(half), b.select(half)) for half in halves])
    assert result.units == 20
    expected = np.mean([a.correct[half].mean() - b.correct[half].mean() for half in halves])
    assert result.mean == pytest.approx(expected)
    assert result.low < result.mean < result.high
