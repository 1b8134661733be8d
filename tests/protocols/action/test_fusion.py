"""Fusing runs by sample key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from protocols.action.fusion import FUSION_RECIPES, TUNED_RECIPES, FuseOn, recipe_weights
from protocols.action.fusion import fuse as fuse_named
from protocols.action.scores import ClassScores

SEEDS = st.integers(0, 2**32 - 1)
WAYS = st.sampled_from(["probabilities", "logits", "log-probabilities"])


def run(seed: int, count: int = 12, size: int = 6) -> ClassScores:
    """Runs of any seed have the same samples, labels and persons."""
    logits = 3.0 * np.random.default_rng(seed).standard_normal((count, size))
    return ClassScores(
        sample=[f"s{i}" for i in range(count)],
        label=np.arange(count) % size,
        classes=[f"class {k}" for k in range(size)],
        probabilities=softmax(logits, axis=1),
        logits=logits,
        subject=[str(i % 3) for i in range(count)],
        subset=["a" if i % 2 else "" for i in range(count)],
    )


def fuse(
    runs: Sequence[ClassScores], weights: Sequence[float], on: FuseOn = "probabilities"
) -> ClassScores:
    return fuse_named(runs, weights, on, [f"run {i + 1}" for i in range(len(runs))])


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS, on=WAYS)
def test_order_of_samples_changes_nothing(seed: int, on: FuseOn) -> None:
    generator = np.random.default_rng(seed)
    runs = [run(seed % 1000 + i) for i in range(3)]
    fused = fuse(runs, [2, 1, 1], on)
    mixed = fuse([runs[0], *(r.select(generator.permutation(12)) for r in runs[1:])], [2, 1, 1], on)
    np.testing.assert_array_equal(fused.probabilities, mixed.probabilities)
    turned = generator.permutation(12)
    other = fuse([runs[0].select(turned), *runs[1:]], [2, 1, 1], on)
    assert other.sample.tolist() == fused.sample[turned].tolist()
    for name in ("probabilities", "label", "subject", "subset"):
        np.testing.assert_array_equal(getattr(other, name), getattr(fused, name)[turned])


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS)
def test_a_single_weight_gives_that_run(seed: int) -> None:
    runs = [run(seed), run(seed + 1)]
    np.testing.assert_array_equal(fuse(runs, [1, 0]).probabilities, runs[0].probabilities)
    fused = fuse(runs, [0, 3], on="logits")
    assert fused.logits is not None
    np.testing.assert_array_equal(fused.logits, runs[1].logits)
    geometric = fuse(runs, [1, 0], on="log-probabilities")
    np.testing.assert_allclose(geometric.probabilities, runs[0].probabilities, rtol=1e-5)


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS, scale=st.floats(0.1, 10.0), on=WAYS)
def test_only_the_ratio_of_weights_counts(seed: int, scale: float, on: FuseOn) -> None:
    runs = [run(seed), run(seed + 1), run(seed + 2)]
    one, other = fuse(runs, [2, 1, 1], on), fuse(runs, [2 * scale, scale, scale], on)
    np.testing.assert_allclose(one.probabilities, other.probabilities, rtol=1e-5)


def test_each_way_is_the_mean_it_says() -> None:
    runs = [run(0), run(1)]
    p, q = (r.probabilities.astype(np.float64) for r in runs)
    plain = fuse(runs, [3, 1])
    np.testing.assert_allclose(plain.probabilities, (3 * p + q) / 4, rtol=1e-6)
    assert plain.logits is None
    geometric = p**0.75 * q**0.25
    np.testing.assert_allclose(
        fuse(runs, [3, 1], on="log-probabilities").probabilities,
        geometric / geometric.sum(axis=1, keepdims=True),
        rtol=1e-5,
    )
    assert runs[0].logits is not None
    assert runs[1].logits is not None
    logits = (3 * runs[0].logits.astype(np.float64) + runs[1].logits) / 4
    by_logits = fuse(runs, [3, 1], on="logits")
    np.testing.assert_allclose(by_logits.probabilities, softmax(logits, axis=1), rtol=1e-5)
    assert plain.subject.tolist() == runs[0].subject.tolist()
    assert plain.subset.tolist() == runs[0].subset.tolist()


def test_a_certain_zero_does_not_break_the_geometric_mean() -> None:
    sure = replace(run(0), probabilities=np.eye(6)[np.arange(12) % 6], logits=None)
    fused = fuse([sure, run(1)], [1, 1], on="log-probabilities")
    assert fused.predicted.tolist() == sure.predicted.tolist()


def test_unknown_labels_are_taken_from_the_runs_that_know() -> None:
    blind = replace(run(0), label=np.full(12, -1))
    assert fuse([blind, run(1)], [1, 1]).label.tolist() == run(1).label.tolist()
    assert fuse([run(1), blind], [1, 1]).label.tolist() == run(1).label.tolist()
    assert fuse([blind, blind], [1, 1]).label.tolist() == [-1] * 12


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (run(1).select(np.arange(11)), "bone lacks sample 's11', which joint has"),
        (
            replace(run(1), sample=[*(f"s{i}" for i in range(11)), "x"]),
            r"bone lacks sample 's11', which joint has \(1 in all",
        ),
        (run(1, count=13), "joint lacks sample 's12', which bone has"),
        (
            replace(run(1), label=[0, 2, *(i % 6 for i in range(2, 12))]),
            r"bone labels sample 's1' as class 2, and the runs before it as 1 \(1 in all",
        ),
        (run(1, size=5), "bone has 5 classes and joint 6"),
        (
            replace(run(1), classes=["x", *(f"class {k}" for k in range(1, 6))]),
            "Class 0 is 'x' in bone and 'class 0' in joint",
        ),
    ],
)
def test_runs_that_do_not_belong_together_are_named(other: ClassScores, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fuse_named([run(0), other], [1, 1], "probabilities", ["joint", "bone"])


def test_settings_that_cannot_be_are_refused() -> None:
    runs = [run(0), run(1)]
    with pytest.raises(ValueError, match="2 runs, 1 weights and 2 names"):
        fuse(runs, [1])
    with pytest.raises(ValueError, match="0 runs, 0 weights"):
        fuse([], [])
    for weights in ([1, -1], [0, 0], [1, float("nan")]):
        with pytest.raises(ValueError, match="Weights must be 0 or more"):
            fuse(runs, weights)
    with pytest.raises(ValueError, match="run 2 has no logits"):
        fuse([runs[0], replace(runs[1], logits=None)], [1, 1], on="logits")
    with pytest.raises(ValueError, match="not on 'scores'"):
        fuse(runs, [1, 1], on="scores")  # type: ignore[arg-type]


def test_recipes_are_the_papers_and_follow_the_runs() -> None:
    assert recipe_weights("2s", ["b", "j"]) == (1.0, 1.0)
    assert recipe_weights("4s", ["bm", "jm", "b", "j"]) == (1.0, 1.0, 2.0, 2.0)
    assert recipe_weights("6s", ["j", "b", "k", "jm", "bm", "km"]) == (2, 2, 2, 1, 1, 1)
    assert recipe_weights("actclr-ntu60-xview", ["jm", "j", "b"]) == (0.4, 0.6, 0.6)
    assert list(FUSION_RECIPES) == ["2s", "4s", "6s", *TUNED_RECIPES]
    with pytest.raises(ValueError, match=r"recipe '4-s'.*did you mean '4s'"):
        recipe_weights("4-s", ["j"])
    for streams in (["j", "j"], ["j"], ["j", "b", "jm"], []):
        with pytest.raises(ValueError, match="fuses one run of each of the streams j, b, and"):
            recipe_weights("2s", streams)
