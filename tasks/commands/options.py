"""Options that several commands have, and what they become."""

from __future__ import annotations

import inspect
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

if TYPE_CHECKING:
    from protocols.records import ResultRecord
    from tasks.settings import TaskSettings
    from tasks.spec import TaskSpec

RECIPE_HELP = "A recipe: a YAML file, or a shipped one such as gait/casia_b."

Recipe = Annotated[str, typer.Option("--config", "-c", help=RECIPE_HELP)]
Data = Annotated[
    Path | None,
    typer.Option(
        help="A store, or a file or folder that `aclnet-task data convert` reads; "
        "instead of the recipe's data."
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", "-s", help="Change one setting, such as train.seed=1; repeatable."),
]
ReaderOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--option",
        "-o",
        help="An option of the format, such as persons=1 or people=apart; repeatable.",
    ),
]
Cache = Annotated[Path, typer.Option(help="Folder for converted and generated data.")]
TrainedRun = Annotated[Path, typer.Option("--run", "-r", help="A trained run.")]
Overwrite = Annotated[bool, typer.Option(help="Begin anew in a folder with a run.")]
Arms = Annotated[
    str | None,
    typer.Option(
        help="Arms, by commas: ce, ce+inter-fat, ce+inter, ce+intra, acl; by default ce,acl, or "
        "what the recipe trains instead."
    ),
]
Seeds = Annotated[str, typer.Option(help="Seeds, by commas.")]
Results = Annotated[
    Path | None, typer.Option(help="Folder for the records; by default beside the runs.")
]
Runs = Annotated[Path | None, typer.Option(help="Folder of the runs.")]
JsonFile = Annotated[Path | None, typer.Option("--json", help="Also write the record here.")]

STORES = Path("runs/stores")


def parts(text: str | None) -> list[str] | None:
    """What is given by commas; None where nothing is given."""
    return None if text is None else [part.strip() for part in text.split(",") if part.strip()]


def whole_numbers(text: str, option: str) -> list[int]:
    """Whole numbers given by commas.

    Args:
        text: as given.
        option: by which it was given, for the message.

    Raises:
        ValueError: one is no whole number.
    """
    found = parts(text) or []
    if not found or not all(part.isdecimal() for part in found):
        raise ValueError(f"{option} {text!r}: expected whole numbers by commas, such as 0,1,2")
    return [int(part) for part in found]


def reader_options(texts: list[str] | None, reads: Callable[..., Any]) -> dict[str, Any]:
    """Options of a format from NAME=VALUE; a value is read as YAML: 2, true, 0.5, text.

    Args:
        texts: as given.
        reads: what they are passed to, as keywords that it does not name itself.

    Raises:
        ValueError: one is not of that form, or is something else than a format's option.
    """
    import yaml

    taken = inspect.signature(reads).parameters
    options: dict[str, Any] = {}
    for text in texts or []:
        name, sign, value = text.partition("=")
        if not sign or not name.isidentifier():
            raise ValueError(f"--option {text!r}: expected NAME=VALUE, such as persons=1")
        if name in taken:
            raise ValueError(f"--option {text!r}: {name} is no option of a format; see --help")
        try:
            options[name] = yaml.safe_load(value)
        except yaml.YAMLError:
            options[name] = value
    return options


def recipe_settings(
    spec: TaskSpec, config: str, data: Path | None, overrides: Sequence[str] | None
) -> TaskSettings:
    """A recipe's settings with the changes and the data of the command line.

    Raises:
        ValueError: there is no such recipe, a change does not fit it, or it lacks data.
    """
    from aclnet.config import load_settings
    from tasks.recipes import find_recipe
    from tasks.samples.open import require_data

    settings = load_settings(spec.settings, find_recipe(config), list(overrides or []))
    if data is not None:
        named = settings.data.model_copy(update={"path": data})
        settings = settings.model_copy(update={"data": named})
    require_data(settings.data, f"recipe {config}")
    return settings


def study_folder(spec: TaskSpec, runs: Path | None, config: str, kind: str = "study") -> Path:
    """The folder of a study's runs: the one that is named, or beside a single run's default."""
    single = spec.run_folder(config)
    return runs or single.with_name(f"{kind}-{single.name}")


def say(sentence: str) -> None:
    """Report progress, apart from a command's results."""
    Console(stderr=True, highlight=False, markup=False, soft_wrap=True).print(sentence)


def show(record: ResultRecord, text: str, json: Path | None) -> None:
    """Write a record where that is asked for, and print what it says."""
    if json is not None:
        record.write(json)
    typer.echo(text)


def command_line() -> str:
    """The command as it was given."""
    return shlex.join(["aclnet-task", *sys.argv[1:]])
