"""`aclnet-task reid`: evaluate any pair of a run or of embeddings, look at rank lists."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tasks.commands.options import Cache, JsonFile, command_line, numbers, say

DEFAULT_RECIPE = "reid/walkers"


class Rule(StrEnum):
    """How a ranking is judged (see `protocols.reid.rules`)."""

    clean = "clean"
    cross_take = "cross-take"
    market1501 = "market1501"
    transg = "transg"
    spc_mgr = "spc-mgr"
    sge = "sge"


class Level(StrEnum):
    """What is compared."""

    sequence = "sequence"
    walk = "walk"


class Distance(StrEnum):
    """How embeddings are compared."""

    cosine = "cosine"
    euclidean = "euclidean"


RunOption = Annotated[
    Path | None,
    typer.Option(
        "--run", "-r", help="A run; by default that of the synthetic walkers, runs/reid-walkers."
    ),
]
Probe = Annotated[
    str | None, typer.Option(help="Probe set, such as N, B, C (or nm, bg, cl); with --gallery.")
]
Gallery = Annotated[str | None, typer.Option(help="Gallery set; with --probe.")]


def add_eval_commands(app: typer.Typer) -> None:
    """Give an app the commands that look at a run which has ended."""
    app.command("eval")(eval_command)
    app.command("show")(show_command)


def run_folder(config: str) -> Path:
    """The folder of a recipe's run; apart from the other tasks' runs of recipes named alike."""
    return Path("runs") / f"reid-{Path(config).with_suffix('').name}"


def eval_command(
    run: RunOption = None,
    embeddings: Annotated[
        Path | None,
        typer.Option(
            help="Anybody's embeddings instead of a run's: .npz or CSV with subject, condition, "
            "take, view, embedding."
        ),
    ] = None,
    probe: Probe = None,
    gallery: Gallery = None,
    all_pairs: Annotated[
        bool,
        typer.Option(
            "--all-pairs", help="All pairs of the protocol; by default the run's, or all."
        ),
    ] = False,
    protocol: Annotated[
        str | None,
        typer.Option(help="casia_b, kgbd, ks20, ias, biwi, or a YAML file; by default the run's."),
    ] = None,
    rule: Annotated[
        Rule | None, typer.Option(help="How a ranking is judged; by default the run's, or clean.")
    ] = None,
    metric: Annotated[
        Distance | None, typer.Option(help="Distance; by default the rule's.")
    ] = None,
    level: Annotated[
        Level, typer.Option(help="Sequences, or whole walks pooled from them.")
    ] = Level.sequence,
    rerank: Annotated[
        str | None, typer.Option(help="k-reciprocal re-ranking: k1,k2,weight, such as 20,6,0.3.")
    ] = None,
    expand: Annotated[
        str | None, typer.Option(help="Query expansion: neighbours,exponent, such as 5,3.")
    ] = None,
    json: JsonFile = None,
) -> None:
    """Evaluate saved embeddings of one pair or all; no network is needed."""
    from tasks.reid.eval import ReidQuery, evaluate_file, evaluate_run

    if run is not None and embeddings is not None:
        raise ValueError("give either --run RUN or --embeddings FILE")
    first, second, weight = numbers(rerank, 3, "--rerank", "20,6,0.3") or (0, 0, 0.0)
    near, exponent = numbers(expand, 2, "--expand", "5,3") or (0, 0.0)
    query = ReidQuery(
        probe=probe,
        gallery=gallery,
        all_pairs=all_pairs,
        protocol=protocol,
        rule=None if rule is None else rule.value,
        metric=None if metric is None else metric.value,
        level=level.value,
        rerank=None if rerank is None else (_whole(first), _whole(second), weight),
        expand=None if expand is None else (_whole(near), exponent),
    )
    if embeddings is not None:
        record, text = evaluate_file(embeddings, query, command_line())
    else:
        record, text = evaluate_run(run or run_folder(DEFAULT_RECIPE), query, command_line())
    if json is not None:
        record.write(json)
    typer.echo(text)


def show_command(
    out: Annotated[Path, typer.Option(help="Folder for the pictures.")],
    run: RunOption = None,
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

    for line in show(
        run or run_folder(DEFAULT_RECIPE),
        out,
        probe=probe,
        gallery=gallery,
        count=count,
        depth=depth,
        wrong=wrong,
        cache=cache,
        report=say,
    ):
        typer.echo(line)


def _whole(count: float) -> int:
    """A number of neighbours.

    Raises:
        ValueError: it is no whole number.
    """
    if not float(count).is_integer():
        raise ValueError(f"--rerank and --expand count neighbours in whole numbers, not {count:g}")
    return int(count)
