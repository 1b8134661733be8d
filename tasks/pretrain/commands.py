"""The command of the two stages of ActCLR."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tasks.commands.options import (
    STORES,
    Cache,
    Data,
    JsonFile,
    Overrides,
    Overwrite,
    Recipe,
    command_line,
    recipe_settings,
    say,
    show,
)
from tasks.spec import find_task


def add_commands(app: typer.Typer) -> None:
    """Add the commands to an app."""
    app.command("actclr")(actclr_command)


def actclr_command(
    config: Recipe,
    data: Data = None,
    run: Annotated[
        Path | None,
        typer.Option(
            "--run",
            "-r",
            help="Folder of the runs stage1 and stage2; by default runs/pretrain-<recipe>.",
        ),
    ] = None,
    stage: Annotated[
        int | None, typer.Option(min=1, max=2, help="One stage only; by default both.")
    ] = None,
    overrides: Overrides = None,
    resume: Annotated[bool, typer.Option(help="Resume what is unfinished.")] = False,
    overwrite: Overwrite = False,
    cache: Cache = STORES,
    json: JsonFile = None,
) -> None:
    """Pre-train by ActCLR: stage 1 (AimCLR), then stage 2 from its weights, and judge each.

    With --stage 2 it begins with the run in stage1, or with that which init_from names; of both
    stages the first begins with the latter.
    """
    spec = find_task("pretrain")
    folder = run or spec.run_folder(config)
    own = list(overrides or [])
    first, second = folder / "stage1", folder / "stage2"
    changes = {1: ["method=aimclr"], 2: ["method=actclr"]}
    given = recipe_settings(spec, config, data, own)
    if given.objective_name not in ("aimclr", "actclr"):
        raise ValueError(
            f"method={given.objective_name} is not a stage of ActCLR, whose stages are aimclr and "
            "actclr: leave it out, or use `aclnet-task pretrain train`"
        )
    named = given.init_from is not None
    if stage is None or not named:
        changes[2].append(f"init_from={first}")
    from tasks.run.judged import RECORD

    if stage == 2 and not (named or resume or (first / RECORD).is_file()):
        raise ValueError(
            f"stage 2 begins with stage 1, and {first} is not a finished run: train it with "
            "--stage 1, or name another run with -s init_from=RUN"
        )
    stages = [one for one in (1, 2) if stage in (None, one)]
    # All settings are read before the first training.
    settings = {one: recipe_settings(spec, config, data, [*own, *changes[one]]) for one in stages}
    from tasks.run.pipeline import train_and_evaluate
    from tasks.run.study import other_settings

    for one in stages:
        place = first if one == 1 else second
        if resume and stage is None and (place / RECORD).is_file():
            for name, old, new in other_settings(place, settings[one]):
                raise ValueError(
                    f"{place} was trained with {name} = {old!r}, not {new!r}: give the same "
                    "settings, or another folder with --run"
                )
            say(f"stage {one} is finished: {place}")
            continue
        say(f"stage {one}: {place}")
        result = train_and_evaluate(
            spec,
            settings[one],
            place,
            cache,
            command=command_line(),
            resume=resume,
            overwrite=overwrite,
            report=say,
        )
        if result is not None:
            show(result.record, f"\n{result.text}\n\neverything is in {place}", json)
