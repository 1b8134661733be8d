"""What may not change any figure: the order of rows, the scale of embeddings, people's names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ortho_group

from protocols.embeddings import Embeddings
from protocols.gait.evaluate import evaluate_gait
from protocols.gait.rules import RULES, RuleName

Change = Callable[[Embeddings, np.random.Generator], Embeddings]


def walkers(generator: np.random.Generator) -> Embeddings:
    """Noisy identity vectors in three views, with some recordings lost; no two distances alike."""
    takes = [("nm", t) for t in range(1, 7)] + [(c, t) for c in ("bg", "cl") for t in (1, 2)]
    rows = [(s, c, t, v) for s in range(6) for c, t in takes for v in ("000", "090", "180")]
    subject, condition, take, view = (np.array(column) for column in zip(*rows, strict=True))
    centre = generator.standard_normal((6, 8))
    noise = generator.standard_normal((len(rows), 8))
    embedding = (centre[subject.astype(int)] + 0.8 * noise).astype(np.float32)
    data = Embeddings(embedding, subject, condition, take, view)
    return data.select(generator.random(len(data)) < 0.9)


def with_embedding(data: Embeddings, embedding: npt.NDArray[Any]) -> Embeddings:
    names = ("subject", "condition", "take", "view", "camera", "sample")
    return Embeddings(embedding, **{name: getattr(data, name) for name in names})


def permuted(data: Embeddings, generator: np.random.Generator) -> Embeddings:
    return data.select(generator.permutation(len(data)))


def scaled(data: Embeddings, generator: np.random.Generator) -> Embeddings:
    return with_embedding(data, data.embedding * float(generator.uniform(0.01, 100.0)))


def turned(data: Embeddings, generator: np.random.Generator) -> Embeddings:
    turn = ortho_group.rvs(8, random_state=generator)
    return with_embedding(data, data.embedding @ turn)


def renamed(data: Embeddings, generator: np.random.Generator) -> Embeddings:
    names = np.array([f"person {n}" for n in generator.permutation(6)])
    labels = {n: getattr(data, n) for n in ("condition", "take", "view", "camera", "sample")}
    return Embeddings(data.embedding, names[data.subject.astype(int)], **labels)


def respelled(data: Embeddings, generator: np.random.Generator) -> Embeddings:
    labels = {n: getattr(data, n) for n in ("subject", "camera", "sample")}
    condition = np.char.upper(data.condition)
    take, view = np.char.zfill(data.take, 2), data.view.astype(int)
    return Embeddings(data.embedding, **labels, condition=condition, take=take, view=view)


@pytest.mark.parametrize("protocol", ["casia_b", "casia_b_pooled", "casia_b_cross_view_gallery"])
@pytest.mark.parametrize("change", [permuted, scaled, turned, renamed, respelled])
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_no_metric_changes(change: Change, protocol: str, seed: int) -> None:
    generator = np.random.default_rng(seed)
    data = walkers(generator)
    other = change(data, generator)
    rules: tuple[RuleName, ...] = ("exact", "gaitgraph", "gaitgraph2", "opengait")
    for rule in rules:
        before = evaluate_gait(data, protocol, rule)
        after = evaluate_gait(other, protocol, rule)
        # Rounded in percent, a cell may lie on a tie, which a sum in another order tips.
        decimals = RULES[rule].cell_decimals
        tip = 0.0 if decimals is None else 10.0 ** -(decimals + 2)
        assert after.metrics == pytest.approx(before.metrics, rel=1e-9, abs=tip)
        assert after.counts == before.counts
        np.testing.assert_array_equal(after.cells.hits, before.cells.hits)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_order_of_probes_never_matters_even_with_ties(seed: int) -> None:
    generator = np.random.default_rng(seed)
    data = walkers(generator)
    tied = with_embedding(data, np.rint(data.embedding))
    gallery = (tied.condition == "nm") & (tied.take <= "4")
    probes = generator.permutation(np.flatnonzero(~gallery))
    rows = np.arange(len(tied))
    rows[~gallery] = probes
    before = evaluate_gait(tied, metric="euclidean").metrics
    assert evaluate_gait(tied.select(rows), metric="euclidean").metrics == pytest.approx(before)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_figures_are_ordered_as_they_must_be(seed: int) -> None:
    metrics = evaluate_gait(walkers(np.random.default_rng(seed))).metrics
    for condition in ("", "/nm", "/bg", "/cl"):
        ranks = [metrics[f"rank{k}{condition}"] for k in (1, 5, 10)]
        assert 0.0 <= ranks[0] <= ranks[1] <= ranks[2] <= 1.0
        assert 0.0 < metrics[f"mINP{condition}"] <= metrics[f"mAP{condition}"] <= 1.0
