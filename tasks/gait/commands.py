"""`aclnet-task gait`: train, embed, evaluate, and compare objectives over seeds."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tasks.commands.options import (
    RECIPE_HELP,
    Cache,
    Data,
    EmbeddingsOut,
    JsonFile,
    Overrides,
    Overwrite,
    Recipe,
    Results,
    Resume,
    RunFolder,
    Runs,
    Seeds,
    TrainedRun,
    command_line,
    default_folder,
    own_recipe,
    recipe_settings,
    say,
    say_result,
    seed_numbers,
    study_folder,
    write_embeddings,
)

if TYPE_CHECKING:
    from tasks.gait.adapter import GaitSettings

gait_app = typer.Typer(no_args_is_help=True, help="Recognise people by their walk.")

DEFAULT_RECIPE = "gait/walkers"


class Rule(StrEnum):
    """How ranks become a table (see `protocols.gait.rules`)."""

    exact = "exact"
    gaitgraph = "gaitgraph"
    gaitgraph2 = "gaitgraph2"
    opengait = "opengait"


@gait_app.command("train")
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
    run: RunFolder = None,
    overrides: Overrides = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
    cache: Cache = Path("runs/stores"),
    json: JsonFile = None,
) -> None:
    """Train and evaluate; without arguments on the synthetic walkers.

    The folder gets the settings, the log, the checkpoint, the test embeddings and a result record.
    """
    from tasks.gait.run import train_and_evaluate

    folder = run or default_folder(config or DEFAULT_RECIPE)
    recipe = own_recipe(config, folder, resume) or DEFAULT_RECIPE
    settings = _settings(recipe, data, overrides)
    result = train_and_evaluate(
        settings,
        folder,
        cache,
        command=command_line(),
        resume=resume,
        overwrite=overwrite,
        report=say,
    )
    say_result(result, json, folder, "aclnet-task gait eval")


@gait_app.command("eval")
def eval_command(
    run: Annotated[
        Path | None, typer.Option("--run", "-r", help="A run: its saved test embeddings.")
    ] = None,
    embeddings: Annotated[
        Path | None,
        typer.Option(
            help="Anybody's embeddings: .npz or CSV with subject, condition, take, view, embedding."
        ),
    ] = None,
    protocol: Annotated[
        str | None, typer.Option(help="casia_b, kgbd_walks, ucalgary_gait, or a CSV or YAML file.")
    ] = None,
    gallery_takes: Annotated[
        str | None, typer.Option(help="Other gallery takes, such as 'first 1' or 'random 2'.")
    ] = None,
    rule: Annotated[Rule | None, typer.Option(help="How ranks become a table.")] = None,
    metric: Annotated[
        str | None, typer.Option(help="cosine or euclidean; by default the rule's.")
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(help="Draws the gallery takes of 'random N'; by default the run's, or 0."),
    ] = None,
    json: JsonFile = None,
) -> None:
    """Evaluate saved embeddings under a protocol; no network is needed."""
    from tasks.gait.eval import evaluate_file, evaluate_run

    choice = {
        "protocol": protocol,
        "gallery_takes": gallery_takes,
        "rule": None if rule is None else rule.value,
    }
    if run is not None and embeddings is None:
        record, text = evaluate_run(run, choice, metric, seed, command_line())
    elif embeddings is not None and run is None:
        record, text = evaluate_file(embeddings, choice, metric, seed or 0, command_line())
    else:
        raise ValueError("give either --run RUN or --embeddings FILE")
    if json is not None:
        record.write(json)
    typer.echo(text)


@gait_app.command("embed")
def embed_command(
    run: TrainedRun,
    out: EmbeddingsOut,
    data: Annotated[
        Path | None, typer.Option(help="What to embed; by default the run's test people.")
    ] = None,
    cache: Cache = Path("runs/stores"),
) -> None:
    """Embed recordings with a trained network."""
    from tasks.gait.run import embed_data

    write_embeddings(lambda: embed_data(run, data, cache, say), out)


@gait_app.command("study")
def study_command(
    config: Recipe = DEFAULT_RECIPE,
    data: Data = None,
    objectives: Annotated[
        str, typer.Option(help="Any of ce, ce+inter, ce+intra, acl, by commas.")
    ] = "ce,acl",
    seeds: Seeds = "0,1,2",
    results: Results = None,
    runs: Runs = None,
    overrides: Overrides = None,
    cache: Cache = Path("runs/stores"),
) -> None:
    """Train every objective with every seed, and set them side by side with the bone lengths.

    A run that has ended is not trained again, one that was interrupted goes on.
    """
    from tasks.gait.study import study

    folder = study_folder(runs, default_folder(config))
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


def _settings(config: str, data: Path | None, overrides: list[str] | None) -> GaitSettings:
    from tasks.gait.adapter import GaitSettings

    return recipe_settings(GaitSettings, config, data, overrides)
