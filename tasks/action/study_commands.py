"""`aclnet-task action`: the paper's studies (Tables IX and X, Figures 3 to 6)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tasks.commands.options import (
    RECIPE_HELP,
    Cache,
    Data,
    JsonFile,
    Overrides,
    Results,
    Runs,
    Seeds,
    command_line,
    default_folder,
    recipe_settings,
    say,
    seed_numbers,
    study_folder,
    whole_numbers,
)

if TYPE_CHECKING:
    from protocols.records import ResultRecord

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


def add_study_commands(app: typer.Typer) -> None:
    """Give an app the studies as commands."""
    app.command("occlusion")(occlusion_command)
    app.command("difficulty")(difficulty_command)
    app.command("class-gain")(class_gain_command)
    app.command("families")(families_command)
    app.command("sweep")(sweep_command)
    app.command("evolution")(evolution_command)


def occlusion_command(
    run: EndedRuns,
    results: Annotated[Path, typer.Option(help="Folder for the records, one a run.")],
    cache: Cache = Path("runs/stores"),
) -> None:
    """Test trained runs with arms, hands, legs or trunk hidden (Table IX)."""
    from tasks.action.studies import occlusion

    _, text = occlusion(run, results, cache, command_line(), say)
    typer.echo(text)


def difficulty_command(baseline: Baselines, run: Compared, json: JsonFile = None) -> None:
    """Compare mean class accuracies by level of difficulty for the baseline (Table X)."""
    from tasks.action.gain import difficulty

    _show(*difficulty(baseline, run, command_line()), json)


def class_gain_command(baseline: Baselines, run: Compared, json: JsonFile = None) -> None:
    """List the classes by what they gain over the baseline (Fig. 6)."""
    from tasks.action.gain import class_gain

    _show(*class_gain(baseline, run, command_line()), json)


def families_command(
    run: Annotated[Path, typer.Option("--run", "-r", help="A run that has ended.")],
    json: JsonFile = None,
    cache: Cache = Path("runs/stores"),
) -> None:
    """Show each class's motion family, and how often they are mistaken for it (Fig. 3).

    With the run's data the record also holds a body of each class, for the picture.
    """
    from tasks.action.studies import families

    # Bodies take a look at the data, which the table has no need of.
    _show(*families(run, command_line(), None if json is None else cache, say), json)


def sweep_command(
    config: Annotated[str, typer.Option("--config", "-c", help=RECIPE_HELP)],
    setting: Annotated[str, typer.Option(help="The setting, such as objective.overlap.")],
    values: Annotated[str, typer.Option(help="Its values, by commas.")],
    data: Data = None,
    seeds: Seeds = "0",
    results: Results = None,
    runs: Runs = None,
    overrides: Overrides = None,
    cache: Cache = Path("runs/stores"),
) -> None:
    """Train with each value of one setting, and say which differ (Fig. 4).

    A run that has ended is not trained again, one that was interrupted goes on. Of a split with
    folds one is trained: name it with --set "fold='1'".
    """
    from tasks.action.adapter import ActionSettings
    from tasks.action.sweep import split_values, sweep

    folder = study_folder(runs, default_folder(config), "sweep")
    text = sweep(
        lambda more: recipe_settings(ActionSettings, config, data, [*(overrides or []), *more]),
        setting,
        split_values(values),
        seeds=seed_numbers(seeds),
        runs=folder,
        results=results or folder,
        cache=cache,
        command=command_line(),
        report=say,
    )
    typer.echo(f"\n{text}")


def evolution_command(
    config: Annotated[str, typer.Option("--config", "-c", help=RECIPE_HELP)],
    data: Data = None,
    epochs: Annotated[
        str | None, typer.Option(help="Epochs, by commas; by default four over the training.")
    ] = None,
    classes: Annotated[
        str | None, typer.Option(help="Classes, by commas; by default all, where there are few.")
    ] = None,
    arms: Annotated[
        str, typer.Option(help="Any of ce, ce+inter-fat, ce+inter, ce+intra, acl, by commas.")
    ] = "ce,acl",
    seeds: Seeds = "0",
    results: Results = None,
    runs: Runs = None,
    overrides: Overrides = None,
    cache: Cache = Path("runs/stores"),
) -> None:
    """Map the test embeddings of some classes at some epochs of the training (Fig. 5).

    A run that has ended is not trained again, one that was interrupted goes on; other classes can
    be mapped without training. Of a split with folds one is trained: name it with --set "fold='1'".
    """
    from tasks.action.adapter import ActionSettings
    from tasks.action.evolution import evolution

    folder = study_folder(runs, default_folder(config), "evolution")
    text = evolution(
        lambda more: recipe_settings(ActionSettings, config, data, [*(overrides or []), *more]),
        arms=[name.strip() for name in arms.split(",")],
        seeds=seed_numbers(seeds),
        epochs=None if epochs is None else whole_numbers(epochs, "--epochs"),
        classes=None if classes is None else [name.strip() for name in classes.split(",")],
        runs=folder,
        results=results or folder,
        cache=cache,
        command=command_line(),
        report=say,
    )
    typer.echo(f"\n{text}")


def _show(record: ResultRecord, text: str, json: Path | None) -> None:
    if json is not None:
        record.write(json)
    typer.echo(text)
