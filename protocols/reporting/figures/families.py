"""Motion families: with bodies where the record holds them, otherwise as counts (Fig. 3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from protocols.figures.families import FamilyClass, MotionFamily, draw_motion_families
from protocols.figures.family_counts import draw_family_counts
from protocols.reporting.figures.plan import Drawing, FigurePlan, cells_of, plan_of, told
from protocols.reporting.groups import RunGroup, group_runs
from protocols.reporting.model import RunEntry

_ROWS = 4
_MEMBERS = 5


def plan_families(runs: Sequence[RunEntry]) -> Iterator[FigurePlan]:
    """A figure a study of families (``aclnet-task action families``), of its first seed.

    Args:
        runs: All runs.
    """
    studies = [
        run for run in runs if run.record.kind == "families" and _filled(cells_of(run.record))
    ]
    for group in group_runs(studies):
        part = group.record.objective
        yield plan_of("families", "motion families", group.record, partial(_draw, group), part)


def _filled(cells: Mapping[str, Any]) -> bool:
    """Whether any class has a family: an objective that never acted has none to show."""
    families = cells.get("families")
    return isinstance(families, Mapping) and any(families.values())


def _draw(group: RunGroup) -> Drawing:
    record = group.record
    cells = cells_of(record)
    bodies = cells.get("bodies")
    shares = [record.metrics.get(f"mistakes_in_family{end}") for end in ("", "/chance")]
    within = ""
    if shares[0] is not None and shares[1] is not None:
        within = (
            f" {100 * shares[0]:.0f} % of all test mistakes stay within a family; families of "
            f"these sizes would hold {100 * shares[1]:.0f} % by chance."
        )
    end = f"{within} {told(group, 1)}."
    if not bodies:
        figure = draw_family_counts(cells["families"])
        return figure, (
            "Classes that the objective has joined into the family of each anchor, and how many "
            f"test samples are taken for one another; the families with most mistakes.{end}"
        )
    figure = draw_motion_families(
        _most_mistaken(cells["families"], bodies["classes"]),
        bodies["bones"],
        parts=bodies.get("parts"),
        most=_MEMBERS,
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

    One after the other the family with most mistakes that no family before it has shown, since two
    classes mistaken for each other are often of each other's family.
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
