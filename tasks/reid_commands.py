"""`aclnet-task reid`: train, embed, compare objectives; what looks at a run is beside this."""

from __future__ import annotations

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
    recipe_settings,
    say,
    seed_numbers,
)
from tasks.reid_eval_commands import DEFAULT_RECIPE, add_eval_commands, run_folder

if TYPE_CHECKING:
    from tasks.reid_settings import ReidSettings

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

    folder = run or run_folder(config or DEFAULT_RECIPE)
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


add_eval_commands(reid_app)


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
        str | None,
        typer.Option(
            help="Any of ce, ce+inter, ce+intra, acl, by commas; by default ce,acl, or TranSG's "
            "own where the recipe has it."
        ),
    ] = None,
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

    default = run_folder(config)
    folder = runs or default.with_name(f"study-{default.name}")
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
    from tasks.reid_settings import ReidSettings

    return recipe_settings(ReidSettings, config, data, overrides)
