"""Options that several commands have, and what they become."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

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
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts or not all(part.isdecimal() for part in parts):
        raise ValueError(f"--seeds {text!r}: expected whole numbers by commas, such as 0,1,2")
    return [int(part) for part in parts]


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
