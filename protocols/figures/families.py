"""Motion families: a class, the classes akin to it, and the joints that they have in common.

After Fig. 3 of the paper, which shades the body parts that weigh most in a class and its family.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from protocols.figures.inputs import as_counts, as_numbers, shorten
from protocols.figures.skeletons import draw_bodies, project
from protocols.figures.style import (
    BLUE,
    PAGE_WIDTH,
    TINY,
    VERMILLION,
    house_style,
    legend_below,
    new_figure,
)
from protocols.ranking.distances import FloatArray
from protocols.ranking.exclusion import BoolArray


@dataclass(frozen=True, eq=False)
class FamilyClass:
    """A class in a picture of motion families.

    Attributes:
        name: of the class.
        pose: (V, C) a body that shows it.
        weight: (V,) 0 or more: how much each joint matters in the class.
        taken_for: test samples of the anchor that are taken for this class; not used of an anchor.
        taken_back: test samples of this class that are taken for the anchor.
    """

    name: str
    pose: npt.ArrayLike
    weight: npt.ArrayLike
    taken_for: int = 0
    taken_back: int = 0


@dataclass(frozen=True, eq=False)
class MotionFamily:
    """A class, the anchor, and the other classes of its family in the order to show them."""

    anchor: FamilyClass
    members: tuple[FamilyClass, ...]


@house_style()
def draw_motion_families(
    families: Sequence[MotionFamily],
    bones: Sequence[Sequence[int]],
    *,
    parts: Mapping[str, Sequence[int]] | None = None,
    most: int = 5,
    notable: float = 0.5,
    axes: tuple[int, int] = (0, 1),
    y_down: bool = False,
) -> Figure:
    """Draw families, a row each: the anchor's body, then its members' with their notable joints.

    A joint is notable where its weight is at least ``notable`` times the class's largest. Filled
    red discs are notable in the member and in its anchor; blue rings in one of them only.

    Args:
        families: the rows.
        bones: pairs of joint numbers.
        parts: joint numbers by body part; the part of largest mean weight is named under a class.
        most: members to show at most; the title says how many there are.
        notable: share of the largest weight, 0..1.
        axes: channels that run to the right and up.
        y_down: whether the second of them grows downwards, as pixels do.

    Returns:
        A set of axes a class shown, row by row, the anchor first.

    Raises:
        ValueError: there is no family or one without members, or a class's pose, weights or parts
            do not fit; the message names the class.
    """
    if not families or not all(family.members for family in families) or most < 1:
        raise ValueError("At least one motion family with a member must be shown.")
    columns = 1 + min(most, max(len(family.members) for family in families))
    figure = new_figure(PAGE_WIDTH, 0.3 + 2.1 * len(families))
    grid = figure.add_gridspec(len(families), columns)
    for row, family in enumerate(families):
        _check(family)
        anchor = _notable(family.anchor, notable)
        for column, shown in enumerate([family.anchor, *family.members[:most]]):
            plot = figure.add_subplot(grid[row, column])
            own = _notable(shown, notable)
            # Alone, the anchor's joints are compared with what any member shares with it.
            other = anchor if column else _any_notable(family.members[:most], notable)
            _draw_class(plot, shown, bones, own, other, axes, y_down)
            title = [shorten(shown.name, 22), f"anchor, {len(family.members)} in family"]
            if column:
                title[1] = f"taken for it {shown.taken_for}, back {shown.taken_back}"
            plot.set_title("\n".join(title), fontsize=TINY, weight="normal" if column else "bold")
            plot.set_xlabel(_part_named(shown, parts or {}), fontsize=TINY, style="italic")
            _frame(plot, anchor=column == 0)
    _key(figure)
    return figure


def _check(family: MotionFamily) -> None:
    classes = [family.anchor, *family.members]
    size = len(_weight(family.anchor))
    for shown in classes:
        pose = as_numbers(shown.pose, f"The pose (V, C) of {shown.name!r}", 2)
        if not len(_weight(shown)) == len(pose) == size:
            raise ValueError(
                f"{shown.name!r} must have a position and a weight for each of its anchor's {size} "
                f"joints, not {len(pose)} and {len(_weight(shown))}."
            )


def _weight(shown: FamilyClass) -> FloatArray:
    return as_counts(shown.weight, f"Joint weights of {shown.name!r}")


def _notable(shown: FamilyClass, share: float) -> BoolArray:
    weight = _weight(shown)
    return np.asarray((weight >= share * weight.max()) & (weight > 0))


def _any_notable(members: Sequence[FamilyClass], share: float) -> BoolArray:
    return np.asarray(np.any([_notable(member, share) for member in members], axis=0))


def _draw_class(
    plot: Axes,
    shown: FamilyClass,
    bones: Sequence[Sequence[int]],
    own: BoolArray,
    other: BoolArray,
    axes: tuple[int, int],
    y_down: bool,
) -> None:
    points = project(np.asarray(shown.pose, dtype=np.float64)[None], axes=axes, y_down=y_down)
    draw_bodies(plot, points, bones, aspect=0.75)
    body = points[0]
    # Bodies are drawn centred on x = 0 and standing on y = 0.
    middle = (np.nanmin(body[:, 0]) + np.nanmax(body[:, 0])) / 2
    body = body - np.array([middle, np.nanmin(body[:, 1])])
    for chosen, colour, fill in ((own & other, VERMILLION, True), (own & ~other, BLUE, False)):
        plot.scatter(
            body[chosen, 0],
            body[chosen, 1],
            s=34,
            marker="o",
            facecolors=colour if fill else "none",
            edgecolors=colour,
            linewidths=1.3,
            zorder=3,
            alpha=0.85,
        )


def _part_named(shown: FamilyClass, parts: Mapping[str, Sequence[int]]) -> str:
    """The body part of largest mean weight, in words; nothing without parts."""
    weight = _weight(shown)
    means = {name: float(weight[list(joints)].mean()) for name, joints in parts.items() if joints}
    return max(means, key=lambda name: means[name]).replace("_", " ") if means else ""


def _frame(plot: Axes, *, anchor: bool) -> None:
    plot.set_xticks([])
    plot.set_yticks([])
    plot.spines[:].set_visible(anchor)


def _key(figure: Figure) -> None:
    """What discs and rings mean, as a legend of empty series."""
    plot = figure.axes[0]
    kinds = (("joint notable in both", VERMILLION), ("in one only", "none"))
    for (label, face), edge in zip(kinds, (VERMILLION, BLUE), strict=True):
        plot.scatter([], [], s=34, facecolors=face, edgecolors=edge, linewidths=1.3, label=label)
    legend_below(figure)
