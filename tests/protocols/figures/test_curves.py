"""CMC, DET, hyper-parameter and training curves."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import norm

from protocols.figures.cmc import draw_cmc
from protocols.figures.det import draw_det
from protocols.figures.hyper_curves import HyperCurve, draw_hyper_curves, spread_over_seeds
from protocols.figures.training_curves import draw_training_curves


def names(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def labelled(plot: Axes, label: str) -> np.ndarray:
    (line,) = (line for line in plot.lines if line.get_label() == label)
    return np.asarray(line.get_xydata())


def test_cmc_lines_are_the_rates_in_percent() -> None:
    figure = draw_cmc({"acl": [0.5, np.nan, 0.9], "ce": [0.25]})
    first, second = figure.axes[0].lines
    np.testing.assert_allclose(first.get_xydata(), [[1, 50], [2, np.nan], [3, 90]])
    np.testing.assert_allclose(second.get_xydata(), [[1, 25]])
    assert names(figure) == ["acl (50.0)", "ce (25.0)"]
    assert 1 in figure.axes[0].get_xticks()
    assert first.get_linestyle() != second.get_linestyle()


@pytest.mark.parametrize(
    ("curves", "words"),
    [
        ({}, "At least one CMC"),
        ({"a": []}, "not empty"),
        ({"a": [np.nan]}, "all are NaN"),
        ({"a": [50, 60]}, "divide percentages by 100"),
    ],
)
def test_cmc_refuses(curves: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        draw_cmc(curves)


def test_det_is_straight_for_normal_scores_and_ticks_say_percent() -> None:
    thresholds = np.linspace(-1, 3, 9)
    figure = draw_det({"acl": (norm.cdf(thresholds - 2), 1 - norm.cdf(thresholds))})
    (plot,) = figure.axes
    points = labelled(plot, "acl")
    np.testing.assert_allclose(points, np.stack([thresholds - 2, -thresholds], axis=1))
    ticks = dict(
        zip((t.get_text() for t in plot.get_xticklabels()), plot.get_xticks(), strict=True)
    )
    assert ticks["0.1"] == pytest.approx(norm.ppf(0.001))
    assert ticks["40"] == pytest.approx(norm.ppf(0.4))
    assert names(figure) == ["acl", "equal rates"]


def test_det_keeps_rates_of_nought_finite_and_outside() -> None:
    (plot,) = draw_det({"a": ([0.0, 0.1, np.nan, 1.0], [1.0, 0.1, 0.2, 0.0])}).axes
    points = labelled(plot, "a")
    assert points[0, 0] < plot.get_xlim()[0]
    assert points[3, 1] < plot.get_ylim()[0]
    assert np.isnan(points[:, 0]).tolist() == [False, False, True, False]


def test_det_refuses() -> None:
    with pytest.raises(ValueError, match="At least one DET"):
        draw_det({})
    with pytest.raises(ValueError, match="an FNMR for each FMR, not 1 for 2"):
        draw_det({"a": ([0.1, 0.2], [0.1])})
    with pytest.raises(ValueError, match="FMR of 'a' must be an array"):
        draw_det({"a": ([], [])})


def test_hyper_curves_show_mean_spread_seeds_and_baseline() -> None:
    scores = np.array([[0.8, 0.82], [0.9, np.nan]])
    figure = draw_hyper_curves(
        [HyperCurve("weight", ("0", "0.1"), scores), HyperCurve("margin", ("0", "1"), scores)],
        baseline=[0.7, 0.72],
        baseline_name="ce",
    )
    first, second = figure.axes
    bars = first.containers[0]
    np.testing.assert_allclose(bars.lines[0].get_xydata(), [[0, 81], [1, 90]])
    (segments,) = bars.lines[2]
    half = 100 * np.std([0.8, 0.82], ddof=1)
    np.testing.assert_allclose(np.array(segments.get_segments()[0])[:, 1], [81 - half, 81 + half])
    np.testing.assert_allclose(labelled(first, "one seed")[:, 1], [80, 82, 90, np.nan])
    np.testing.assert_allclose(labelled(first, "ce 71.0")[:, 1], [71, 71])
    assert [tick.get_text() for tick in first.get_xticklabels()] == ["0", "0.1"]
    assert (first.get_xlabel(), second.get_xlabel()) == ("weight", "margin")
    assert sorted(names(figure)) == ["ce 71.0", "mean ± sd", "one seed"]


def test_spread_over_seeds_equals_numpy_where_all_are_known() -> None:
    scores = np.random.default_rng(0).random((4, 5))
    mean, deviation = spread_over_seeds(scores)
    np.testing.assert_allclose(mean, scores.mean(axis=1))
    np.testing.assert_allclose(deviation, scores.std(axis=1, ddof=1))
    assert np.isnan(spread_over_seeds(np.array([[np.nan, np.nan]]))[0]).all()


def test_hyper_curves_refuse() -> None:
    with pytest.raises(ValueError, match="At least one hyper"):
        draw_hyper_curves([], baseline_name="ce")
    with pytest.raises(ValueError, match="Values of weight must be 1 names"):
        draw_hyper_curves([HyperCurve("weight", ("0", "1"), [[0.5]])], baseline_name="ce")


def log(epochs: int, *measures: str) -> list[dict]:
    return [
        {"kind": "epoch", "epoch": e, "step": 8 * e, **dict.fromkeys(measures, 1 / e), "seconds": e}
        for e in range(1, epochs + 1)
    ]


def test_training_curves_have_a_panel_a_measure_and_a_line_a_run() -> None:
    steps = [{"kind": "step", "epoch": 1, "step": 1, "loss": 9.0}]
    tested = [{"kind": "evaluation", "epoch": 2, "step": 16, "rank1": 0.5}]
    figure = draw_training_curves(
        {"acl": [*steps, *log(3, "train/loss"), *tested], "ce": log(2, "train/loss", "train/ce")}
    )
    assert [plot.get_title(loc="left") for plot in figure.axes] == [
        "train/loss",
        "rank1",
        "train/ce",
    ]
    np.testing.assert_allclose(labelled(figure.axes[0], "acl"), [[1, 1], [2, 1 / 2], [3, 1 / 3]])
    assert [line.get_label() for line in figure.axes[2].lines] == ["ce"]
    assert names(figure) == ["acl", "ce"]


def test_training_curves_of_seeds_look_alike() -> None:
    runs = {name: log(2, "loss") for name in ("acl-0", "acl-1", "ce-0")}
    labels = {"acl-0": "ACL", "acl-1": "ACL", "ce-0": "CE"}
    figure = draw_training_curves(runs, labels)
    first, second, third = (line.get_color() for line in figure.axes[0].lines)
    assert first == second != third
    assert names(figure) == ["ACL", "CE"]


def test_training_curves_leave_a_gap_at_null_and_take_the_last_line_of_an_epoch() -> None:
    lines = [
        {"kind": "epoch", "epoch": e, "loss": v, "note": "x", "best": True}
        for e, v in ((1, 2.0), (2, None), (3, 1.0), (3, 0.5))
    ]
    (plot,) = draw_training_curves({"a": lines}).axes
    np.testing.assert_allclose(plot.lines[0].get_xydata(), [[1, 2], [2, np.nan], [3, 0.5]])


def test_training_curves_refuse() -> None:
    with pytest.raises(ValueError, match="No log of no run has a measure"):
        draw_training_curves({})
    with pytest.raises(ValueError, match="No log of a has a measure"):
        draw_training_curves({"a": []})
