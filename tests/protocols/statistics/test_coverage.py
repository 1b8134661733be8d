"""Do intervals of 95 % hold the truth in about 95 of 100 data sets? Counted, by simulation."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from protocols.biometrics.evaluate import evaluate_biometrics
from protocols.biometrics.people_errors import PeopleErrors
from protocols.embeddings import Embeddings
from protocols.gait.gallery_probe import GalleryProbe
from protocols.statistics.intervals import (
    bootstrap_interval,
    percentiles,
    widen_if_alike,
    wilson_interval,
)


def clustered(
    generator: np.random.Generator, sets: int, people: int, trials: int
) -> npt.NDArray[np.int64]:
    """Hits of people who differ: each has a rate of his own, Beta(4, 1), 0.8 in the mean."""
    return generator.binomial(trials, generator.beta(4, 1, (sets, people)))


@pytest.mark.parametrize(("rate", "count"), [(0.5, 50), (0.1, 100), (0.9, 200), (0.02, 1000)])
def test_wilson_covers(rate: float, count: int) -> None:
    hits = np.random.default_rng(0).binomial(count, rate, size=40_000)
    low, high = wilson_interval(hits, np.full_like(hits, count))
    assert 0.93 <= np.mean((low <= rate) & (rate <= high)) <= 0.97


def test_bootstrap_over_people_covers_where_trials_of_one_person_are_alike() -> None:
    generator = np.random.default_rng(0)
    trials = np.full(40, 30)
    inside, naive = 0, 0
    sets = clustered(generator, 400, 40, 30)
    for hits in sets:
        low, high = bootstrap_interval(hits, trials, generator, draws=400)
        inside += bool(low <= 0.8 <= high)
        start, end = wilson_interval(hits.sum(), trials.sum())
        naive += bool(start <= 0.8 <= end)
    assert 0.90 <= inside / len(sets) <= 0.98
    # Taking the trials as independent is what the bootstrap is there to avoid.
    assert naive / len(sets) < 0.75


def test_with_few_people_the_bootstrap_is_too_sure_of_itself() -> None:
    # Stated in the documentation of paired comparisons, and the reason for their second condition.
    generator = np.random.default_rng(0)
    sets = clustered(generator, 300, 6, 30)
    ends = [bootstrap_interval(hits, np.full(6, 30), generator, draws=300) for hits in sets]
    inside = np.mean([bool(low <= 0.8 <= high) for low, high in ends])
    assert 0.70 <= inside < 0.93


def impostors(
    generator: np.random.Generator, people: int, spread: float
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """(S, S) false matches: a comparison is as easy as both people make it; 0.05 in the mean."""
    ease = generator.normal(0.0, spread, people)
    rate = np.minimum(0.05 * np.exp(ease[:, None] + ease - spread**2), 1.0)
    trials = np.full((people, people), 12)
    np.fill_diagonal(trials, 0)
    return generator.binomial(trials, rate), trials


@pytest.mark.slow
def test_drawing_both_people_of_a_comparison_covers_and_drawing_one_does_not() -> None:
    generator = np.random.default_rng(0)
    people, sets = 40, 300
    inside, naive = 0, 0
    for _ in range(sets):
        matched, trials = impostors(generator, people, 0.4)
        none = np.zeros((1, people, 1), dtype=np.int64)
        errors = PeopleErrors(
            np.array([0.5]), none[..., 0] + 1, none, trials[None], matched[None, ..., None]
        )
        fmr, _ = errors.resampled(generator, 300)
        low, high = percentiles(fmr[:, 0])
        inside += bool(low <= 0.05 <= high)
        start, end = bootstrap_interval(
            matched.sum(axis=1), trials.sum(axis=1), generator, draws=300
        )
        naive += bool(start <= 0.05 <= end)
    assert 0.89 <= inside / sets <= 0.98
    assert naive / sets < 0.80


def test_none_of_n_gives_about_the_rule_of_three() -> None:
    for people in (30, 100, 1000):
        low, high = widen_if_alike((0.0, 0.0), 0.0, people)
        assert low == 0.0
        assert 3.0 / people <= high <= 4.0 / people
        exact = stats.binomtest(0, people).proportion_ci(method="exact").high
        assert high == pytest.approx(exact, rel=0.1)
    assert np.isnan(widen_if_alike(percentiles(np.full(3, np.nan)), 0.0, 9)).all()


def test_people_who_are_alike_by_chance_do_not_make_a_rate_certain() -> None:
    generator = np.random.default_rng(0)
    inside, bare, alike = 0, 0, 0
    sets = generator.binomial(4, generator.beta(8, 2, (300, 3)))
    for hits in sets:
        low, high = map(float, bootstrap_interval(hits, [4] * 3, generator, draws=200))
        alike += low == high
        bare += low <= 0.8 <= high
        low, high = widen_if_alike((low, high), hits.sum() / 12, 3)
        assert low < high
        inside += low <= 0.8 <= high
    # In many of the sets all three people have the same rate, such as 1 or 3/4.
    assert alike > 30
    assert inside >= bare + alike * 0.9
    low, high = widen_if_alike((0.5, 0.5), 0.5, 10)
    assert (low, high) == pytest.approx(stats.binomtest(5, 10).proportion_ci(method="wilson"))


@pytest.mark.slow
@pytest.mark.thorough
def test_intervals_of_the_whole_table_cover_what_other_people_would_show() -> None:
    protocol = GalleryProbe(
        name="two and two",
        rules=(
            {"condition": "nm", "take": "1", "role": "gallery"},  # type: ignore[arg-type]
            {"condition": "nm", "take": "*", "role": "probe"},  # type: ignore[arg-type]
        ),
    )

    def sample(generator: np.random.Generator, people: int) -> Embeddings:
        centre = generator.standard_normal((people, 6))
        # Some people walk less alike from one time to the next.
        noise = generator.uniform(0.3, 1.0, people)[:, None, None]
        walks = centre[:, None] + noise * generator.standard_normal((people, 4, 6))
        subject, take = np.repeat(np.arange(people), 4), np.tile(np.arange(1, 5), people)
        return Embeddings(walks.reshape(-1, 6), subject, np.full(people * 4, "nm"), take)

    names = ("eer", "fnmr@fmr0.1", "fnmr@fmr0.02")
    how = {"targets": (0.1, 0.02), "rotations": 0}
    whole = evaluate_biometrics(sample(np.random.default_rng(0), 1500), protocol, **how)
    truth = [whole.metrics[name] for name in names]
    inside = np.zeros(len(names))
    sets = 150
    generator = np.random.default_rng(1)
    for _ in range(sets):
        table = evaluate_biometrics(sample(generator, 40), protocol, **how)
        intervals = table.intervals(generator, draws=300)
        for place, (name, value) in enumerate(zip(names, truth, strict=True)):
            low, high = intervals[name]
            inside[place] += low <= value <= high
    assert (inside / sets >= 0.87).all(), inside / sets
    assert (inside / sets <= 0.995).all(), inside / sets
