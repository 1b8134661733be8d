"""The definition of person re-identification as a task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from protocols.ranking.distances import Metric
from protocols.reid.rules import ReidRuleName
from tasks.commands.options import Cache, echo, say
from tasks.run.queries import BiometricsQuery, RankingDevice, several_numbers
from tasks.spec import TaskSpec, lazy

if TYPE_CHECKING:
    from protocols.records import ResultRecord
    from protocols.reid.pairs import Pair, PairProtocol

Probe = Annotated[
    str | None, typer.Option(help="Probe set, such as N, B, C (or nm, bg, cl); needs --gallery.")
]
Gallery = Annotated[str | None, typer.Option(help="Gallery set; needs --probe.")]


@dataclass(frozen=True)
class ReidQuery:
    """The options of `reid eval`; None: those of the run's settings, or the defaults."""

    probe: Probe = None
    gallery: Gallery = None
    all_pairs: Annotated[
        bool,
        typer.Option(
            "--all-pairs", help="All pairs of the protocol; by default the run's, or all."
        ),
    ] = False
    protocol: Annotated[
        str | None,
        typer.Option(help="casia_b, kgbd, ks20, ias, biwi, or a YAML file; by default the run's."),
    ] = None
    rule: Annotated[
        ReidRuleName | None,
        typer.Option(help="How rankings are evaluated; by default the run's, or clean."),
    ] = None
    metric: Annotated[Metric | None, typer.Option(help="Distance; by default the rule's.")] = None
    level: Annotated[
        Literal["sequence", "walk"],
        typer.Option(help="Compare sequences, or whole walks pooled from them."),
    ] = "sequence"
    rerank: Annotated[
        str | None, typer.Option(help="k-reciprocal re-ranking: k1,k2,weight, such as 20,6,0.3.")
    ] = None
    expand: Annotated[
        str | None, typer.Option(help="Query expansion: neighbours,exponent, such as 5,3.")
    ] = None
    device: RankingDevice = "auto"

    def __post_init__(self) -> None:
        """Check the numbers before anything is read."""
        self.reranking()
        self.expansion()

    def pairs(self, protocol: PairProtocol, default: Sequence[Pair] | None) -> list[Pair] | None:
        """The selected pairs.

        Raises:
            ValueError: only one of --probe and --gallery is given, both with --all-pairs, or there
                is not such a set.
        """
        if self.all_pairs and (self.probe or self.gallery):
            raise ValueError("give either --all-pairs or --probe and --gallery")
        if (self.probe is None) != (self.gallery is None):
            raise ValueError(
                "give both --probe and --gallery, such as --probe C --gallery N, or --all-pairs"
            )
        if self.probe is not None and self.gallery is not None:
            return [protocol.pair(self.probe, self.gallery)]
        return None if default is None or self.all_pairs else list(default)

    def reranking(self) -> tuple[int, int, float] | None:
        """k1, k2 and the weight of the plain distance; None: no re-ranking.

        Raises:
            ValueError: these are not three numbers, or k1 or k2 is not an integer.
        """
        if self.rerank is None:
            return None
        k1, k2, weight = several_numbers(self.rerank, (int, int, float), "--rerank", "20,6,0.3")
        return k1, k2, weight

    def expansion(self) -> tuple[int, float] | None:
        """Neighbours and exponent of query expansion; None: no expansion.

        Raises:
            ValueError: as `reranking`.
        """
        if self.expand is None:
            return None
        neighbours, exponent = several_numbers(self.expand, (int, float), "--expand", "5,3")
        return neighbours, exponent

    def named(self, name: str) -> str:
        """A title, with what was done to the distances."""
        done = [f"expanded {self.expansion()}"] if self.expand else []
        done += [f"re-ranked {self.reranking()}"] if self.rerank else []
        return ", ".join([name, *done])


@dataclass(frozen=True)
class ReidBiometricsQuery(BiometricsQuery):
    """The options of `reid biometrics`."""

    rule: Annotated[
        Literal["clean", "cross-take", "market1501"],
        typer.Option(help="Which comparisons of a probe sequence are excluded."),
    ] = "clean"


def show_command(
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "--to",
            help="Folder for the pictures; or moving skeletons, .html, or .rrd for rerun's viewer.",
        ),
    ],
    run: Annotated[
        Path | None, typer.Option("--run", "-r", help="A run; by default the latest one.")
    ] = None,
    probe: Probe = None,
    gallery: Gallery = None,
    count: Annotated[int, typer.Option(min=1, max=200, help="Rank lists to draw.")] = 6,
    depth: Annotated[int, typer.Option(min=1, max=50, help="Gallery sequences per list.")] = 5,
    wrong: Annotated[
        bool, typer.Option(help="Draw wrongly matched probes, worst first; or any, evenly spread.")
    ] = True,
    cache: Cache = Path("runs/stores"),
) -> None:
    """Draw rank lists, genuine and impostor distances, and errors by identity of one pair."""
    from tasks.reid.show import show
    from tasks.run.saved import default_run

    query = ReidQuery(probe=probe, gallery=gallery)
    folder = run or default_run(Reid())
    if out.suffix.lower() in (".html", ".rrd"):
        _write_lists(folder, out, query, count=count, depth=depth, wrong=wrong, cache=cache)
        return
    for line in show(
        folder, out, query, count=count, depth=depth, wrong=wrong, cache=cache, report=say
    ):
        echo(line)


def _write_lists(
    run: Path, out: Path, query: ReidQuery, *, count: int, depth: int, wrong: bool, cache: Path
) -> None:
    """Write the rank lists as moving skeletons."""
    from tasks.commands.show.worst import Case, show_worst
    from tasks.reid.worst import rank_lists

    def find(tested: Any, settings: Any, count: int, depth: int) -> list[Case]:
        return rank_lists(tested, settings, query, count, depth, wrong=wrong)

    shown = show_worst(
        Reid(), run, out, find=find, count=count, depth=depth, cache=cache, report=say
    )
    echo(f"{out}: {shown} rank lists" if shown else "there is no such probe: nothing is drawn")


class Reid(TaskSpec):
    """Person re-identification."""

    name = "reid"
    help = "Re-identify people: probe sequences against a gallery."
    recipe = "reid/walkers"
    run_prefix = "reid-"
    settings = lazy("tasks.reid.settings:ReidSettings")
    adapter = lazy("tasks.reid.adapter:ReidAdapter")
    judge = lazy("tasks.reid.judge:judge")
    query = ReidQuery
    read = lazy("protocols.pair_scores:load_tested")
    measure = lazy("tasks.reid.biometrics:measure")
    measuring = ReidBiometricsQuery
    worst = lazy("tasks.reid.worst:worst")
    right_score = lazy("tasks.reid.joints:right_score")

    def floor_query(self) -> ReidQuery:
        """The bone lengths, which are compared by Euclidean distance."""
        return ReidQuery(metric="euclidean")

    def columns(self, record: ResultRecord) -> list[str]:
        """Rank-1 and mAP by pair; for a single pair more ranks instead."""
        rates = [m for m in record.metrics if m.split("/")[0] in ("rank1", "mAP") and "/" in m]
        return ["rank1", "mAP", *rates] if len(rates) > 2 else ["rank1", "rank5", "rank10", "mAP"]

    def add_commands(self, app: typer.Typer) -> None:
        """Add `show`."""
        app.command("show")(show_command)
