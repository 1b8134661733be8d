"""`aclnet-task action`: train, evaluate, fuse, and compare objectives over seeds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tasks.commands.options import (
    RECIPE_HELP,
    Cache,
    Data,
    JsonFile,
    Overrides,
    Overwrite,
    ReaderOptions,
    Results,
    Resume,
    RunFolder,
    Runs,
    Seeds,
    command_line,
    default_folder,
    own_recipe,
    reader_options,
    recipe_settings,
    say,
    say_result,
    seed_numbers,
    study_folder,
)

if TYPE_CHECKING:
    from tasks.action.adapter import ActionSettings

action_app = typer.Typer(no_args_is_help=True, help="Recognise what people do.")

Run = Annotated[Path, typer.Option("--run", "-r", help="A trained run.")]


@action_app.command("train")
def train_command(
    config: Annotated[
        str | None,
        typer.Option("--config", "-c", help=f"{RECIPE_HELP} With --resume the run's own."),
    ] = None,
    data: Data = None,
    run: RunFolder = None,
    overrides: Overrides = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
    cache: Cache = Path("runs/stores"),
    json: JsonFile = None,
) -> None:
    """Train on the training samples of a split, and test on its test samples.

    The folder gets the settings, the log, the checkpoint, the test scores and a result record.
    """
    from tasks.action.run import train_and_evaluate

    folder = run or (None if config is None else default_folder(config))
    if folder is None:
        raise ValueError("name a recipe with --config (or, with --resume, a run with --run)")
    recipe = own_recipe(config, folder, resume)
    if recipe is None:
        raise ValueError(f"name a recipe with --config: {folder} is no run to --resume")
    result = train_and_evaluate(
        _settings(recipe, data, overrides),
        folder,
        cache,
        command=command_line(),
        resume=resume,
        overwrite=overwrite,
        report=say,
    )
    say_result(result, json, folder)


@action_app.command("eval")
def eval_command(
    run: Run,
    data: Annotated[
        Path | None, typer.Option(help="Other data; by default the run's own test samples.")
    ] = None,
    clips: Annotated[int | None, typer.Option(min=1, help="Test clips of each sample.")] = None,
    cache: Cache = Path("runs/stores"),
    json: JsonFile = None,
) -> None:
    """Test a trained run again, with other data or another number of clips."""
    from tasks.action.run import evaluate_run

    result = evaluate_run(run, data, clips, cache, command_line(), say)
    if json is not None:
        result.record.write(json)
    typer.echo(result.text)


@action_app.command("study")
def study_command(
    config: Annotated[str, typer.Option("--config", "-c", help=RECIPE_HELP)],
    data: Data = None,
    arms: Annotated[
        str, typer.Option(help="Any of ce, ce+inter-fat, ce+inter, ce+intra, acl, by commas.")
    ] = "ce,acl",
    seeds: Seeds = "0,1,2",
    folds: Annotated[
        str | None, typer.Option(help="Folds, by commas; by default all that the split names.")
    ] = None,
    results: Results = None,
    runs: Runs = None,
    overrides: Overrides = None,
    cache: Cache = Path("runs/stores"),
) -> None:
    """Train every arm with every seed on every fold, and say which differ (Table VIII).

    A run that has ended is not trained again, one that was interrupted goes on.
    """
    from protocols.action.split import load_split
    from tasks.action.study import study

    split = load_split(_settings(config, data, overrides).split)
    chosen = list(split.folds) if folds is None else [f.strip() for f in folds.split(",")]
    folder = study_folder(runs, default_folder(config))
    text = study(
        lambda changes: _settings(config, data, [*(overrides or []), *changes]),
        arms=[name.strip() for name in arms.split(",")],
        seeds=seed_numbers(seeds),
        folds=[*chosen] if split.by_fold else [None],
        runs=folder,
        results=results or folder,
        cache=cache,
        command=command_line(),
        report=say,
    )
    typer.echo(f"\n{text}")


@action_app.command("fuse")
def fuse_command(
    runs: Annotated[list[Path], typer.Argument(help="Runs that have ended, or scores files.")],
    weights: Annotated[
        str | None, typer.Option(help="A weight a run, by commas, or 2s, 4s, 6s; default equal.")
    ] = None,
    on: Annotated[
        str, typer.Option(help="What is added up: probabilities, logits or log-probabilities.")
    ] = "probabilities",
    out: Annotated[Path | None, typer.Option(help="Also save the fused scores (.npz).")] = None,
    json: JsonFile = None,
) -> None:
    """Add up the scores of several runs, sample by sample (matched by key, never by order).

    2s, 4s and 6s are the paper's: streams j,b / j,b,jm,bm / j,b,k,jm,bm,km, in that order, weighted
    1,1 / 2,2,1,1 / 2,2,2,1,1,1, on probabilities.
    """
    from tasks.action.fuse import fuse_runs

    record, text = fuse_runs(runs, weights, on, out, command_line())
    if json is not None:
        record.write(json)
    typer.echo(text)


@action_app.command("predict")
def predict_command(
    files: Annotated[list[Path], typer.Argument(help="Skeleton files, folders of them or stores.")],
    run: Run,
    top: Annotated[int, typer.Option(min=1, help="Classes to name.")] = 5,
    window: Annotated[
        int | None, typer.Option(min=1, help="Frames of a window; by default four clips' worth.")
    ] = None,
    stride: Annotated[
        int | None, typer.Option(min=1, help="Frames between windows; by default half a window.")
    ] = None,
    persons: Annotated[
        str, typer.Option(help="together: one prediction for all; apart: one for each person.")
    ] = "together",
    format: Annotated[
        str | None, typer.Option(help="The files' format; recognised if not given.")
    ] = None,
    layout: Annotated[
        str | None, typer.Option(help="The files' joints, where they do not say them.")
    ] = None,
    fps: Annotated[float | None, typer.Option(help="Frames a second, for the times.")] = None,
    options: ReaderOptions = None,
    prepare: Annotated[
        str | None,
        typer.Option(help="main_person or none; by default as the run's own data."),
    ] = None,
    device: Annotated[str, typer.Option(help="Where to compute, such as cuda.")] = "cpu",
    json: Annotated[
        Path | None, typer.Option("--json", help="Also write the predictions here.")
    ] = None,
) -> None:
    """Say what is done in skeleton files, in windows where they are long.

    Files are read as the run's own data were (format, layout, options), if they are of one kind.
    """
    from tasks.action.predict import Predictor
    from tasks.action.prediction_table import print_predictions, write_predictions

    predictor = Predictor.load(run, device)
    asked: dict[str, Any] = {"window": window, "stride": stride, "persons": persons}
    told = {"format": format, "layout": layout, "fps": fps, "prepare": prepare}
    asked |= {name: value for name, value in told.items() if value is not None}
    asked |= reader_options(options, predictor.predict)
    found = {file: predictor.predict(file, top=top, **asked) for file in files}
    if json is not None:
        write_predictions(json, found)
    print_predictions(found)


@action_app.command("import-weights")
def import_command(
    file: Annotated[Path, typer.Argument(help="A released checkpoint (.pth).")],
    run: Annotated[Path, typer.Option("--run", "-r", help="Folder of the run to make.")],
    config: Annotated[str, typer.Option("--config", "-c", help=RECIPE_HELP)],
    data: Data = None,
    overrides: Overrides = None,
    overwrite: Annotated[bool, typer.Option(help="Replace a run that is there.")] = False,
    cache: Cache = Path("runs/stores"),
    json: JsonFile = None,
) -> None:
    """Make a run of the weights that the authors or PYSKL released, and test it."""
    from tasks.action.weights import import_weights

    settings = _settings(config, data, overrides)
    result = import_weights(
        file, settings, run, cache, command=command_line(), overwrite=overwrite, report=say
    )
    say_result(result, json, run)


def _settings(config: str, data: Path | None, overrides: list[str] | None) -> ActionSettings:
    from tasks.action.adapter import ActionSettings

    return recipe_settings(ActionSettings, config, data, overrides)
