"""Biometric measures of a file of scores: those of its embeddings, and of its pairs as they are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from protocols.biometrics.evaluate import evaluate_biometrics, evaluate_trials
from protocols.biometrics.trials import pair_trials
from protocols.embeddings import Embeddings
from protocols.pair_scores import PairScores
from protocols.reid.pairs import load_pairs
from protocols.reid.rules import reid_rule


def walks(people: int = 6) -> Embeddings:
    takes = [("nm", t) for t in range(1, 7)] + [(c, t) for c in ("bg", "cl") for t in (1, 2)]
    rows = [(f"{s:03}", c, t, 18 * v) for s in range(people) for c, t in takes for v in range(2)]
    subject, condition, take, view = (np.array(column) for column in zip(*rows, strict=True))
    embedding = np.random.default_rng(0).normal(size=(len(rows), 4)) + subject.astype(int)[:, None]
    return Embeddings(embedding, subject, condition, take, view)


def scored(data: Embeddings, keep: Any = True) -> PairScores:
    """All pairs, by their Euclidean distance; or those of a mask (N, N)."""
    points = data.embedding.astype(np.float64)
    distance = np.linalg.norm(points[:, None] - points, axis=-1)
    pair = np.flatnonzero(np.broadcast_to(keep, distance.shape))
    bare = {name: getattr(data, name) for name in Embeddings.text_fields()}
    samples = Embeddings(np.empty((len(data), 0), np.float32), **bare)
    return PairScores(samples, pair, distance.ravel()[pair])


def test_scores_give_the_measures_of_their_embeddings() -> None:
    data = walks()
    expected = evaluate_biometrics(data, metric="euclidean", targets=(0.1,))
    found = evaluate_biometrics(scored(data), "casia_b", targets=(0.1,))
    assert found.metric == "given"
    assert found.metrics == pytest.approx(expected.metrics, rel=1e-6)
    assert "dir@far0.1" in found.metrics
    assert found.counts == expected.counts
    assert found.notes == expected.notes


@pytest.mark.parametrize(("factor", "offset"), [(1.0, 1e9), (1e-50, 0.0), (1e100, 0.0)])
def test_scores_are_told_apart_in_any_range(factor: float, offset: float) -> None:
    scores = scored(walks())
    moved = replace(scores, distance=factor * scores.distance + offset)
    found, expected = (evaluate_biometrics(each, targets=(0.1,)) for each in (moved, scores))
    for name in ("eer", "auc", "fnmr@fmr0.1"):
        assert found.metrics[name] == pytest.approx(expected.metrics[name])


def test_pairs_alone_are_enough_for_verification() -> None:
    data = walks()
    random = np.random.default_rng(1).random((len(data), len(data))) < 0.3
    scores = scored(data, random)
    found = evaluate_biometrics(scores, targets=(0.1,))
    probe, gallery = np.divmod(scores.pair, len(data))
    other = probe != gallery
    same = (data.subject[probe] == data.subject[gallery])[other]
    score = -scores.distance[other]
    counts = (found.counts["genuine"], found.counts["impostor"])
    assert counts == (same.sum(), (~same).sum())
    # The plain definition: the smallest threshold whose FMR is at most the target.
    least = min(t for t in score if np.mean(score[~same] >= t) <= 0.1)
    assert found.metrics["fnmr@fmr0.1"] == pytest.approx(np.mean(score[same] < least))
    assert (found.protocol, found.conditions) == ("pairs", ("bg", "cl", "nm"))
    assert not any(name.startswith("dir@") for name in found.metrics)
    lacking = len(data) * (len(data) - 1) - other.sum()
    assert any(note.startswith(f"{lacking} of {120 * 119} pairs") for note in found.notes)


def test_pairs_of_sets_are_those_of_their_embeddings() -> None:
    data, protocol = walks(), load_pairs("casia_b")
    pair, rule = protocol.pair("C", "N"), reid_rule("clean")
    found, expected = (
        evaluate_trials(
            pair_trials(one, protocol, pair, rule, metric="euclidean"),
            targets=(0.1,),
            generator=np.random.default_rng(0),
        )
        for one in (scored(data), data)
    )
    assert found.metrics == pytest.approx(expected.metrics, rel=1e-6)
    assert found.views == ("0", "18")
    one_view = data.select(data.view == "0")
    assert pair_trials(one_view, protocol, pair, rule).views == ()


def test_development_people_have_another_scale() -> None:
    with pytest.raises(ValueError, match="do not fit scores of another system"):
        evaluate_biometrics(scored(walks()), development=walks())
