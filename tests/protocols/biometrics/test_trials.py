"""Comparisons of a pair of sets, against a slow count."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protocols.biometrics.evaluate import evaluate_trials
from protocols.biometrics.trials import pair_trials
from protocols.embeddings import Embeddings
from protocols.reid.evaluate import evaluate_reid
from protocols.reid.pairs import load_pairs
from protocols.reid.rules import reid_rule


def sequences(**changes: Any) -> Embeddings:
    """Four people, two walks of two sequences each in nm and cl, before two cameras."""
    rows = [
        (person, condition, take, view)
        for person in "abcd"
        for condition in ("nm", "cl")
        for take in "12"
        for view in ("0", "90")
        for _ in range(2)
    ]
    subject, condition, take, view = (np.array(column) for column in zip(*rows, strict=True))
    generator = np.random.default_rng(0)
    embedding = generator.normal(size=(len(rows), 6)).astype(np.float32)
    fields = {"subject": subject, "condition": condition, "take": take, "view": view}
    return Embeddings(embedding, **{**fields, **changes})


@pytest.mark.parametrize(
    ("pair", "rule", "genuine"),
    [
        ("N-N", "clean", 32 * 7),  # all 8 of the person but itself
        ("N-N", "cross-take", 32 * 6),  # without the 2 of its walk
        ("N-N", "market1501", 32 * 4),  # the view is the camera
        ("C-N", "clean", 32 * 8),
        ("C-N", "cross-take", 32 * 8),
    ],
)
def test_comparisons_of_a_rule(pair: str, rule: str, genuine: int) -> None:
    data, protocol = sequences(), load_pairs("casia_b")
    trials = pair_trials(data, protocol, protocol.parse(pair), reid_rule(rule))
    (tally,) = trials.comparisons.tallies(trials.condition, 1)
    assert tally.n_genuine == genuine
    # Of other people everything is compared but what a rule hides whoever it is: nothing.
    assert tally.n_impostor == 32 * 24
    assert trials.conditions == (pair,)
    assert trials.views == ("0", "90")
    assert bool(trials.excluded) == (pair == "N-N")


def test_the_nearest_is_what_the_ranking_finds() -> None:
    data, protocol = sequences(), load_pairs("casia_b")
    trials = pair_trials(data, protocol, protocol.parse("C-N"), reid_rule("clean"))
    (_, scores), *_ = trials.comparisons.blocks()
    same = trials.comparisons.enrolled[scores.argmax(axis=1)] == trials.comparisons.own
    table = evaluate_reid(data, protocol, ["C-N"])
    assert same.mean() == pytest.approx(table.metrics["rank1/C-N"])
    found = evaluate_trials(trials, generator=np.random.default_rng(0), targets=(0.1,))
    assert 0.0 <= found.metrics["eer/C-N"] <= 1.0


def test_what_cannot_be_compared_is_refused() -> None:
    data, protocol = sequences(), load_pairs("casia_b")
    pair = protocol.parse("N-N")
    for rule in ("transg", "sge", "spc-mgr"):
        with pytest.raises(ValueError, match="clean, cross-take, market1501"):
            pair_trials(data, protocol, pair, reid_rule(rule))
    with pytest.raises(ValueError, match="Set B"):
        pair_trials(data, protocol, protocol.parse("B-N"), reid_rule("clean"))
    zeros = Embeddings(np.zeros_like(data.embedding), data.subject, data.condition)
    with pytest.raises(ValueError, match="zeros"):
        pair_trials(zeros, protocol, pair, reid_rule("clean"))
    pair_trials(zeros, protocol, pair, reid_rule("clean"), metric="euclidean")
    no_take = sequences(take=np.full(len(data), ""))
    with pytest.raises(ValueError, match="take"):
        pair_trials(no_take, protocol, pair, reid_rule("cross-take"))
