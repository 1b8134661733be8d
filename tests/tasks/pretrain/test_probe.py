from __future__ import annotations

from typing import Literal

import numpy as np
import pytest

from tasks.pretrain.probe import probabilities
from tasks.pretrain.settings import ProbeSettings


@pytest.mark.parametrize("kind", ["linear", "knn"])
def test_separable_features_are_told_apart(kind: Literal["linear", "knn"]) -> None:
    generator = np.random.default_rng(0)
    labels = np.repeat([0, 2], 20)  # class 1 has no sample
    features = generator.normal(size=(40, 5)).astype(np.float32)
    features[:, 0] += np.where(labels == 2, 30, -30)
    found = probabilities(features, labels, features, 3, ProbeSettings(kind=kind))
    assert np.array_equal(found.argmax(axis=1), labels)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)
    assert not found[:, 1].any()


@pytest.mark.parametrize("kind", ["linear", "knn"])
def test_one_class_is_certain(kind: Literal["linear", "knn"]) -> None:
    rows = np.ones((3, 2), dtype=np.float32)
    found = probabilities(rows, np.zeros(3, dtype=np.int64), rows, 2, ProbeSettings(kind=kind))
    assert found.tolist() == [[1, 0]] * 3
