"""Detection error trade-off on probit axes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from scipy.stats import norm

from protocols.figures.inputs import as_rates
from protocols.figures.style import (
    COLUMN_WIDTH,
    GREY,
    house_style,
    legend_below,
    new_axes,
    series_style,
)
from protocols.ranking.distances import FloatArray

_TICKS = (0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4)
_LIMITS = (0.0007, 0.55)
_SMALLEST = 1e-6


@house_style()
def draw_det(curves: Mapping[str, tuple[npt.ArrayLike, npt.ArrayLike]]) -> Figure:
    """Draw false non-matches against false matches, both on the normal distribution's scale.

    Where genuine and impostor scores are normal, a curve is straight (Martin et al., "The DET
    curve in assessment of detection task performance", 1997). The axes run from 0.07 to 55 %;
    rates of 0 lie outside, so that a curve leaves the picture there.

    Args:
        curves: by name, FMR (P,) and FNMR (P,) 0..1 at P thresholds; NaN leaves a gap.

    Returns:
        One set of axes in probits with ticks from 0.1 to 40 %, a line a curve, and the line of
        equal rates last.

    Raises:
        ValueError: there is no curve, one holds no rate, or its arrays differ in length.
    """
    if not curves:
        raise ValueError("At least one DET curve must be given.")
    figure, plot = new_axes(COLUMN_WIDTH, 3.6)
    for place, (name, (matches, non_matches)) in enumerate(curves.items()):
        fmr, fnmr = (
            as_rates(matches, f"FMR of {name!r}"),
            as_rates(non_matches, f"FNMR of {name!r}"),
        )
        if fmr.shape != fnmr.shape:
            raise ValueError(
                f"{name!r} must have an FNMR for each FMR, not {len(fnmr)} for {len(fmr)}."
            )
        style = series_style(place)
        plot.plot(probit(fmr), probit(fnmr), color=style.colour, linestyle=style.line, label=name)
    ends = probit(np.array(_LIMITS))
    plot.plot(ends, ends, color=GREY, linestyle=":", linewidth=0.8, label="equal rates")
    ticks, names = probit(np.array(_TICKS)), [f"{100 * tick:g}" for tick in _TICKS]
    plot.set_xticks(ticks, names)
    plot.set_yticks(ticks, names)
    plot.set_xlim(*ends)
    plot.set_ylim(*ends)
    plot.set_aspect("equal")
    plot.set_xlabel("false match rate (%)")
    plot.set_ylabel("false non-match rate (%)")
    plot.grid(visible=True)
    legend_below(figure)
    return figure


def probit(rates: FloatArray) -> FloatArray:
    """Normal quantiles of rates, those of 0 and 1 kept finite.

    >>> probit(np.array([0.5, 0.0])).round(2).tolist()
    [0.0, -4.75]
    """
    clipped = np.clip(rates, _SMALLEST, 1 - _SMALLEST)
    return np.asarray(norm.ppf(clipped), dtype=np.float64)
