from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import pytest

from tasks.pretrain.probe import probabilities
from tasks.pretrain.settings import ProbeSettings

Kind = Literal["linear", "knn", "retrieval"]
KINDS = get_args(Kind)


@pytest.mark.parametrize("kind", KINDS)
def test_separable_features_are_told_apart(kind: Kind) -> None:
    generator = np.random.default_rng(0)
    labels = np.repeat([0, 2], 20)  # class 1 has no sample
    features = generator.normal(size=(40, 5)).astype(np.float32)
    features[:, 0] += np.where(labels == 2, 30, -30)
    found = probabilities(features, labels, features, 3, ProbeSettings(kind=kind))
    assert np.array_equal(found.argmax(axis=1), labels)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)
    assert not found[:, 1].any()


def test_retrieval_takes_the_class_of_the_nearest_by_cosine() -> None:
    known = np.array([[1, 0], [0.9, 0.1], [0.8, 0.2], [0, 9]], dtype=np.float32)
    labels = np.array([0, 0, 0, 1])
    asked = np.array([[0.2, 0.5], [3, 0]], dtype=np.float32)
    retrieval = probabilities(known, labels, asked, 2, ProbeSettings(kind="retrieval"))
    assert retrieval.tolist() == [[0, 1], [1, 0]]
    votes = probabilities(known, labels, asked, 2, ProbeSettings(kind="knn", temperature=10))
    assert votes.argmax(axis=1).tolist() == [0, 0]


@pytest.mark.parametrize("kind", KINDS)
def test_one_class_is_certain(kind: Kind) -> None:
    rows = np.ones((3, 2), dtype=np.float32)
    found = probabilities(rows, np.zeros(3, dtype=np.int64), rows, 2, ProbeSettings(kind=kind))
    assert found.tolist() == [[1, 0]] * 3
