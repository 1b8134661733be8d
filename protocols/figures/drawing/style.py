"""One look for all figures: sizes, styles that differ in colour and in a second cue, and files.

The colours are those of Okabe and Ito, "Color Universal Design" (2008), which people with any
common colour blindness tell apart; line styles, markers and hatches carry the same difference
into greyscale print.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import matplotlib
import matplotlib.style
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backend_bases import FigureCanvasBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure, SubFigure

from protocols.files import whole_file

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

_CANVASES: dict[str, type[FigureCanvasBase]] = {
    "svg": FigureCanvasSVG,
    "png": FigureCanvasAgg,
    "pdf": FigureCanvasPdf,
}
_METADATA: dict[str, dict[str, str | None]] = {
    "svg": {"Date": None, "Creator": "aclnet"},
    "png": {"Software": "aclnet"},
    "pdf": {"CreationDate": None, "Creator": "aclnet", "Producer": None},
}


class SeriesStyle(NamedTuple):
    """The look of one of several series.

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

    Also a decorator. The settings before it are restored at its end.
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
        # Parts are placed at the resolution of the bitmap, since widths of letters depend on it.
        "figure.dpi": 200,
        "savefig.dpi": "figure",
        "figure.constrained_layout.w_pad": 0.06,
        "figure.constrained_layout.h_pad": 0.05,
        # Text as outlines looks alike on every machine; publishers require TrueType in PDF.
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


def legend_below(figure: Figure | SubFigure, columns: int = 2) -> None:
    """One legend for all axes of a figure, below them, where it covers no data.

    A name that several axes share is listed once.
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


def save_figure(
    figure: Figure,
    path_stem: Path | str,
    formats: Sequence[str] = ("svg", "png"),
    *,
    title: str = "",
) -> tuple[Path, ...]:
    """Write a figure in several formats; each file appears complete or not at all.

    Files hold no date, version or random name, so that with one version of matplotlib equal figures
    make equal files.

    Args:
        figure: the figure; its parts stay where the first saving places them.
        path_stem: path without ending, such as ``out/cmc``; its folder is made if missing.
        formats: ``svg`` and ``pdf`` (vector), ``png`` (200 dots an inch).
        title: title for readers of the file's properties and for screen readers.

    Returns:
        The paths, in the order of the formats.

    Raises:
        ValueError: no format is given, one is unknown, or the path names no file.
    """
    stem = Path(path_stem)
    if not formats or not _METADATA.keys() >= set(formats):
        raise ValueError(f"Figures are saved as svg, png or pdf, not as {list(formats)}.")
    if not stem.name:
        raise ValueError(f"A figure needs a file name without ending, and {str(stem)!r} has none.")
    # The name may hold dots (margin=0.1), so that with_suffix would cut it.
    paths = tuple(stem.with_name(f"{stem.name}.{name}") for name in formats)
    dpi = figure.dpi
    with house_style():
        # Each run of matplotlib's layout starts from the last one's places and may end elsewhere.
        if engine := figure.get_layout_engine():
            engine.execute(figure)
            figure.set_layout_engine("none")
        for path, name in zip(paths, formats, strict=True):
            metadata = _METADATA[name] | ({"Title": title} if title else {})
            with whole_file(path) as draft:
                # Figure.savefig draws a figure twice, the first time for a layout that is done.
                canvas = _CANVASES[name](figure)
                figure.dpi = dpi  # the one for SVG and PDF leaves 72
                getattr(canvas, f"print_{name}")(draft, metadata=metadata)
    return paths
