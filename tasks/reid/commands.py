"""`aclnet-task reid`: train, embed, compare objectives; what looks at a run is beside this."""

from __future__ import annotations

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
    own_recipe,
    recipe_settings,
    say,
    say_result,
    seed_numbers,
    study_folder,
    write_embeddings,
)
from tasks.reid.eval_commands import DEFAULT_RECIPE, add_eval_commands, run_folder

if TYPE_CHECKING:
    from tasks.reid.settings import ReidSettings

reid_app = typer.Typer(
    no_args_is_help=True, help="Re-identify people: probe sequences against a gallery."
)


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
    run: RunFolder = None,
    overrides: Overrides = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
    cache: Cache = Path("runs/stores"),
    json: JsonFile = None,
) -> None:
    """Train one model and evaluate all pairs; without arguments on the synthetic walkers.

    The folder gets the settings, the log, the checkpoint, the test embeddings and a result record.
    For a model for one pair, watched by that pair alone: -s 'pairs=[C-N]' -s select=best.
    """
    from tasks.reid.run import train_and_evaluate

    folder = run or run_folder(config or DEFAULT_RECIPE)
    recipe = own_recipe(config, folder, resume) or DEFAULT_RECIPE
    result = train_and_evaluate(
        _settings(recipe, data, overrides),
        folder,
        cache,
        command=command_line(),
        resume=resume,
        overwrite=overwrite,
        report=say,
    )
    say_result(result, json, folder, "aclnet-task reid eval")


add_eval_commands(reid_app)


@reid_app.command("embed")
def embed_command(
    run: TrainedRun,
    out: EmbeddingsOut,
    data: Annotated[
        Path | None, typer.Option(help="What to embed; by default the run's test recordings.")
    ] = None,
    cache: Cache = Path("runs/stores"),
) -> None:
    """Embed the sequences of recordings with a trained network."""
    from tasks.reid.run import embed_data

    write_embeddings(lambda: embed_data(run, data, cache, say), out)


@reid_app.command("study")
def study_command(
    config: Recipe = DEFAULT_RECIPE,
    data: Data = None,
    objectives: Annotated[
        str | None,
        typer.Option(
            help="Any of ce, ce+inter, ce+intra, acl, by commas; by default ce,acl, or TranSG's "
            "own where the recipe has it."
        ),
    ] = None,
    seeds: Seeds = "0,1,2",
    results: Results = None,
    runs: Runs = None,
    overrides: Overrides = None,
    cache: Cache = Path("runs/stores"),
) -> None:
    """Train every objective with every seed, and set them side by side with the bone lengths.

    A run that has ended is not trained again, one that was interrupted goes on.
    """
    from tasks.reid.study import study

    folder = study_folder(runs, run_folder(config))
    text = study(
        lambda changes: _settings(config, data, [*(overrides or []), *changes]),
        objectives=None if objectives is None else [n.strip() for n in objectives.split(",")],
        seeds=seed_numbers(seeds),
        runs=folder,
        results=results or folder,
        cache=cache,
        command=command_line(),
        report=say,
    )
    typer.echo(f"\n{text}")


def _settings(config: str, data: Path | None, overrides: list[str] | None) -> ReidSettings:
    from tasks.reid.settings import ReidSettings

    return recipe_settings(ReidSettings, config, data, overrides)
