"""A matrix of rates as shaded cells, for confusion matrices and view tables."""

from __future__ import annotations

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle

from protocols.figures.drawing.style import GREY, TINY
from protocols.ranking.distances import FloatArray

_COLOURS = matplotlib.colormaps["Blues"]
"""White to dark blue, so that darker is more in greyscale as well."""


def shade(plot: Axes, rates: FloatArray, *, low: float = 0.0, numbers: bool) -> AxesImage:
    """Shade the cells of a matrix of rates, in percent; unknown cells are hatched.

    Args:
        plot: the axes.
        rates: (R, S) rates 0..1, NaN where unknown; row 0 at the top.
        low: the rate that is white; 1 is the darkest.
        numbers: whether to write the percentage into each cell.

    Returns:
        The image, for a colour bar.
    """
    image = plot.imshow(np.ma.masked_invalid(100 * rates), cmap=_COLOURS, vmin=100 * low, vmax=100)
    plot.spines[:].set_visible(True)
    for row, column in np.argwhere(np.isnan(rates)).tolist():
        plot.add_patch(
            Rectangle(
                (column - 0.5, row - 0.5), 1, 1, fill=False, hatch="/////", color=GREY, linewidth=0
            )
        )
    for row, column in np.argwhere(~np.isnan(rates)).tolist() if numbers else ():
        rate = float(rates[row, column])
        plot.text(
            column,
            row,
            f"{100 * rate:.0f}",
            ha="center",
            va="center",
            fontsize=TINY,
            color=_text_colour(max(0.0, (rate - low) / (1 - low)) if low < 1 else 1.0),
        )
    for artist in (*plot.texts, *plot.patches):
        # They stay inside the axes, so that the layout need not place each of them.
        artist.set_in_layout(False)
    return image


def _text_colour(share: float) -> str:
    """Black or white, whichever can be read on the colour of a share.

    >>> _text_colour(0.0), _text_colour(1.0)
    ('black', 'white')
    """
    red, green, blue, _ = _COLOURS(share)
    # Weights of relative luminance, Rec. ITU-R BT.709.
    return "black" if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.5 else "white"
