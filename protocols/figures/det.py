"""Detection error trade-off on probit axes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from scipy.stats import norm

from protocols.figures.drawing import planning, style
from protocols.figures.drawing.inputs import as_rates
from protocols.figures.drawing.planning import Drawing, FigurePlan
from protocols.groups import RunEntry, RunGroup
from protocols.labels import dataset_of
from protocols.ranking.distances import FloatArray
from protocols.records import BIOMETRICS

_TICKS = (0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4)
_LIMITS = (0.0007, 0.55)
_SMALLEST = 1e-6

_POOLED = "all"


class Comparisons(NamedTuple):
    """Comparisons of one condition or pair, or of all together.

    Attributes:
        name: Of the condition or pair; ``all`` for all together.
        eer: Equal error rate; None where the record has none.
        det: The curve in the record's cells.
        histogram: The scores in the record's cells.
    """

    name: str
    eer: float | None
    det: Mapping[str, Any]
    histogram: Mapping[str, Any]

    @property
    def place(self) -> str:
        """The condition or pair in words."""
        return "all conditions together" if self.name == _POOLED else f"pair {self.name} alone"


def plan(runs: Sequence[RunEntry]) -> Iterator[FigurePlan]:
    """Of each verification: DET by objective, and by condition or pair.

    Curves of several seeds cannot be averaged at a threshold: the first seed is shown.
    """
    for groups in planning.main_groups(runs, kind=BIOMETRICS):
        group = planning.leading(groups)
        compared = planning.of_objectives(groups, group)
        if len(compared) > 1:
            draw = partial(_draw_objectives, compared)
            yield planning.plan_of("det", "DET by objective", group.record, draw, "objectives")
        title = f"DET by {'pair of conditions' if 'pairs' in group.cells else 'condition'}"
        draw = partial(_draw_parts, group)
        yield planning.plan_of("det", title, group.record, draw, "conditions")


def hardest(group: RunGroup) -> Comparisons:
    """All conditions together, or the pair of the highest EER where pairs are kept apart.

    Raises:
        ValueError: The first run's record holds no comparisons.
        KeyError: A part has no curve or no histogram.
    """
    parts = _parts(group)
    if not parts:
        raise ValueError("its records hold no comparisons.")
    return parts[0] if parts[0].name == _POOLED else max(parts, key=lambda part: part.eer or 0.0)


def _parts(group: RunGroup) -> list[Comparisons]:
    """The parts of the first record, those of all conditions together first where it has them."""
    cells, metrics = group.cells, group.record.metrics
    found = [
        Comparisons(
            name,
            metrics.get("eer" if name == _POOLED else f"eer/{name}"),
            det,
            table["histogram"][name],
        )
        for table in (cells["pairs"].values() if "pairs" in cells else [cells])
        for name, det in table["det"].items()
    ]
    return sorted(found, key=lambda part: part.name != _POOLED)


def _draw(parts: Mapping[str, Comparisons]) -> Figure:
    """Curves by name, with their EER where it is known."""
    return draw_det(
        {
            name if part.eer is None else f"{name} (EER {100 * part.eer:.1f} %)": (
                part.det["fmr"],
                part.det["fnmr"],
            )
            for name, part in parts.items()
        }
    )


def _draw_objectives(groups: Sequence[RunGroup]) -> Drawing:
    chosen = hardest(groups[-1])  # the leading group is the last
    parts = {
        group.label: next(part for part in _parts(group) if part.name == chosen.name)
        for group in groups
    }
    record, runs = groups[0].record, [group.runs[0] for group in groups]
    caption = (
        f"False non-matches against false matches as the threshold moves, on probit axes, on "
        f"{dataset_of(record.dataset)}, protocol {record.protocol}, {chosen.place}; the first "
        f"seed of each ({planning.describe_seeds(runs[-1:])}); {planning.describe_files(runs)}."
    )
    return _draw(parts), caption


def _draw_parts(group: RunGroup) -> Drawing:
    parts = _parts(group)
    # One condition alone is the whole.
    apart = [part for part in parts if part.name != _POOLED]
    shown = apart if len(apart) > 1 else parts[:1]
    pairs = "pairs" in group.cells
    what = "pair of probe and gallery condition" if pairs else "probe condition"
    caption = (
        "False non-matches against false matches as the threshold moves, on probit axes, by "
        f"{what}. {planning.describe(group, 1)}."
    )
    return _draw({part.name: part for part in shown}), caption


@style.house_style()
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
    figure, plot = style.new_axes(style.COLUMN_WIDTH, 3.6)
    for place, (name, (matches, non_matches)) in enumerate(curves.items()):
        fmr, fnmr = (
            as_rates(matches, f"FMR of {name!r}"),
            as_rates(non_matches, f"FNMR of {name!r}"),
        )
        if fmr.shape != fnmr.shape:
            raise ValueError(
                f"{name!r} must have an FNMR for each FMR, not {len(fnmr)} for {len(fmr)}."
            )
        look = style.series_style(place)
        plot.plot(probit(fmr), probit(fnmr), color=look.colour, linestyle=look.line, label=name)
    ends = probit(np.array(_LIMITS))
    plot.plot(ends, ends, color=style.GREY, linestyle=":", linewidth=0.8, label="equal rates")
    ticks, names = probit(np.array(_TICKS)), [f"{100 * tick:g}" for tick in _TICKS]
    plot.set_xticks(ticks, names)
    plot.set_yticks(ticks, names)
    plot.set_xlim(*ends)
    plot.set_ylim(*ends)
    plot.set_aspect("equal")
    plot.set_xlabel("false match rate (%)")
    plot.set_ylabel("false non-match rate (%)")
    plot.grid(visible=True)
    style.legend_below(figure)
    return figure


def probit(rates: FloatArray) -> FloatArray:
    """Normal quantiles of rates, those of 0 and 1 kept finite.

    >>> probit(np.array([0.5, 0.0])).round(2).tolist()
    [0.0, -4.75]
    """
    clipped = np.clip(rates, _SMALLEST, 1 - _SMALLEST)
    return np.asarray(norm.ppf(clipped), dtype=np.float64)
