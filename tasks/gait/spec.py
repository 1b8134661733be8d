"""The definition of gait recognition as a task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from protocols.gait.rules import RuleName
from protocols.ranking.distances import Metric
from tasks.run.queries import BiometricsQuery
from tasks.spec import TaskSpec, lazy

_PROTOCOL = (
    "casia_b, casia_b_no_view, kgbd_walks, ucalgary_gait, or a CSV or YAML file; by default the "
    "run's."
)


@dataclass(frozen=True)
class GaitQuery:
    """The options of `gait eval`; None: those of the run's settings, or the defaults."""

    protocol: Annotated[str | None, typer.Option(help=_PROTOCOL)] = None
    rule: Annotated[
        RuleName | None, typer.Option(help="How ranks are aggregated; by default the run's.")
    ] = None
    metric: Annotated[Metric | None, typer.Option(help="Distance; by default the rule's.")] = None
    gallery_takes: Annotated[
        str | None, typer.Option(help="Other gallery takes, such as 'first 1' or 'random 2'.")
    ] = None
    seed: Annotated[
        int | None, typer.Option(min=0, help="Seed of the takes 'random N'; by default the run's.")
    ] = None

    def chosen(self) -> dict[str, str]:
        """The overridden settings."""
        names = ("protocol", "gallery_takes", "rule")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}


class Gait(TaskSpec):
    """Gait recognition."""

    name = "gait"
    help = "Recognise people by their walk."
    recipe = "gait/walkers"
    settings = lazy("tasks.gait.settings:GaitSettings")
    adapter = lazy("tasks.gait.adapter:GaitAdapter")
    judge = lazy("tasks.gait.judge:judge")
    query = GaitQuery
    read = lazy("protocols.pair_scores:load_tested")
    measure = lazy("tasks.gait.biometrics:measure")
    measuring = BiometricsQuery
