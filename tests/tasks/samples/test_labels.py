from __future__ import annotations

import numpy as np

from tasks.samples.labels import labelled_rows


def test_a_share_of_each_class_is_drawn_by_the_seed() -> None:
    labels = np.repeat([0, 1, 2], [40, 20, 3])
    rows = labelled_rows(labels, 0.1, 0)
    assert np.bincount(labels[rows]).tolist() == [4, 2, 1]
    assert np.array_equal(rows, labelled_rows(labels, 0.1, 0))
    assert not np.array_equal(rows, labelled_rows(labels, 0.1, 1))
    assert len(labelled_rows(labels, 1.0, 0)) == 63
