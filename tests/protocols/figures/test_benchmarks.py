from __future__ import annotations

import pytest

from protocols.figures.benchmarks import draw_benchmarks, find_curves
from protocols.measured import Ratio


def row(work: str, seconds: float = 1.0, plain: str = "p") -> Ratio:
    ends = {"lowest": 3.0, "highest": 9.0}
    return Ratio(work=work, plain=plain, seconds=seconds, plain_seconds=4.0, ratio=4.0, **ends)


def test_bars_from_above_and_a_curve_for_what_grows() -> None:
    rows = [
        row("a table"),
        row("search of 1,000", 3.0),
        row("search of 10", 1.0),
        row("search of 100", 2.0),
        *(row(f"search of {size}", size / 100, "q") for size in (10, 100, 1000)),
    ]
    figure = draw_benchmarks(rows)
    bars, curve = figure.axes
    assert next(label.get_text() for label in bars.get_yticklabels()) == "a table; p"
    assert bars.get_xscale() == "log"
    assert [line.get_label() for line in curve.lines] == ["ours", "p", "q"]
    ours, plain, _ = curve.lines
    assert list(ours.get_xdata()) == [10, 100, 1000]
    assert list(ours.get_ydata()) == [1.0, 2.0, 3.0]
    assert list(plain.get_ydata()) == [4.0] * 3


def test_two_points_are_no_curve() -> None:
    assert not find_curves([row("search of 10"), row("search of 100")])


def test_nothing_to_draw_is_refused() -> None:
    with pytest.raises(ValueError, match="no benchmarks to draw"):
        draw_benchmarks([])
