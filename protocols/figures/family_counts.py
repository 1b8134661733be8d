"""Motion families as counts: which of the classes that a family joins are mistaken, and how often.

For a record that `aclnet-task action families` writes, which holds names and counts, no bodies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from protocols.figures import style
from protocols.figures.inputs import shorten

Row = Sequence[Any]

_ANCHORS, _MEMBERS = 6, 8


@style.house_style()
def draw_family_counts(families: Mapping[str, Sequence[Row]]) -> Figure:
    """Draw families as small bar charts, an anchor each.

    Args:
        families: by anchor, rows [member, anchor taken for it, it taken for the anchor]; a
            record's ``cells["families"]``. The six with most mistakes are shown, and of each the
            eight members of most mistakes.

    Returns:
        A set of axes an anchor, two bars a member: plain what the anchor is taken for, hatched
        what is taken for the anchor.

    Raises:
        ValueError: there is no family with a member, or a row is no such triple.
    """
    filled = {name: [_row(name, row) for row in rows] for name, rows in families.items() if rows}
    if not filled:
        raise ValueError("At least one motion family with a member must be shown.")
    mistakes = {name: sum(a + b for _, a, b in rows) for name, rows in filled.items()}
    anchors = sorted(filled, key=lambda name: -mistakes[name])[:_ANCHORS]
    shown = {
        name: sorted(filled[name], key=lambda row: -(row[1] + row[2]))[:_MEMBERS]
        for name in anchors
    }
    across = min(3, len(shown))
    down = -(-len(shown) // across)
    rows = max(len(members) for members in shown.values())
    figure = style.new_figure(
        min(style.PAGE_WIDTH, 0.8 + 2.4 * across), 0.5 + down * (0.75 + 0.19 * rows)
    )
    top = max(max(a, b) for members in shown.values() for _, a, b in members)
    for place, (name, members) in enumerate(shown.items()):
        plot = figure.add_subplot(down, across, place + 1)
        _draw_family(plot, members, rows, top)
        plot.set_title(f"{shorten(name, 26)} ({len(filled[name])})", loc="left", weight="bold")
    style.legend_below(figure)
    return figure


def _draw_family(plot: Axes, members: Sequence[tuple[str, int, int]], rows: int, top: int) -> None:
    places = np.arange(len(members))
    taken, back = [row[1] for row in members], [row[2] for row in members]
    plot.barh(places - 0.2, taken, height=0.38, color=style.BLUE, label="anchor taken for it")
    plot.barh(
        places + 0.2,
        back,
        height=0.38,
        color=style.ORANGE,
        hatch="////",
        edgecolor="black",
        linewidth=0.4,
        label="it taken for the anchor",
    )
    plot.set_yticks(places, [shorten(row[0], 22) for row in members], fontsize=style.TINY)
    # Bars are as thick in every panel, however many members it has.
    plot.set_ylim(rows - 0.4, -0.6)
    plot.set_xlim(0, max(top, 1) * 1.05)
    plot.xaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    plot.set_xlabel("test samples")


def _row(anchor: str, row: Row) -> tuple[str, int, int]:
    try:
        member, taken, back = row
        return str(member), int(taken), int(back)
    except (TypeError, ValueError):
        raise ValueError(
            f"The family of {anchor!r} must hold rows of a name and two counts, not {row!r}."
        ) from None
