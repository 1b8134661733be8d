"""`aclnet-task reid`: train, evaluate any pair, embed, compare objectives, look at rank lists."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tasks.command_options import (
    RECIPE_HELP,
    Cache,
    Data,
    JsonFile,
    Overrides,
    Recipe,
    command_line,
    numbers,
    recipe_settings,
    say,
    seed_numbers,
)

if TYPE_CHECKING:
    from tasks.reid_settings import ReidSettings

reid_app = typer.Typer(
    no_args_is_help=True, help="Re-identify people: probe sequences against a gallery."
)

DEFAULT_RECIPE = "reid/walkers"


class Rule(StrEnum):
    """How a ranking is judged (see `protocols.reid_rules`)."""

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


@reid_app.command("train")
def train_command(
    config: Annotated[
        str | None,
        typer.Option(
            "--config",
            "-c",
            help=f"{RECIPE_HELP} By default {DEFAULT_RECIPE}; with --resume the run's own.",
        ),
    ] = None,
    data: Data = None,
    run: Annotated[
        Path | None,
        typer.Option(
            # torchrun takes --run for an abbreviation of its own options, and refuses it.
            "--run",
            "-r",
            help="The run's folder; by default runs/reid-<recipe>. Under torchrun write -r.",
        ),
    ] = None,
    overrides: Overrides = None,
    resume: Annotated[bool, typer.Option(help="Go on from the folder's checkpoint.")] = False,
    overwrite: Annotated[bool, typer.Option(help="Begin anew in a folder with a run.")] = False,
    cache: Cache = Path("runs/stores"),
    json: JsonFile = None,
) -> None:
    """Train one model and evaluate all pairs; without arguments on the synthetic walkers.

    The folder gets the settings, the log, the checkpoint, the test embeddings and a result record.
    For a model for one pair, watched by that pair alone: -s 'pairs=[C-N]' -s select=best.
    """
    from tasks.reid_run import train_and_evaluate
    from tasks.run_folder import SETTINGS

    folder = run or _folder(config or DEFAULT_RECIPE)
    if config is None and resume and (folder / SETTINGS).is_file():
        config = str(folder / SETTINGS)
    result = train_and_evaluate(
        _settings(config or DEFAULT_RECIPE, data, overrides),
        folder,
        cache,
        command=command_line(),
        resume=resume,
        overwrite=overwrite,
        report=say,
    )
    if result is None:
        return
    if json is not None:
        result.record.write(json)
    typer.echo(f"\n{result.text}\n")
    typer.echo(f"everything is in {folder}; again without the network: ", nl=False)
    typer.echo(f"aclnet-task reid eval --run {folder}")


@reid_app.command("eval")
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
    from tasks.reid_eval import ReidQuery, evaluate_file, evaluate_run

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
        record, text = evaluate_run(run or _folder(DEFAULT_RECIPE), query, command_line())
    if json is not None:
        record.write(json)
    typer.echo(text)


@reid_app.command("embed")
def embed_command(
    run: Annotated[Path, typer.Option("--run", "-r", help="A trained run.")],
    out: Annotated[Path, typer.Option(help="The .npz to write.")],
    data: Annotated[
        Path | None, typer.Option(help="What to embed; by default the run's test recordings.")
    ] = None,
    cache: Cache = Path("runs/stores"),
) -> None:
    """Embed the sequences of recordings with a trained network."""
    from tasks.reid_run import embed_data

    if out.suffix != ".npz":  # said before the work, not after it
        raise ValueError(f"--out {out}: embeddings are written as .npz, so the name must end so")
    embedded = embed_data(run, data, cache, say)
    embedded.save(out)
    typer.echo(f"{len(embedded)} embeddings of {embedded.embedding.shape[1]} numbers in {out}")


@reid_app.command("study")
def study_command(
    config: Recipe = DEFAULT_RECIPE,
    data: Data = None,
    objectives: Annotated[
        str, typer.Option(help="Any of ce, ce+inter, ce+intra, acl, by commas.")
    ] = "ce,acl",
    seeds: Annotated[str, typer.Option(help="Seeds, by commas.")] = "0,1,2",
    results: Annotated[
        Path | None, typer.Option(help="Folder for the records; by default beside the runs.")
    ] = None,
    runs: Annotated[Path | None, typer.Option(help="Folder of the runs.")] = None,
    overrides: Overrides = None,
    cache: Cache = Path("runs/stores"),
) -> None:
    """Train every objective with every seed, and set them side by side with the bone lengths.

    A run that has ended is not trained again, one that was interrupted goes on.
    """
    from tasks.reid_study import study

    default = _folder(config)
    folder = runs or default.with_name(f"study-{default.name}")
    text = study(
        lambda changes: _settings(config, data, [*(overrides or []), *changes]),
        objectives=[name.strip() for name in objectives.split(",")],
        seeds=seed_numbers(seeds),
        runs=folder,
        results=results or folder,
        cache=cache,
        command=command_line(),
        report=say,
    )
    typer.echo(f"\n{text}")


@reid_app.command("show")
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
    from tasks.reid_show import show

    for line in show(
        run or _folder(DEFAULT_RECIPE),
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


def _folder(config: str) -> Path:
    """The folder of a recipe's run; apart from the other tasks' runs of recipes named alike."""
    return Path("runs") / f"reid-{Path(config).with_suffix('').name}"


def _settings(config: str, data: Path | None, overrides: list[str] | None) -> ReidSettings:
    from tasks.reid_settings import ReidSettings

    return recipe_settings(ReidSettings, config, data, overrides)
