"""Commands of gait recognition that train several runs."""

from __future__ import annotations

from typing import Annotated

import typer

from tasks.commands.options import StudyOptions, echo, parts
from tasks.spec import find_task


def motion_command(
    query: StudyOptions,
    arms: Annotated[
        str | None,
        typer.Option(
            help="Arms, comma-separated: own, common, still, still-common, changes; by default "
            "all. Bone lengths come with own."
        ),
    ] = None,
) -> None:
    """Separate shape, posture and movement: train on one body for everybody, and on still frames.

    Rank-1, EER and open set of whole walks, still frames and changes alone, on everybody's own body
    and on the common one, beside bone lengths. Finished runs are not trained again.
    """
    plan = query.plan(find_task("gait"), "motion")
    from tasks.gait.motion import motion_study  # imports torch

    with plan.resumable():
        echo(f"\n{motion_study(plan, parts(arms))}")
