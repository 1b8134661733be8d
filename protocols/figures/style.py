"""One look for all figures: sizes, and styles that differ in colour and in a second cue.

The colours are those of Okabe and Ito, "Color Universal Design" (2008), which people with any
common colour blindness tell apart; line styles, markers and hatches carry the same difference
into greyscale print.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import matplotlib
import matplotlib.style
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

COLUMN_WIDTH = 3.5
"""Width of a column of a two-column paper, in inches."""
PAGE_WIDTH = 7.16
"""Width of its page, in inches."""
SMALL = 7.0
"""Font size of ticks, captions and numbers inside a figure, in points."""
TINY = 6.0
"""The smallest font size used, in points."""

BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILLION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
GREY, PALE = "#666666", "#DDDDDD"

RIGHT, WRONG = BLUE, VERMILLION
"""Right and wrong, gain and loss; never shown by the colour alone."""

# Yellow comes last: it is hard to see on white.
_COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, BLACK, ORANGE, SKY, YELLOW)
# Five and seven share no factor with eight, so that pairs repeat late.
_LINES: tuple[str | tuple[int, tuple[int, ...]], ...] = (
    "-",
    "--",
    "-.",
    ":",
    (0, (6, 1, 1, 1, 1, 1)),
)
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")


@dataclass(frozen=True)
class SeriesStyle:
    """How one of several series is drawn.

    Attributes:
        colour: of its lines and areas.
        line: line style.
        marker: of its points.
    """

    colour: str
    line: str | tuple[int, tuple[int, ...]]
    marker: str


def series_style(place: int) -> SeriesStyle:
    """The style of series number ``place``, from 0; neighbours differ in every cue.

    >>> series_style(0).marker, series_style(1).marker
    ('o', 's')
    """
    return SeriesStyle(
        _COLOURS[place % len(_COLOURS)],
        _LINES[place % len(_LINES)],
        _MARKERS[place % len(_MARKERS)],
    )


@contextmanager
def house_style() -> Iterator[None]:
    """Matplotlib's own defaults with the house's sizes, whatever a user's matplotlibrc says.

    Serves as a decorator too. Settings are what they were when it ends.
    """
    settings = {
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans"],
        "font.size": 8.0,
        "axes.titlesize": 8.0,
        "axes.labelsize": 8.0,
        "xtick.labelsize": SMALL,
        "ytick.labelsize": SMALL,
        "legend.fontsize": SMALL,
        "legend.frameon": False,
        "legend.handlelength": 2.8,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.linewidth": 0.7,
        "axes.axisbelow": True,
        "grid.color": PALE,
        "grid.linewidth": 0.5,
        "lines.linewidth": 1.3,
        "lines.markersize": 4.0,
        "hatch.linewidth": 0.6,
        "figure.facecolor": "white",
        "savefig.facecolor": "white",
        # Parts are placed at the resolution of the bitmap: letters are wider or narrower at others.
        "figure.dpi": 200,
        "savefig.dpi": "figure",
        "figure.constrained_layout.w_pad": 0.06,
        "figure.constrained_layout.h_pad": 0.05,
        # Text as outlines looks alike on every machine; TrueType is what publishers ask of PDF.
        "svg.fonttype": "path",
        "pdf.fonttype": 42,
        # Names of clip paths in an SVG are random without it.
        "svg.hashsalt": "aclnet",
    }
    with matplotlib.style.context(settings, after_reset=True):
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty figure whose parts make room for each other.

    Args:
        width: in inches.
        height: in inches.
    """
    return Figure(figsize=(width, height), layout="constrained")


def new_axes(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure with one set of axes."""
    figure = new_figure(width, height)
    return figure, figure.add_subplot()


def legend_below(figure: Figure, columns: int = 2) -> None:
    """One legend for all axes of a figure, below them, where it covers no data.

    A series that stands in several axes under one name is named once.
    """
    named: dict[str, Artist] = {}
    for axes in figure.axes:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            named.setdefault(label, handle)
    if named:
        figure.legend(
            list(named.values()),
            list(named),
            loc="outside lower center",
            ncols=min(columns, len(named)),
        )
