"""The definition of gait recognition as a task."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from aclnet.config import LARGEST_SEED
from protocols.gait.rules import RuleName
from protocols.ranking.distances import Metric
from tasks.run.queries import BiometricsQuery, RankingDevice, several_numbers
from tasks.spec import TaskSpec, lazy

_PROTOCOLS = """\b
aclnet-task gait eval --embeddings FILE with one of these:
  --protocol casia_b                     NM, BG, CL by view
  --protocol casia_b --rule opengait     or gaitgraph, gaitgraph2
  --protocol casia_b_no_view             the same without views
  --protocol casia_b_pooled              OpenGait's pooled gallery
  --protocol casia_b_cross_view_gallery  OpenGait's, with mAP
  --protocol oumvlp                      14 x 14 views, as OpenGait
  --protocol oumvlp_gaitgraph2           and margins, as GaitGraph2
  --protocol grew                        rank-1 to rank-20
  --protocol gait3d --probes Gait3D.json unmated probes skipped
  --protocol freegait --probes FreeGait.json  the same
  --protocol sustech1k                   each covariate by view
  --protocol casia_e                     NM, BG, CL by view, without 270
  --protocol ttg200                      rank-1 to rank-20
  --protocol ccpg                        CL, UP, DN, BG, pooled
  --protocol ccpg_views                  the same by view
  --protocol ccpg_all_views              with identical views
  --protocol hid                         re-ranked by OpenGait's 6,6,0.3
  --protocol ucalgary_gait               N, AR, AL
  --protocol kgbd_walks                  two walks enrolled
  --protocol own                         first recording of each enrolled
  --protocol my.yaml                     your own, see the README"""

_PROTOCOL = "A name from the list above, or a CSV or YAML file; by default the run's."


@dataclass(frozen=True)
class GaitQuery:
    """The options of `gait eval`; None: those of the run's settings, or the defaults."""

    protocol: Annotated[str | None, typer.Option(help=_PROTOCOL)] = None
    rule: Annotated[
        RuleName | None,
        typer.Option(help="How ranks are aggregated; by default the protocol's or the run's."),
    ] = None
    metric: Annotated[Metric | None, typer.Option(help="Distance; by default the rule's.")] = None
    gallery_takes: Annotated[
        str | None, typer.Option(help="Other gallery takes, such as 'first 1' or 'random 2'.")
    ] = None
    probes: Annotated[
        Path | None,
        typer.Option(
            help="List of the probes, for gait3d and freegait: their JSON, or one name per line."
        ),
    ] = None
    rerank: Annotated[
        str | None,
        typer.Option(
            help="OpenGait's k-reciprocal re-ranking, for one gallery: k1,k2,weight, such as "
            "6,6,0.3; by default the protocol's."
        ),
    ] = None
    seed: Annotated[
        int | None,
        typer.Option(
            min=0, max=LARGEST_SEED, help="Seed of the takes 'random N'; by default the run's."
        ),
    ] = None
    device: RankingDevice = "auto"

    def __post_init__(self) -> None:
        """Check the numbers before anything is read."""
        self.reranking()

    def reranking(self) -> tuple[int, int, float] | None:
        """k1, k2 and the weight of the plain distance; None: the protocol's own, if any.

        Raises:
            ValueError: these are not three numbers, or k1 or k2 is not an integer.
        """
        if self.rerank is None:
            return None
        k1, k2, weight = several_numbers(self.rerank, (int, int, float), "--rerank", "6,6,0.3")
        return k1, k2, weight

    def chosen(self) -> dict[str, Any]:
        """The overridden settings."""
        names = ("protocol", "gallery_takes", "probes", "rule")
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
    eval_help = _PROTOCOLS
    read = lazy("protocols.pair_scores:load_tested")
    measure = lazy("tasks.gait.biometrics:measure")
    measuring = BiometricsQuery
    worst = lazy("tasks.gait.worst:worst")
    right_score = lazy("tasks.gait.joints:right_score")

    def floor_query(self) -> GaitQuery:
        """The bone lengths, which are compared by Euclidean distance."""
        return GaitQuery(metric="euclidean")

    def add_commands(self, app: typer.Typer) -> None:
        """Add `submit` and `motion`."""
        from tasks.commands.options import StudyOptions, with_query
        from tasks.gait.commands import motion_command
        from tasks.gait.submit import submit_command

        app.command("submit")(submit_command)
        app.command("motion")(with_query(motion_command, StudyOptions))
