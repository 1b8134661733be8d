"""Options that several commands have, and what they become."""

from __future__ import annotations

import inspect
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.console import Console

if TYPE_CHECKING:
    from tasks.settings import TaskSettings

SettingsT = TypeVar("SettingsT", bound="TaskSettings")

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
JsonFile = Annotated[Path | None, typer.Option("--json", help="Also write the record here.")]


def default_folder(config: str) -> Path:
    """The folder of a recipe's run where none is named."""
    return Path("runs") / Path(config).with_suffix("").name


def seed_numbers(text: str) -> list[int]:
    """Seeds given by commas.

    Raises:
        ValueError: one is no whole number.
    """
    return whole_numbers(text, "--seeds")


def whole_numbers(text: str, option: str) -> list[int]:
    """Whole numbers given by commas.

    Args:
        text: as given.
        option: by which it was given, for the message.

    Raises:
        ValueError: one is no whole number.
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts or not all(part.isdecimal() for part in parts):
        raise ValueError(f"{option} {text!r}: expected whole numbers by commas, such as 0,1,2")
    return [int(part) for part in parts]


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


def numbers(text: str | None, count: int, option: str, example: str) -> list[float] | None:
    """So many numbers given by commas; None where nothing is given.

    Raises:
        ValueError: it is another count, or one is no number.
    """
    if text is None:
        return None
    try:
        found = [float(part) for part in text.split(",")]
    except ValueError:
        found = []
    if len(found) != count:
        raise ValueError(f"{option} {text!r}: expected {count} numbers by commas, as {example}")
    return found


def recipe_settings(
    settings_class: type[SettingsT], config: str, data: Path | None, overrides: list[str] | None
) -> SettingsT:
    """A recipe's settings with the changes and the data of the command line.

    Raises:
        ValueError: there is no such recipe, a change does not fit it, or it lacks data.
    """
    from aclnet.config import load_settings
    from tasks.data_sources import require_data
    from tasks.recipes import find_recipe

    settings = load_settings(settings_class, find_recipe(config), overrides or [])
    if data is not None:
        named = settings.data.model_copy(update={"path": data})
        settings = settings.model_copy(update={"data": named})
    require_data(settings.data, f"recipe {config}")
    return settings


def say(sentence: str) -> None:
    """Report progress, apart from a command's results."""
    Console(stderr=True, highlight=False, markup=False, soft_wrap=True).print(sentence)


def command_line() -> str:
    """The command as it was given."""
    return shlex.join(["aclnet-task", *sys.argv[1:]])
