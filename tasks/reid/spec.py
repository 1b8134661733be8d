"""What sets person re-identification apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from protocols.ranking.distances import Metric
from protocols.reid.rules import ReidRuleName
from tasks.commands.options import Cache, say
from tasks.run.queries import BiometricsQuery
from tasks.spec import TaskSpec, lazy

if TYPE_CHECKING:
    from protocols.records import ResultRecord
    from protocols.reid.pairs import Pair, PairProtocol

Probe = Annotated[
    str | None, typer.Option(help="Probe set, such as N, B, C (or nm, bg, cl); with --gallery.")
]
Gallery = Annotated[str | None, typer.Option(help="Gallery set; with --probe.")]


@dataclass(frozen=True)
class ReidQuery:
    """What `reid eval` may choose; None where the run's settings, or the defaults, hold."""

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
        typer.Option(help="How a ranking is judged; by default the run's, or clean."),
    ] = None
    metric: Annotated[Metric | None, typer.Option(help="Distance; by default the rule's.")] = None
    level: Annotated[
        Literal["sequence", "walk"],
        typer.Option(help="Sequences, or whole walks pooled from them."),
    ] = "sequence"
    rerank: Annotated[
        str | None, typer.Option(help="k-reciprocal re-ranking: k1,k2,weight, such as 20,6,0.3.")
    ] = None
    expand: Annotated[
        str | None, typer.Option(help="Query expansion: neighbours,exponent, such as 5,3.")
    ] = None

    def __post_init__(self) -> None:
        """Refuse numbers that are none before anything is read."""
        self.reranking()
        self.expansion()

    def pairs(self, protocol: PairProtocol, default: Sequence[Pair] | None) -> list[Pair] | None:
        """The pairs meant.

        Raises:
            ValueError: only one end is given, both and all pairs, or there is no such set.
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
            ValueError: they are not three numbers, or neighbours are no whole numbers.
        """
        if self.rerank is None:
            return None
        first, second, weight = _numbers(self.rerank, 3, "--rerank", "20,6,0.3")
        return _whole(first), _whole(second), weight

    def expansion(self) -> tuple[int, float] | None:
        """Neighbours and exponent of query expansion; None: no expansion.

        Raises:
            ValueError: as `reranking`.
        """
        if self.expand is None:
            return None
        near, exponent = _numbers(self.expand, 2, "--expand", "5,3")
        return _whole(near), exponent

    def named(self, name: str) -> str:
        """What is shown, with what was done to its distances."""
        done = [f"expanded {self.expansion()}"] if self.expand else []
        done += [f"re-ranked {self.reranking()}"] if self.rerank else []
        return ", ".join([name, *done])


@dataclass(frozen=True)
class ReidBiometricsQuery(BiometricsQuery):
    """What `reid biometrics` may choose."""

    rule: Annotated[
        Literal["clean", "cross-take", "market1501"],
        typer.Option(help="What a probe sequence is not compared with."),
    ] = "clean"


def show_command(
    out: Annotated[Path, typer.Option(help="Folder for the pictures.")],
    run: Annotated[
        Path | None, typer.Option("--run", "-r", help="A run; by default the last one.")
    ] = None,
    probe: Probe = None,
    gallery: Gallery = None,
    count: Annotated[int, typer.Option(min=1, help="Rank lists to draw.")] = 6,
    depth: Annotated[int, typer.Option(min=1, help="Gallery sequences in a list.")] = 5,
    wrong: Annotated[
        bool, typer.Option(help="Draw probes that went wrong, worst first; or any, evenly spread.")
    ] = True,
    cache: Cache = Path("runs/stores"),
) -> None:
    """Draw rank lists, genuine and impostor distances, and errors by identity, of one pair."""
    from tasks.reid.show import show
    from tasks.run.saved import usual_run

    query = ReidQuery(probe=probe, gallery=gallery)
    folder = run or usual_run(Reid())
    for line in show(
        folder, out, query, count=count, depth=depth, wrong=wrong, cache=cache, report=say
    ):
        typer.echo(line)


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
    measure = lazy("tasks.reid.biometrics:measure")
    measuring = ReidBiometricsQuery

    def columns(self, record: ResultRecord) -> list[str]:
        """Rank-1 and mAP by pair; of a single pair further ranks."""
        rates = [m for m in record.metrics if m.split("/")[0] in ("rank1", "mAP") and "/" in m]
        return ["rank1", "mAP", *rates] if len(rates) > 2 else ["rank1", "rank5", "rank10", "mAP"]

    def add_commands(self, app: typer.Typer) -> None:
        """Pictures of a pair."""
        app.command("show")(show_command)


def _numbers(text: str, count: int, option: str, example: str) -> list[float]:
    """So many numbers given by commas.

    Raises:
        ValueError: it is another count, or one is no number.
    """
    try:
        found = [float(part) for part in text.split(",")]
    except ValueError:
        found = []
    if len(found) != count:
        raise ValueError(f"{option} {text!r}: expected {count} numbers by commas, as {example}")
    return found


def _whole(count: float) -> int:
    """A number of neighbours.

    Raises:
        ValueError: it is no whole number.
    """
    if not float(count).is_integer():
        raise ValueError(f"--rerank and --expand count neighbours in whole numbers, not {count:g}")
    return int(count)
