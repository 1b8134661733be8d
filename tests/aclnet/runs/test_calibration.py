"""What is known, what is not, and at which rate of false alarms."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from aclnet.runs.calibration import (
    CALIBRATION,
    Calibration,
    KnownScore,
    calibrated,
    known_scores,
    read_calibration,
    weights_hash,
)


def made(known: list[float], weights: str = "") -> Calibration:
    return Calibration(
        score="logit",
        temperature=2.0,
        known=tuple(known),
        people=3,
        error=(0.2, 0.1),
        weights=weights,
    )


@pytest.mark.parametrize(
    ("score", "value"),
    [("logit", 2.0), ("energy", np.log(np.e**2 + np.e)), ("probability", np.e / (1 + np.e))],
)
def test_scores_of_logits_at_a_temperature(score: KnownScore, value: float) -> None:
    assert known_scores([[4.0, 2.0]], 2.0, score) == pytest.approx(value)


@pytest.mark.parametrize("score", ["logit", "energy", "probability"])
def test_huge_logits_stay_finite(score: KnownScore) -> None:
    assert np.isfinite(known_scores([[1e4, -1e4]], 0.1, score)).all()
    assert calibrated([[1e4, -1e4]], 0.1).tolist() == [[1.0, 0.0]]


def test_few_strangers_are_called_unknown() -> None:
    rng = np.random.default_rng(0)
    false = []
    for _ in range(200):
        threshold = made(rng.normal(size=59).tolist()).threshold(0.05)
        false.append(float(np.mean(rng.normal(size=500) < threshold)))
    assert np.mean(false) == pytest.approx(0.05, abs=0.01)


@pytest.mark.parametrize(
    ("rate", "message"),
    [
        (0.0, "must be between 0 and 1, not 0"),
        (1.0, "must be between 0 and 1, not 1"),
        (0.04, "19 held-out recordings are too few for a rate of 0.04 false alarms: ask for 0.05"),
    ],
)
def test_a_rate_that_cannot_be_promised(rate: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        made([*map(float, range(19))]).threshold(rate)
    assert made([*map(float, range(19))]).threshold(0.05) == 0.0


def test_the_rate_that_is_proposed_can_be_promised() -> None:
    for count in range(1, 200):
        with pytest.raises(ValueError, match="or more") as refused:
            made([0.0] * count).threshold(1e-9)
        (rate,) = re.findall(r"ask for (\S+) or more", str(refused.value))
        assert made([0.0] * count).threshold(float(rate)) == 0.0


def test_it_belongs_to_its_weights(tmp_path: Path) -> None:
    weights = tmp_path / "checkpoint.pt"
    weights.write_bytes(b"weights")
    with pytest.raises(
        ValueError, match="is not calibrated for unknown actions: calibrate it with `acl"
    ):
        read_calibration(tmp_path, weights_hash(weights))
    own = made([1.0], weights_hash(weights))
    own.write(tmp_path)
    assert read_calibration(tmp_path, weights_hash(weights)) == own
    assert own.unknown([[1.0, 0.0], [2.0, 0.0]], 1.0).tolist() == [True, False]
    weights.write_bytes(b"others")
    with pytest.raises(ValueError, match="belongs to other weights"):
        read_calibration(tmp_path, weights_hash(weights))
    (tmp_path / CALIBRATION).write_text('{"score": "logit"}')
    with pytest.raises(ValueError, match="is damaged"):
        read_calibration(tmp_path, weights_hash(weights))
