"""Options that several commands have, and what they become."""

from __future__ import annotations

import inspect
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol, TypeVar

import typer
from rich.console import Console

if TYPE_CHECKING:
    from protocols.embeddings import Embeddings
    from protocols.records import ResultRecord
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
RunFolder = Annotated[
    Path | None,
    typer.Option(
        # torchrun takes --run for an abbreviation of its own options, and refuses it.
        "--run",
        "-r",
        help="The run's folder; by default runs/<recipe> (re-ID: runs/reid-<recipe>). Under "
        "torchrun write -r.",
    ),
]
Resume = Annotated[bool, typer.Option(help="Go on from the folder's checkpoint.")]
Overwrite = Annotated[bool, typer.Option(help="Begin anew in a folder with a run.")]
TrainedRun = Annotated[Path, typer.Option("--run", "-r", help="A trained run.")]
EmbeddingsOut = Annotated[Path, typer.Option("--out", help="The .npz to write.")]
Seeds = Annotated[str, typer.Option(help="Seeds, by commas.")]
Results = Annotated[
    Path | None, typer.Option(help="Folder for the records; by default beside the runs.")
]
Runs = Annotated[Path | None, typer.Option(help="Folder of the runs.")]
JsonFile = Annotated[Path | None, typer.Option("--json", help="Also write the record here.")]


class Outcome(Protocol):
    """What a command that trains gives back."""

    @property
    def record(self) -> ResultRecord:
        """Its record."""

    @property
    def text(self) -> str:
        """Its tables."""


def own_recipe(config: str | None, folder: Path, resume: bool) -> str | None:
    """The recipe that was named or, to go on with a run, that run's own; None where there is none.

    Args:
        config: the recipe of the command line.
        folder: the run's.
        resume: whether to go on.
    """
    from tasks.run.folder import SETTINGS

    if config is None and resume and (folder / SETTINGS).is_file():
        return str(folder / SETTINGS)
    return config


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
    from tasks.recipes import find_recipe
    from tasks.samples.open import require_data

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


def study_folder(runs: Path | None, default: Path, kind: str = "study") -> Path:
    """The folder of a study's runs: the one that is named, or beside a single run's default."""
    return runs or default.with_name(f"{kind}-{default.name}")


def say_result(
    result: Outcome | None, json: Path | None, folder: Path, again: str | None = None
) -> None:
    """Write a run's record and say what it found; nothing on ranks that have no result.

    Args:
        result: what the run found.
        json: where the record goes besides.
        folder: the run's.
        again: the command that evaluates it without the network.
    """
    if result is None:
        return
    if json is not None:
        result.record.write(json)
    typer.echo(f"\n{result.text}\n")
    cheaper = "" if again is None else f"; again without the network: {again} --run {folder}"
    typer.echo(f"everything is in {folder}{cheaper}")


def write_embeddings(embed: Callable[[], Embeddings], out: Path) -> None:
    """Embed, save and say how many.

    Raises:
        ValueError: the name does not end in .npz (said before the work, not after it).
    """
    if out.suffix != ".npz":
        raise ValueError(f"--out {out}: embeddings are written as .npz, so the name must end so")
    embedded = embed()
    embedded.save(out)
    typer.echo(f"{len(embedded)} embeddings of {embedded.embedding.shape[1]} numbers in {out}")
