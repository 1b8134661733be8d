"""Calibration and refusals: temperatures, errors, rates by person, groups of classes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.action.unknown import (
    Refusals,
    calibration_error,
    fit_temperature,
    groups_of_classes,
    separation,
)


def drawn(temperature: float, count: int = 3000) -> tuple[np.ndarray, np.ndarray]:
    """Logits of four classes that are too sure by a factor, and labels drawn from the truth."""
    rng = np.random.default_rng(0)
    logits = rng.normal(scale=2.0, size=(count, 4))
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    label = (rng.random((count, 1)) > shares.cumsum(axis=1)).sum(axis=1)
    return logits * temperature, label


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_the_temperature_is_found_and_mends_the_error(temperature: float) -> None:
    logits, label = drawn(temperature)
    found = fit_temperature(logits, label)
    assert found == pytest.approx(temperature, rel=0.1)
    cooled = np.exp(logits / found)
    assert calibration_error(cooled / cooled.sum(axis=1, keepdims=True), label) < 0.03


def test_what_is_always_right_has_the_coldest_temperature() -> None:
    assert fit_temperature(np.eye(3), [0, 1, 2]) == pytest.approx(0.1, rel=1e-3)
    with pytest.raises(ValueError, match="no held-out sample"):
        fit_temperature(np.zeros((0, 3)), [])


def test_the_calibration_error_is_that_of_a_plain_loop() -> None:
    logits, label = drawn(2.0, count=200)
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    bins: dict[int, list[tuple[float, bool]]] = {}
    for row, truth in zip(shares, label, strict=True):
        place = int(np.ceil(row.max() * 15)) - 1
        bins.setdefault(place, []).append((row.max(), bool(row.argmax() == truth)))
    error = sum(
        len(own) / 200 * abs(np.mean([s for s, _ in own]) - np.mean([r for _, r in own]))
        for own in bins.values()
    )
    assert calibration_error(shares, label) == pytest.approx(error)


def test_rates_count_samples_and_intervals_people() -> None:
    refusals = Refusals(
        known=np.array([True, True, True, True, False, False, False, False]),
        refused=np.array([True, False, False, False, True, True, True, False]),
        subject=np.array(["a", "a", "b", "b", "a", "a", "b", "b"]),
    )
    assert refusals.rates() == {"refused": 0.75, "false_alarms": 0.25}
    ends = refusals.intervals(np.random.default_rng(0))
    assert ends == {"refused": (0.5, 1.0), "false_alarms": (0.0, 0.5)}
    twice = Refusals.joined([refusals, refusals])
    assert (twice.rates(), len(twice.known)) == (refusals.rates(), 16)


def test_nothing_unknown_has_no_rate() -> None:
    known = Refusals(np.array([True]), np.array([False]), np.array(["a"]))
    assert np.isnan(known.rates()["refused"])
    assert "refused" not in known.intervals(np.random.default_rng(0))


def test_separation_is_the_share_of_pairs_in_order() -> None:
    rng = np.random.default_rng(0)
    known, unknown = rng.integers(0, 5, 20) * 1.0, rng.integers(0, 4, 30) * 1.0
    pairs = [(a > b) + 0.5 * (a == b) for a in known for b in unknown]
    assert separation(known, unknown) == pytest.approx(np.mean(pairs))


@given(st.integers(4, 40), st.integers(2, 10), st.integers(0, 99))
def test_every_class_is_left_out_once(count: int, groups: int, seed: int) -> None:
    if groups > count or count - -(-count // groups) < 2:
        with pytest.raises(ValueError, match="cannot be left out"):
            groups_of_classes(count, groups, seed)
        return
    parts = groups_of_classes(count, groups, seed)
    assert sorted(np.concatenate(parts).tolist()) == list(range(count))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
