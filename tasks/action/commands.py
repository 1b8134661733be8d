"""What only action recognition has: fusion, prediction, released weights, the paper's studies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer

from tasks.commands.options import (
    STORES,
    Arms,
    Cache,
    Data,
    JsonFile,
    Overrides,
    Overwrite,
    ReaderOptions,
    Recipe,
    StudyOptions,
    TrainedRun,
    command_line,
    parts,
    reader_options,
    recipe_settings,
    say,
    show,
    whole_numbers,
    with_query,
)
from tasks.spec import find_task

if TYPE_CHECKING:
    from tasks.action.settings import ActionSettings

EndedRuns = Annotated[
    list[Path], typer.Option("--run", "-r", help="A run that has ended; repeat it for seeds.")
]
Compared = Annotated[
    list[Path],
    typer.Option(
        "--run", "-r", help="A run that has ended, or a record file; repeat it for seeds."
    ),
]
Baselines = Annotated[
    list[Path],
    typer.Option("--baseline", "-b", help="What it is compared with; repeat it for seeds."),
]


def add_commands(app: typer.Typer) -> None:
    """Give an app the commands."""
    app.command("fuse")(fuse_command)
    app.command("predict")(predict_command)
    app.command("import-weights")(import_command)
    app.command("occlusion")(occlusion_command)
    app.command("difficulty")(difficulty_command)
    app.command("class-gain")(class_gain_command)
    app.command("families")(families_command)
    app.command("sweep")(with_query(sweep_command, StudyOptions))
    app.command("evolution")(with_query(evolution_command, StudyOptions))


def fuse_command(
    runs: Annotated[list[Path], typer.Argument(help="Runs that have ended, or scores files.")],
    weights: Annotated[
        str | None, typer.Option(help="A weight a run, by commas, or 2s, 4s, 6s; default equal.")
    ] = None,
    on: Annotated[
        Literal["probabilities", "logits", "log-probabilities"],
        typer.Option(help="What is added up."),
    ] = "probabilities",
    out: Annotated[Path | None, typer.Option(help="Also save the fused scores (.npz).")] = None,
    json: JsonFile = None,
) -> None:
    """Add up the scores of several runs, sample by sample (matched by key, never by order).

    2s, 4s and 6s are the paper's: streams j,b / j,b,jm,bm / j,b,k,jm,bm,km, in that order, weighted
    1,1 / 2,2,1,1 / 2,2,2,1,1,1, on probabilities.
    """
    from tasks.action.fuse import fuse_runs

    show(*fuse_runs(runs, weights, on, out, command_line()), json)


def predict_command(
    files: Annotated[list[Path], typer.Argument(help="Skeleton files, folders of them or stores.")],
    run: TrainedRun,
    top: Annotated[int, typer.Option(min=1, help="Classes to name.")] = 5,
    window: Annotated[
        int | None, typer.Option(min=1, help="Frames of a window; by default four clips' worth.")
    ] = None,
    stride: Annotated[
        int | None, typer.Option(min=1, help="Frames between windows; by default half a window.")
    ] = None,
    persons: Annotated[
        Literal["together", "apart"],
        typer.Option(help="together: one prediction for all; apart: one for each person."),
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
        Literal["none", "main_person"] | None,
        typer.Option(help="By default as the run's own data."),
    ] = None,
    device: Annotated[str, typer.Option(help="Where to compute, such as cuda.")] = "cpu",
    json: Annotated[
        Path | None, typer.Option("--json", help="Also write the predictions here.")
    ] = None,
) -> None:
    """Say what is done in skeleton files, in windows where they are long.

    Files are read as the run's own data were (format, layout, options), if they are of one kind.
    """
    from aclnet.runs.model import load
    from tasks.action.predictions import print_predictions, write_predictions
    from tasks.run.saved import require_task

    require_task(find_task("action"), run)
    model = load(run, device)
    asked: dict[str, Any] = {"window": window, "stride": stride, "persons": persons}
    told = {"format": format, "layout": layout, "fps": fps, "prepare": prepare}
    asked |= {name: value for name, value in told.items() if value is not None}
    asked |= reader_options(options, model.classify)
    found = {file: model.classify(file, top=top, **asked) for file in files}
    if json is not None:
        write_predictions(json, found)
    print_predictions(found)


def import_command(
    file: Annotated[Path, typer.Argument(help="A released checkpoint (.pth).")],
    run: Annotated[Path, typer.Option("--run", "-r", help="Folder of the run to make.")],
    config: Recipe,
    data: Data = None,
    overrides: Overrides = None,
    overwrite: Overwrite = False,
    cache: Cache = STORES,
    json: JsonFile = None,
) -> None:
    """Make a run of the weights that the authors or PYSKL released, and test it."""
    from tasks.action.weights import import_weights

    spec = find_task("action")
    result = import_weights(
        spec,
        file,
        cast("ActionSettings", recipe_settings(spec, config, data, overrides)),
        run,
        cache,
        command=command_line(),
        overwrite=overwrite,
        report=say,
    )
    show(result.record, f"\n{result.text}\n\neverything is in {run}", json)


def occlusion_command(
    run: EndedRuns,
    results: Annotated[Path, typer.Option(help="Folder for the records, one a run.")],
    cache: Cache = STORES,
) -> None:
    """Test trained runs with arms, hands, legs or trunk hidden (Table IX)."""
    from tasks.action.occlusion import occlusion

    _, text = occlusion(find_task("action"), run, results, cache, command_line(), say)
    typer.echo(text)


def difficulty_command(baseline: Baselines, run: Compared, json: JsonFile = None) -> None:
    """Compare mean class accuracies by level of difficulty for the baseline (Table X)."""
    from tasks.action.gain import difficulty

    show(*difficulty(baseline, run, command_line()), json)


def class_gain_command(baseline: Baselines, run: Compared, json: JsonFile = None) -> None:
    """List the classes by what they gain over the baseline (Fig. 6)."""
    from tasks.action.gain import class_gain

    show(*class_gain(baseline, run, command_line()), json)


def families_command(
    run: Annotated[Path, typer.Option("--run", "-r", help="A run that has ended.")],
    json: JsonFile = None,
    cache: Cache = STORES,
) -> None:
    """Show each class's motion family, and how often they are mistaken for it (Fig. 3).

    With the run's data the record also holds a body of each class, for the picture.
    """
    from tasks.action.families import families

    # Bodies take a look at the data, which the table has no need of.
    folder = None if json is None else cache
    show(*families(find_task("action"), run, command_line(), folder, say), json)


def sweep_command(
    query: StudyOptions,
    setting: Annotated[str, typer.Option(help="The setting, such as objective.overlap.")],
    values: Annotated[str, typer.Option(help="Its values, by commas.")],
) -> None:
    """Train with each value of one setting, and say which differ (Fig. 4).

    A run that has ended is not trained again, one that was interrupted continues. Of a split with
    folds one is trained: name it with --set "fold='1'".
    """
    from tasks.action.sweep import split_values, sweep

    plan = query.plan(find_task("action"), "sweep")
    typer.echo(f"\n{sweep(plan, setting, split_values(values))}")


def evolution_command(
    query: StudyOptions,
    epochs: Annotated[
        str | None, typer.Option(help="Epochs, by commas; by default four over the training.")
    ] = None,
    classes: Annotated[
        str | None, typer.Option(help="Classes, by commas; by default all, where there are few.")
    ] = None,
    arms: Arms = None,
) -> None:
    """Map the test embeddings of some classes at some epochs of the training (Fig. 5).

    A run that has ended is not trained again, one that was interrupted continues; other classes can
    be mapped without training. Of a split with folds one is trained: name it with --set "fold='1'".
    """
    from tasks.action.evolution import evolution

    plan = query.plan(find_task("action"), "evolution")
    chosen = None if epochs is None else whole_numbers(epochs, "--epochs")
    typer.echo(f"\n{evolution(plan, parts(arms), chosen, parts(classes))}")
