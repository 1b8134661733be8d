"""Intervals and the comparison of two models."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from protocols.statistics.intervals import bootstrap_interval, mcnemar, wilson_interval


def test_wilson_equals_the_golden_values(shared: Path) -> None:
    with np.load(shared / "golden" / "gait" / "biometrics.npz") as golden:
        counts, expected = golden["ci_k_n"], golden["ci_wilson95"]
    low, high = wilson_interval(counts[:, 0], counts[:, 1])
    np.testing.assert_allclose(np.column_stack([low, high]), expected, atol=1e-12)


@given(trials=st.integers(1, 500), data=st.data())
def test_wilson_equals_scipy(trials: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, trials))
    low, high = wilson_interval(successes, trials)
    expected = stats.binomtest(successes, trials).proportion_ci(method="wilson")
    assert (float(low), float(high)) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_without_trials_knows_nothing() -> None:
    low, high = wilson_interval(0, 0)
    assert (float(low), float(high)) == (0.0, 1.0)


def test_bootstrap_resamples_people_not_trials() -> None:
    # Ten people of 100 trials each, all right or all wrong: the spread is that of ten people.
    successes, trials = np.array([100] * 5 + [0] * 5), np.full(10, 100)
    low, high = bootstrap_interval(successes, trials, np.random.default_rng(0), draws=4000)
    expected = stats.binom(10, 0.5).ppf([0.025, 0.975]) / 10
    assert (float(low), float(high)) == pytest.approx(expected.tolist(), abs=0.05)
    narrow = wilson_interval(500, 1000)
    assert high - low > 5 * (narrow[1] - narrow[0])


def test_bootstrap_agrees_with_scipy() -> None:
    generator = np.random.default_rng(1)
    hits = generator.binomial(20, generator.uniform(0.5, 1.0, 40))
    trials = np.full(40, 20)
    ours = bootstrap_interval(hits, trials, np.random.default_rng(2), draws=5000)
    theirs = stats.bootstrap(
        (hits / 20,), np.mean, n_resamples=5000, method="percentile", rng=np.random.default_rng(3)
    ).confidence_interval
    assert (float(ours[0]), float(ours[1])) == pytest.approx((theirs.low, theirs.high), abs=0.01)


def test_bootstrap_is_seeded_and_does_not_depend_on_its_chunks() -> None:
    hits, trials = np.arange(12), np.full(12, 12)
    first = bootstrap_interval(hits, trials, np.random.default_rng(5), draws=700)
    again = bootstrap_interval(hits, trials, np.random.default_rng(5), draws=700)
    other = bootstrap_interval(hits, trials, np.random.default_rng(6), draws=700)
    assert first == again
    assert first != other


def test_bootstrap_of_several_cells_takes_any_statistic() -> None:
    hits = np.array([[2, 0], [0, 1], [2, 1]])
    trials = np.array([[2, 1], [2, 1], [2, 1]])
    low, high = bootstrap_interval(
        hits, trials, np.random.default_rng(0), statistic=lambda k, n: k / n, draws=500
    )
    assert low.shape == high.shape == (2,)
    assert (low <= [2 / 3, 2 / 3]).all()
    assert (high >= [2 / 3, 2 / 3]).all()


def test_bootstrap_leaves_out_draws_without_a_trial() -> None:
    low, high = bootstrap_interval([1, 0], [1, 0], np.random.default_rng(0), draws=100)
    assert (float(low), float(high)) == (1.0, 1.0)
    low, high = bootstrap_interval([0, 0], [0, 0], np.random.default_rng(0), draws=10)
    assert np.isnan([low, high]).all()


@given(
    first=st.lists(st.booleans(), min_size=1, max_size=60),
    flips=st.lists(st.booleans(), min_size=60, max_size=60),
)
def test_mcnemar_is_the_binomial_test_of_the_discordant_probes(
    first: list[bool], flips: list[bool]
) -> None:
    second = [a != flip for a, flip in zip(first, flips, strict=False)]
    result = mcnemar(first, second)
    assert result.only_first == sum(a and not b for a, b in zip(first, second, strict=True))
    assert result.only_second == sum(b and not a for a, b in zip(first, second, strict=True))
    discordant = result.only_first + result.only_second
    expected = stats.binomtest(result.only_first, discordant).pvalue if discordant else 1.0
    assert result.p_value == pytest.approx(expected)
    assert mcnemar(second, first).p_value == pytest.approx(result.p_value)


def test_bad_input_is_refused() -> None:
    generator = np.random.default_rng(0)
    with pytest.raises(ValueError, match="between 0 and the number of trials"):
        wilson_interval([1, 3], [2, 2])
    with pytest.raises(ValueError, match="between 0 and the number of trials"):
        wilson_interval([1, -1], [2, 2])
    with pytest.raises(ValueError, match="must have one shape"):
        bootstrap_interval([1, 2], [3], generator)
    with pytest.raises(ValueError, match="at least one person"):
        bootstrap_interval([], [], generator)
    with pytest.raises(ValueError, match="draws must be at least 1"):
        bootstrap_interval([1], [1], generator, draws=0)
    with pytest.raises(ValueError, match="one answer a probe"):
        mcnemar([True], [True, False])
