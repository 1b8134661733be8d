"""Confusion matrix and view table as pictures."""

from __future__ import annotations

import numpy as np
import pytest

from protocols.figures.confusion import dense_confusion, draw_confusion
from protocols.figures.view_heatmap import draw_view_heatmap


def test_confusion_shades_shares_of_the_true_class() -> None:
    figure = draw_confusion([[3, 1, 0], [0, 2, 0], [0, 0, 0]], ["sit", "wave", "run"])
    plot, bar = figure.axes
    shown = np.ma.filled(plot.images[0].get_array(), np.nan)
    np.testing.assert_allclose(shown, [[75, 25, 0], [0, 100, 0], [np.nan] * 3])
    seen = [text.get_text() for text in plot.texts if text.get_visible()]
    assert seen == ["75", "25", "100"]
    assert len([patch for patch in plot.patches if patch.get_hatch()]) == 3
    assert [tick.get_text() for tick in plot.get_yticklabels()] == ["sit", "wave", "run"]
    assert (plot.get_xlabel(), plot.get_ylabel()) == ("predicted class", "true class")
    assert "%" in bar.get_ylabel()


def test_confusion_leaves_out_what_does_not_fit() -> None:
    middle = draw_confusion(np.eye(30), [f"class {i}" for i in range(30)]).axes[0]
    assert not middle.texts
    assert middle.get_xticklabels()[29].get_text() == "class 29"
    large = draw_confusion(np.eye(120), [f"class {i}" for i in range(120)]).axes[0]
    assert [tick.get_text() for tick in large.get_xticklabels()][:3] == ["1", "10", "20"]


def test_one_class_is_a_matrix_too() -> None:
    plot = draw_confusion([[4]], ["sit"]).axes[0]
    assert [text.get_text() for text in plot.texts] == ["100"]


def test_sparse_counts_of_a_record() -> None:
    np.testing.assert_array_equal(dense_confusion([[0, 1, 3], [1, 1, 2]], 2), [[0, 3], [0, 2]])
    for cell in ([0, 2, 1], [0, 1], [-1, 0, 1]):
        with pytest.raises(ValueError, match="confusion entry"):
            dense_confusion([cell], 2)


@pytest.mark.parametrize(
    ("counts", "classes", "words"),
    [
        (np.zeros((0, 0)), [], "not empty"),
        (np.zeros((2, 2)), ["a", "b"], "not all 0"),
        (np.ones((2, 3)), ["a", "b"], r"\(K, K\)"),
        (np.ones((2, 2)), ["a"], "2 names"),
        ([[1, -1], [0, 1]], ["a", "b"], "0 or more"),
    ],
)
def test_confusion_refuses(counts: object, classes: list[str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        draw_confusion(counts, classes)


def test_view_heatmap_has_a_matrix_a_condition_of_one_scale() -> None:
    rates = np.array([[[np.nan, 0.9], [0.8, np.nan]], [[np.nan, 0.55], [0.5, 1.0]]])
    figure = draw_view_heatmap(rates, ["nm", "cl"], ["0", "90"], ["0", "90"])
    first, second, bar = figure.axes
    assert (first.get_title(), second.get_title()) == ("nm", "cl")
    assert [text.get_text() for text in first.texts] == ["90", "80"]
    assert [text.get_text() for text in second.texts] == ["55", "50", "100"]
    assert first.images[0].get_clim() == second.images[0].get_clim() == (50, 100)
    assert [len(plot.patches) for plot in (first, second)] == [2, 1]
    assert bar.get_ylabel() == "rank-1 (%)"
    # The darkest cell carries light figures.
    assert [text.get_color() for text in second.texts] == ["black", "black", "white"]


def test_view_heatmap_of_one_perfect_cell() -> None:
    plot = draw_view_heatmap([[[1.0]]], ["all"], ["all"], ["all"]).axes[0]
    assert plot.texts[0].get_text() == "100"
    assert plot.texts[0].get_color() == "white"


@pytest.mark.parametrize(
    ("rates", "words"),
    [
        (np.zeros((1, 0, 0)), "not empty"),
        (np.full((1, 2, 2), np.nan), "all are NaN"),
        (np.full((1, 2, 2), 50.0), "divide percentages"),
        (np.ones((2, 2)), "3 axes"),
        (np.ones((2, 2, 2)), "Conditions must be 2 names"),
        (np.ones((1, 3, 2)), "Probe views must be 3 names"),
        (np.ones((1, 2, 3)), "Gallery views must be 3 names"),
    ],
)
def test_view_heatmap_refuses(rates: np.ndarray, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        draw_view_heatmap(rates, ["nm"], ["0", "90"], ["0", "90"])
