"""Commands of action recognition: fusion, prediction, released weights, the paper's studies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer
from rich.console import Console
from rich.table import Table

from tasks.commands.options import (
    STORES,
    Arms,
    Cache,
    Data,
    JsonFile,
    Overrides,
    Overwrite,
    Reading,
    Recipe,
    StudyOptions,
    TrainedRun,
    Unfinished,
    cells,
    command_line,
    echo,
    parts,
    pin_runs,
    reader_options,
    recipe_settings,
    say,
    show,
    whole_numbers,
    with_query,
)
from tasks.spec import find_task

if TYPE_CHECKING:
    from aclnet.runs.model import Prediction
    from tasks.action.settings import ActionSettings

FinishedRuns = Annotated[
    list[Path],
    typer.Option("--run", "-r", help="A finished run; repeat for more seeds.", callback=pin_runs),
]
Compared = Annotated[
    list[Path],
    typer.Option("--run", "-r", help="A finished run, or a record file; repeat for more seeds."),
]
Baselines = Annotated[
    list[Path],
    typer.Option("--baseline", "-b", help="A run to compare with; repeat for more seeds."),
]


Folds = Annotated[
    int, typer.Option(min=2, help="Folds of the training people, each held out once.")
]


def add_commands(app: typer.Typer) -> None:
    """Add the commands to an app."""
    app.command("fuse")(fuse_command)
    app.command("predict")(with_query(predict_command, Reading))
    app.command("calibrate")(calibrate_command)
    app.command("unknown")(with_query(unknown_command, StudyOptions))
    app.command("import-weights")(import_command)
    app.command("occlusion")(occlusion_command)
    app.command("difficulty")(difficulty_command)
    app.command("class-gain")(class_gain_command)
    app.command("families")(families_command)
    app.command("sweep")(with_query(sweep_command, StudyOptions))
    app.command("evolution")(with_query(evolution_command, StudyOptions))


def fuse_command(
    runs: Annotated[
        list[Path],
        typer.Argument(
            help="Finished runs, or scores files; of a study with folds the name without -fold1: "
            "all folds are judged together."
        ),
    ],
    weights: Annotated[
        str | None,
        typer.Option(
            help="A weight per run, comma-separated, or a name such as 4s; default equal."
        ),
    ] = None,
    on: Annotated[
        Literal["probabilities", "logits", "log-probabilities"],
        typer.Option(help="What to add up."),
    ] = "probabilities",
    out: Annotated[Path | None, typer.Option(help="Also save the fused scores (.npz).")] = None,
    json: JsonFile = None,
) -> None:
    """Add up the scores of several runs, sample by sample (matched by key, never by order).

    2s, 4s and 6s are the paper's: streams j,b / j,b,jm,bm / j,b,k,jm,bm,km, in that order, with
    weights 1,1 / 2,2,1,1 / 2,2,2,1,1,1, on probabilities. actclr-ntu60-xsub, actclr-ntu60-xview,
    aimclr-ntu60-xsub, aimclr-ntu60-xview, aimclr-ntu120, aimclr-pku1-xsub, aimclr-pku2-xsub and
    aimclr-pku2-xview are those of pre-training's releases, of j,b,jm on logits; the values with
    equal weights are given too.
    """
    from tasks.action.fuse import fuse_runs

    show(*fuse_runs(runs, weights, on, out, command_line()), json)


def predict_command(
    files: Annotated[list[Path], typer.Argument(help="Skeleton files, folders of them or stores.")],
    run: TrainedRun,
    query: Reading,
    top: Annotated[int, typer.Option(min=1, max=1_000_000, help="Classes to list.")] = 5,
    window: Annotated[
        int | None,
        typer.Option(min=1, max=1_000_000, help="Frames per window; by default four clips' worth."),
    ] = None,
    stride: Annotated[
        int | None,
        typer.Option(
            min=1, max=1_000_000, help="Frames between windows; by default half a window."
        ),
    ] = None,
    persons: Annotated[
        Literal["together", "apart"],
        typer.Option(help="together: one prediction for all persons; apart: one for each."),
    ] = "together",
    false_alarms: Annotated[
        float | None,
        typer.Option(
            help="Answer unknown where only this share of known actions looks as strange, such as "
            "0.05; needs `action calibrate`."
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="Device to compute on, such as cuda.")] = "cpu",
    unfinished: Unfinished = False,
    json: JsonFile = None,
) -> None:
    """Recognise the actions in skeleton files, in windows if they are long.

    The run may be an exported one.
    Files of the run's own data format are read like the run's data (format, layout, options).
    """
    from aclnet.data.left_out import left_out_in_words
    from aclnet.progress import share
    from aclnet.runs.finished import require_finished
    from aclnet.runs.model import load
    from tasks.run.saved import require_task

    require_task(find_task("action"), run, exported=True)
    trained: int | None = None
    of_run: tuple[str, ...] = ()
    if not require_finished(run, unfinished):
        from tasks.run.open import trained_so_far

        state, note = trained_so_far(run)
        trained, of_run = state.epoch - 1, (note,)
        say(note)
    model = load(run, device, unfinished=unfinished)
    arguments: dict[str, Any] = {"window": window, "stride": stride, "persons": persons}
    arguments["false_alarms"] = false_alarms
    arguments |= query.keywords()
    arguments["options"] = reader_options(query.options, model.classify)
    found = {}
    with say.bar("predicting") as progress:
        for number, file in enumerate(files):
            own = share(progress, number, len(files))
            found[file] = model.classify(file, top=top, progress=own, **arguments)
    if json is not None:
        mark = {} if trained is None else {"trained_epochs": trained}
        _write_predictions(json, found, of_run, mark)
    Console().print(_prediction_table(found))
    for file, predictions in found.items():
        for note in predictions[0].notes:
            typer.echo(f"{file}: {note}")
        if left_out := left_out_in_words(predictions[0].left_out):
            echo(f"{file}: left out: {left_out}")


def _prediction_table(found: Mapping[Path, Sequence[Prediction]]) -> Table:
    """One row per prediction; names are shown literally, not as markup."""
    table = Table("file", "sample", "person", "from", "to", "classes")
    for file, predictions in found.items():
        for one in predictions:
            shares = zip(one.classes, one.probabilities, strict=True)
            row = (
                file.name,
                one.sample,
                "all" if one.person is None else str(one.person),
                _time(one.start, one.start_seconds),
                _time(one.end, one.end_seconds),
                "\n".join(
                    [
                        *(["unknown"] if one.unknown else []),
                        *(f"{n} {share:.1%}" for n, share in shares),
                    ]
                ),
            )
            table.add_row(*cells(*row))
    return table


def _time(frame: int, seconds: float | None) -> str:
    return str(frame) if seconds is None else f"{frame} ({seconds:.2f} s)"


def _write_predictions(
    path: Path,
    found: Mapping[Path, Sequence[Prediction]],
    notes: tuple[str, ...],
    mark: Mapping[str, int],
) -> None:
    """Write a list of predictions, each with its file; the JSON file is complete or absent.

    `notes` and `mark` say of each that the run's training is not finished, as a record does.
    """
    from dataclasses import asdict
    from json import dumps

    from protocols.files import write_text

    rows = [
        {"file": str(file), **asdict(one), "notes": (*one.notes, *notes), **mark}
        for file, each in found.items()
        for one in each
    ]
    write_text(path, dumps(rows, indent=1) + "\n")


def calibrate_command(
    run: TrainedRun,
    folds: Folds = 5,
    score: Annotated[
        Literal["probability", "energy", "logit"],
        typer.Option(help="What tells known from unknown actions."),
    ] = "probability",
    runs: Annotated[
        Path | None,
        typer.Option(help="Prefix of the folders of the trainings; by default RUN-held-out."),
    ] = None,
    cache: Cache = STORES,
) -> None:
    """Calibrate a run on its training people, so that it knows what it does not know.

    The recipe is trained again without each fold of the people in turn, and whoever was left out is
    scored. The run keeps its weights; beside them it gets a temperature for its probabilities and
    the scores of known actions, by which `predict --false-alarms` answers "unknown".
    """
    from tasks.action.unknown import calibrate  # imports torch

    place = run.resolve()
    prefix = runs or run.with_name(f"{place.name}-held-out")
    found = calibrate(run, prefix, folds, score, cache, command_line(), say)
    before, after = (f"{100 * error:.1f}" for error in found.error)
    people = f" of {found.people} people" if found.people else ""
    echo(
        f"{run}: calibrated on {len(found.known)} held-out recordings{people}: temperature "
        f"{found.temperature:.2f}, calibration error {before} % before, {after} % after"
    )


def unknown_command(
    query: StudyOptions,
    groups: Annotated[
        int, typer.Option(min=2, help="Groups in which the classes are left out in turn.")
    ] = 5,
    folds: Folds = 5,
    false_alarms: Annotated[
        float, typer.Option(help="Share of known actions that may be called unknown.")
    ] = 0.05,
) -> None:
    """Leave out every class once, and see how often its actions are refused as unknown.

    The threshold and the temperature come from training people who were held out. Finished runs
    are not trained again.
    """
    plan = query.plan(find_task("action"), "unknown")
    from tasks.action.unknown import unknown_study  # imports torch

    with plan.resumable():
        echo(f"\n{unknown_study(plan, groups, folds, false_alarms)}")


def import_command(
    file: Annotated[Path, typer.Argument(help="A released checkpoint (.pth).")],
    run: Annotated[Path, typer.Option("--run", "-r", help="Folder of the run to create.")],
    config: Recipe,
    data: Data = None,
    overrides: Overrides = None,
    overwrite: Overwrite = False,
    cache: Cache = STORES,
    json: JsonFile = None,
) -> None:
    """Create a run from weights that the authors or PYSKL released, and test it."""
    settings = recipe_settings(find_task("action"), config, data, overrides)
    from tasks.action.weights import import_weights  # imports torch

    own = cast("ActionSettings", settings)
    result = import_weights(file, own, run, cache, command_line(), overwrite, say)
    show(result.record, f"\n{result.text}\n\neverything is in {run}", json)


def occlusion_command(
    run: FinishedRuns,
    results: Annotated[Path, typer.Option(help="Folder for the records, one per run.")],
    cache: Cache = STORES,
) -> None:
    """Test trained runs with arms, hands, legs or trunk hidden (Table IX)."""
    from tasks.action.occlusion import occlusion

    echo(occlusion(run, results, cache, command_line(), say))


def difficulty_command(baseline: Baselines, run: Compared, json: JsonFile = None) -> None:
    """Compare mean class accuracies by level of difficulty for the baseline (Table X)."""
    from tasks.action.gain import difficulty

    show(*difficulty(baseline, run, command_line()), json)


def class_gain_command(baseline: Baselines, run: Compared, json: JsonFile = None) -> None:
    """List the classes by their gain over the baseline (Fig. 6)."""
    from tasks.action.gain import class_gain

    show(*class_gain(baseline, run, command_line()), json)


def families_command(
    run: Annotated[Path, typer.Option("--run", "-r", help="A finished run.")],
    json: JsonFile = None,
    cache: Cache = STORES,
) -> None:
    """Show each class's motion family, and how often they are confused (Fig. 3).

    If the run's data can be read, the record also holds a body of each class, for the figure.
    """
    from tasks.action.families import families

    # Only the record holds bodies, so only with --json are the data read.
    folder = None if json is None else cache
    show(*families(run, command_line(), folder, say), json)


def sweep_command(
    query: StudyOptions,
    setting: Annotated[str, typer.Option(help="The setting, such as objective.overlap.")],
    values: Annotated[str, typer.Option(help="Its values, comma-separated.")],
) -> None:
    """Train with each value of one setting, and test which differ (Fig. 4).

    Finished runs are not trained again, interrupted ones are resumed. A split with folds needs one
    of them: --set "fold='1'".
    """
    plan = query.plan(find_task("action"), "sweep")
    from tasks.action.sweep import split_values, sweep  # imports torch

    with plan.resumable():
        echo(f"\n{sweep(plan, setting, split_values(values))}")


def evolution_command(
    query: StudyOptions,
    epochs: Annotated[
        str | None,
        typer.Option(help="Epochs, comma-separated; by default four over the training."),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(help="Classes, comma-separated; by default all, if there are few."),
    ] = None,
    arms: Arms = None,
) -> None:
    """Map the test embeddings of some classes at some epochs of the training (Fig. 5).

    Finished runs are not trained again, interrupted ones are resumed; other classes can be mapped
    without training. A split with folds needs one of them: --set "fold='1'".
    """
    plan = query.plan(find_task("action"), "evolution")
    from tasks.action.evolution import evolution  # imports torch

    chosen = None if epochs is None else whole_numbers(epochs, "--epochs")
    with plan.resumable():
        echo(f"\n{evolution(plan, parts(arms), chosen, parts(classes))}")
