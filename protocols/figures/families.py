"""Motion families: a class, the classes akin to it, and the joints that they have in common.

After Fig. 3 of the paper, which shades the body parts that weigh most in a class and its family.
Families of a record without bodies are drawn as counts of mistakes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from protocols.figures.drawing import planning, style
from protocols.figures.drawing.inputs import as_counts, as_numbers, shorten
from protocols.figures.drawing.planning import Drawing, FigurePlan
from protocols.figures.drawing.skeletons import draw_bodies, project
from protocols.groups import RunEntry, RunGroup, group_runs
from protocols.ranking.distances import FloatArray
from protocols.ranking.exclusion import BoolArray

_ROWS = 4
_MEMBERS = 5
_COUNT_ANCHORS, _COUNT_MEMBERS = 6, 8
_NOTABLE = 0.5


def plan(runs: Sequence[RunEntry]) -> Iterator[FigurePlan]:
    """A figure a study of families (``aclnet-task action families``), of its first seed."""
    studies = [run for run in runs if run.record.kind == "families" and _filled(run.cells)]
    for group in group_runs(studies):
        record, draw = group.record, partial(_draw, group)
        yield planning.plan_of("families", "motion families", record, draw, record.objective)


def _filled(cells: Mapping[str, Any]) -> bool:
    """Whether any class has a family; none has where the objective was never applied."""
    families = cells.get("families")
    return isinstance(families, Mapping) and any(families.values())


def _draw(group: RunGroup) -> Drawing:
    record = group.record
    cells = group.cells
    bodies = cells.get("bodies")
    shares = [record.metrics.get(f"mistakes_in_family{end}") for end in ("", "/chance")]
    within = ""
    if shares[0] is not None and shares[1] is not None:
        within = (
            f" {100 * shares[0]:.0f} % of all test mistakes stay within a family; families of "
            f"these sizes would hold {100 * shares[1]:.0f} % by chance."
        )
    end = f"{within} {planning.describe(group, 1)}."
    if not bodies:
        figure = draw_family_counts(cells["families"])
        return figure, (
            "Classes that the objective has joined into the family of each anchor, and how many "
            f"test samples are mistaken for one another; the families with most mistakes.{end}"
        )
    figure = draw_motion_families(
        _most_mistaken(cells["families"], bodies["classes"]),
        bodies["bones"],
        parts=bodies.get("parts"),
        y_down=bool(bodies.get("y_down")),
    )
    return figure, (
        "Anchor classes (framed) and the classes that the objective has joined into their "
        f"families: the {_ROWS} that add most test mistakes to those above them, up to {_MEMBERS} "
        "members each. "
        "Bodies: of one training recording a class, the frame farthest from its first one. Marked "
        "joints move at half the speed of the class's fastest joint or more (training recordings); "
        "below each body the part that moves most. Families are made from the network's mistakes, "
        f"not from these movements.{end}"
    )


def _most_mistaken(
    families: Mapping[str, Sequence[Sequence[Any]]], bodies: Mapping[str, Any]
) -> list[MotionFamily]:
    """The families to show; a class without a body is left out.

    Each is the family with most mistakes that no earlier one has shown, since two classes mistaken
    for each other are often of each other's family.
    """
    left = {
        anchor: sorted((r for r in rows if r[0] in bodies), key=lambda row: -(row[1] + row[2]))
        for anchor, rows in families.items()
        if anchor in bodies
    }
    shown: set[frozenset[str]] = set()
    found: list[MotionFamily] = []

    def fresh(anchor: str) -> int:
        rows = left[anchor]
        return sum(row[1] + row[2] for row in rows if frozenset((anchor, row[0])) not in shown)

    while left and len(found) < _ROWS:
        anchor = max(left, key=fresh)
        rows = left.pop(anchor)
        if rows:
            members = tuple(_shown(name, bodies, taken, back) for name, taken, back in rows)
            found.append(MotionFamily(_shown(anchor, bodies), members))
            shown |= {frozenset((anchor, row[0])) for row in rows}
    return found


def _shown(name: str, bodies: Mapping[str, Any], taken: int = 0, back: int = 0) -> FamilyClass:
    body = bodies[name]
    pose = np.array(body["pose"], dtype=np.float64)  # None becomes NaN
    return FamilyClass(name, pose, body["weight"], taken, back)


@dataclass(frozen=True, eq=False)
class FamilyClass:
    """A class in a picture of motion families.

    Attributes:
        name: of the class.
        pose: (V, C) a body that shows it.
        weight: (V,) 0 or more: how much each joint matters in the class.
        taken_for: test samples of the anchor that are taken for this class; 0 for an anchor.
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


@style.house_style()
def draw_motion_families(
    families: Sequence[MotionFamily],
    bones: Sequence[Sequence[int]],
    *,
    parts: Mapping[str, Sequence[int]] | None = None,
    y_down: bool = False,
) -> Figure:
    """Draw families, a row each: the anchor's body, then its members' with their notable joints.

    A joint is notable where its weight is at least half the class's largest. Filled red discs are
    notable in the member and in its anchor; blue rings in one of them only.

    Args:
        families: the rows.
        bones: pairs of joint numbers.
        parts: joint numbers by body part; the part of largest mean weight is named under a class.
        y_down: whether the second channel grows downwards, as pixels do.

    Returns:
        A set of axes a class shown, row by row, the anchor first and five members at most; the
        anchor's title says how many there are.

    Raises:
        ValueError: there is no family or one without members, or a class's pose, weights or parts
            do not fit; the message names the class.
    """
    if not families or not all(family.members for family in families):
        raise ValueError("At least one motion family with a member must be shown.")
    columns = 1 + min(_MEMBERS, max(len(family.members) for family in families))
    figure = style.new_figure(style.PAGE_WIDTH, 0.3 + 2.1 * len(families))
    grid = figure.add_gridspec(len(families), columns)
    for row, family in enumerate(families):
        _check(family)
        anchor = _notable(family.anchor)
        for column, shown in enumerate([family.anchor, *family.members[:_MEMBERS]]):
            plot = figure.add_subplot(grid[row, column])
            own = _notable(shown)
            # The anchor's joints are compared with those of all its members.
            other = anchor if column else _any_notable(family.members[:_MEMBERS])
            _draw_class(plot, shown, bones, own, other, y_down)
            title = [shorten(shown.name, 22), f"anchor, {len(family.members)} in family"]
            if column:
                title[1] = f"taken for it {shown.taken_for}, back {shown.taken_back}"
            plot.set_title(
                "\n".join(title), fontsize=style.TINY, weight="normal" if column else "bold"
            )
            plot.set_xlabel(_part_named(shown, parts or {}), fontsize=style.TINY, style="italic")
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


def _notable(shown: FamilyClass) -> BoolArray:
    weight = _weight(shown)
    return np.asarray((weight >= _NOTABLE * weight.max()) & (weight > 0))


def _any_notable(members: Sequence[FamilyClass]) -> BoolArray:
    return np.asarray(np.any([_notable(member) for member in members], axis=0))


def _draw_class(
    plot: Axes,
    shown: FamilyClass,
    bones: Sequence[Sequence[int]],
    own: BoolArray,
    other: BoolArray,
    y_down: bool,
) -> None:
    points = project(np.asarray(shown.pose, dtype=np.float64)[None], y_down=y_down)
    draw_bodies(plot, points, bones, aspect=0.75)
    body = points[0]
    # Bodies are drawn centred on x = 0 and standing on y = 0.
    middle = (np.nanmin(body[:, 0]) + np.nanmax(body[:, 0])) / 2
    body = body - np.array([middle, np.nanmin(body[:, 1])])
    for chosen, colour, fill in (
        (own & other, style.VERMILLION, True),
        (own & ~other, style.BLUE, False),
    ):
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
    """A legend of discs and rings, from empty series."""
    plot = figure.axes[0]
    kinds = (("joint notable in both", style.VERMILLION), ("in one only", "none"))
    for (label, face), edge in zip(kinds, (style.VERMILLION, style.BLUE), strict=True):
        plot.scatter([], [], s=34, facecolors=face, edgecolors=edge, linewidths=1.3, label=label)
    style.legend_below(figure)


@style.house_style()
def draw_family_counts(families: Mapping[str, Sequence[Sequence[Any]]]) -> Figure:
    """Draw families as small bar charts, an anchor each.

    Args:
        families: by anchor, rows [member, anchor mistaken for it, it mistaken for the anchor]; a
            record's ``cells["families"]``. The six with most mistakes are shown, and of each the
            eight members with most mistakes.

    Returns:
        A set of axes an anchor, two bars a member: plain for the anchor's samples taken for it,
        hatched for its samples taken for the anchor.

    Raises:
        ValueError: there is no family with a member, or a row is not such a triple.
    """
    filled = {name: [_counts(name, row) for row in rows] for name, rows in families.items() if rows}
    if not filled:
        raise ValueError("At least one motion family with a member must be shown.")
    mistakes = {name: sum(a + b for _, a, b in rows) for name, rows in filled.items()}
    anchors = sorted(filled, key=lambda name: -mistakes[name])[:_COUNT_ANCHORS]
    shown = {
        name: sorted(filled[name], key=lambda row: -(row[1] + row[2]))[:_COUNT_MEMBERS]
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
    plot.barh(places - 0.2, taken, height=0.38, color=style.BLUE, label="anchor mistaken for it")
    plot.barh(
        places + 0.2,
        back,
        height=0.38,
        color=style.ORANGE,
        hatch="////",
        edgecolor="black",
        linewidth=0.4,
        label="it mistaken for the anchor",
    )
    plot.set_yticks(places, [shorten(row[0], 22) for row in members], fontsize=style.TINY)
    # Bars are equally thick in every panel.
    plot.set_ylim(rows - 0.4, -0.6)
    plot.set_xlim(0, max(top, 1) * 1.05)
    plot.xaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    plot.set_xlabel("test samples")


def _counts(anchor: str, row: Sequence[Any]) -> tuple[str, int, int]:
    try:
        member, taken, back = row
        return str(member), int(taken), int(back)
    except (TypeError, ValueError):
        raise ValueError(
            f"The family of {anchor!r} must hold rows of a name and two counts, not {row!r}."
        ) from None
