"""Histograms of scores, errors of identities, gains of classes."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from protocols.figures.class_gain import draw_class_gain
from protocols.figures.identity_errors import draw_identity_errors
from protocols.figures.score_histograms import draw_binned_scores


def names(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def widths(plot: Axes) -> list[float]:
    return [bar.get_width() for container in plot.containers for bar in container]


def rows(plot: Axes) -> list[str]:
    return [tick.get_text() for tick in plot.get_yticklabels()]


def test_histograms_are_shares_of_their_kind() -> None:
    figure = draw_binned_scores([0, 0.5, 1], [3, 0], [1, 3], threshold=0.45, label="cosine")
    (plot,) = figure.axes
    impostor, genuine = (patch.get_data() for patch in plot.patches[::2])
    np.testing.assert_allclose(genuine.edges, [0, 0.5, 1])
    np.testing.assert_allclose(genuine.values, [100, 0])
    np.testing.assert_allclose(impostor.values, [25, 75])
    assert plot.patches[0].get_hatch() != plot.patches[2].get_hatch()
    assert names(figure) == ["impostor (4 pairs)", "genuine (3 pairs)", "threshold 0.45"]
    assert plot.get_xlabel() == "cosine"
    assert plot.lines[0].get_xdata()[0] == 0.45


def test_histograms_refuse() -> None:
    with pytest.raises(ValueError, match="rising"):
        draw_binned_scores([0, 0, 1], [1, 1], [1, 1], label="score")
    with pytest.raises(ValueError, match="genuine pairs must be 2, one per bin"):
        draw_binned_scores([0, 1, 2], [0, 0], [1, 1], label="score")


def test_identities_come_worst_first_with_their_counts() -> None:
    figure = draw_identity_errors(["ann", "bob", "cat", "dan"], [1, 3, 0, 0], [4, 3, 5, 0])
    (plot,) = figure.axes
    assert rows(plot) == ["bob", "ann", "cat"]
    assert widths(plot) == [100, 25, 0]
    assert [text.get_text() for text in plot.texts] == ["3 of 3", "1 of 4", "0 of 5"]
    assert plot.get_title(loc="left") == "3 worst of 3 people; 1 without error"
    assert names(figure) == ["mean of all 3 people: 41.7 %"]
    top, bottom = plot.get_ylim()[1], plot.get_ylim()[0]
    assert top < 0 < bottom


def test_only_the_worst_identities_are_shown_and_one_is_enough() -> None:
    wrong = np.arange(40)
    plot = draw_identity_errors([str(i) for i in range(40)], wrong, np.full(40, 40)).axes[0]
    assert rows(plot) == [str(number) for number in range(39, 14, -1)]
    assert rows(draw_identity_errors(["ann"], [0], [2]).axes[0]) == ["ann"]


@pytest.mark.parametrize(
    ("people", "wrong", "tested"),
    [
        ([], [], []),
        (["a"], [0], [0]),
        (["a"], [2], [1]),
        (["a", "b"], [1], [1]),
        (["a"], [-1], [1]),
    ],
)
def test_identities_refuse(people: list[str], wrong: list[int], tested: list[int]) -> None:
    with pytest.raises(ValueError, match=r"must be|needs its|At least one"):
        draw_identity_errors(people, wrong, tested)


def test_gains_are_sorted_and_signs_differ_in_hatch() -> None:
    figure = draw_class_gain(
        ["sit", "wave", "run", "jump"],
        [0.5, 0.9, 0.7, np.nan],
        [0.75, 0.8, 0.7, 1.0],
        tested=[4, 10, 10, 0],
        names=("ce", "acl"),
    )
    (plot,) = figure.axes
    assert rows(plot) == ["sit (4)", "run (10)", "wave (10)"]
    np.testing.assert_allclose(widths(plot), [25, -10])
    better, worse = plot.patches
    assert better.get_hatch() != worse.get_hatch()
    assert better.get_facecolor() != worse.get_facecolor()
    assert names(figure) == ["better: 1 of 3 classes", "worse: 1 of 3 classes"]
    assert plot.get_xlabel() == "accuracy of acl minus ce (points)"


def gain_of(classes: list[str], before: object, after: object) -> Figure:
    """One test sample a class."""
    names = ("ce", "acl")
    return draw_class_gain(classes, before, after, tested=[1] * len(classes), names=names)


def test_of_many_classes_the_extremes_are_shown() -> None:
    after = 0.5 + np.arange(45) / 100
    classes = [str(number) for number in range(45)]
    plot = gain_of(classes, np.full(45, 0.5), after).axes[0]
    assert rows(plot)[18:22] == ["26 (1)", "25 (1)", "19 (1)", "18 (1)"]
    assert plot.get_title(loc="left") == "5 classes in the middle not shown"


def test_equal_accuracies_and_one_class_can_be_drawn() -> None:
    plot = gain_of(["sit"], [0.5], [0.5]).axes[0]
    assert not plot.patches
    assert plot.get_xlim() == (-1, 1)


@pytest.mark.parametrize(
    ("classes", "before", "after", "words"),
    [
        ([], [], [], "not empty"),
        (["a", "b"], [0.5, np.nan], [np.nan, 0.5], "At least one class"),
        (["a"], [0.5], [0.5, 0.6], "both accuracies"),
        (["a"], [50], [60], "divide percentages"),
        (["a", "b"], [0.5], [0.5], "1 names"),
    ],
)
def test_gains_refuse(classes: list[str], before: list, after: list, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        gain_of(classes, before, after)
