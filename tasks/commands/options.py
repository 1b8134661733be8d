"""Options that several commands share."""

from __future__ import annotations

import inspect
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_type_hints

import typer
from rich.text import Text

from aclnet.foreign.yaml import parse_yaml
from protocols.text import printable_lines
from tasks.commands.terminal import Terminal

if TYPE_CHECKING:
    from protocols.records import ResultRecord
    from tasks.run.study import StudyPlan
    from tasks.settings import TaskSettings
    from tasks.spec import TaskSpec

RECIPE_HELP = "A recipe: a YAML file, or a shipped one such as gait/casia_b."

Recipe = Annotated[str, typer.Option("--config", "-c", help=RECIPE_HELP)]
Data = Annotated[
    Path | None,
    typer.Option(
        help="A store, or a file or folder that `aclnet-task data convert` reads; "
        "replaces the recipe's data."
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
Format = Annotated[str | None, typer.Option(help="Format of the files; by default detected.")]
Layout = Annotated[str | None, typer.Option(help="Joints of the files, if they do not name them.")]
Labels = Annotated[
    Path | None,
    typer.Option(
        help="Table (CSV or Parquet) of the labels of an .npy, one row per sample, or of scores, "
        "by sample."
    ),
]
Cache = Annotated[Path, typer.Option(help="Folder for converted and generated data.")]
Unfinished = Annotated[
    bool,
    typer.Option("--unfinished", help="Also take a run whose training is not finished, as it is."),
]
Overwrite = Annotated[bool, typer.Option(help="Delete the run in the folder and start again.")]
Arms = Annotated[
    str | None,
    typer.Option(
        help="Arms, comma-separated: ce, ce+inter-fat, ce+inter, ce+intra, acl, pairwise, supcon, "
        "triplet; with backbones that suit them fr_head, skeleton_gcl; acl=0.3 gives its terms "
        "this weight. By default ce,acl, or the recipe's own objective."
    ),
]


def only_json(path: Path | None) -> Path | None:
    """Refuse to write over a file of another kind, such as a gallery given by mistake.

    Raises:
        ValueError: there is one, or it is standard output, which has the result in words.
    """
    if path == Path("-"):
        raise ValueError("--json -: give a file, as standard output has the result in words")
    if path is not None and path.is_file():
        with path.open("rb") as file:
            start = file.read(64).lstrip()[:1]
        if start not in (b"", b"{", b"["):
            raise ValueError(
                f"{path} is not a JSON file and would be overwritten: give --json another file"
            )
    return path


JsonFile = Annotated[
    Path | None,
    typer.Option("--json", help="Also write the result here as JSON.", callback=only_json),
]

STORES = Path("runs/stores")


def parts(text: str | None) -> list[str] | None:
    """Split a comma-separated option; None if it is not given."""
    return None if text is None else [part.strip() for part in text.split(",") if part.strip()]


def whole_numbers(text: str, option: str) -> list[int]:
    """Parse comma-separated non-negative integers.

    Args:
        text: value of the option.
        option: name of the option, for the message.

    Raises:
        ValueError: a part is not such an integer, or there is none.
    """
    found = parts(text) or []
    if not found or not all(part.isdecimal() for part in found):
        raise ValueError(f"{option} {text!r}: expected comma-separated integers, such as 0,1,2")
    return [int(part) for part in found]


def reader_options(texts: list[str] | None, reads: Callable[..., Any]) -> dict[str, Any]:
    """Parse NAME=VALUE options of a format; values are read as YAML: 2, true, 0.5, text.

    Args:
        texts: values of the option.
        reads: function that takes them as extra keywords.

    Raises:
        ValueError: an option is not of that form, or is a named parameter of `reads` and an
            option of no format.
    """
    from aclnet.data.formats import READERS
    from aclnet.data.formats import reader_options as known

    taken = inspect.signature(reads).parameters
    options: dict[str, Any] = {}
    for text in texts or []:
        name, sign, value = text.partition("=")
        if not sign or not name.isidentifier():
            raise ValueError(f"--option {text!r}: expected NAME=VALUE, such as persons=1")
        if name in taken and not any(name in known(reader) for reader in READERS):
            raise ValueError(f"--option {text!r}: {name} is not an option of a format; see --help")
        try:
            options[name] = parse_yaml(value, text)
        except ValueError:
            options[name] = value
    return options


def pin_recipe(spec: TaskSpec, config: str, overrides: Sequence[str] | None) -> None:
    """Pin the instruction set that a recipe names; to be called before torch is imported.

    Raises:
        ValueError: it cannot be pinned, or the settings are wrong.
    """
    from aclnet.config import load_settings
    from aclnet.training.machine.instructions import pin_instructions
    from tasks.recipes import find_recipe

    # Light: reading an encoder's settings would import torch.
    light = load_settings(spec.settings, find_recipe(config), list(overrides or []), light=True)
    pin_instructions(light.train.instruction_set)


def pin_run(run: Path | None) -> Path | None:
    """Pin the instruction set of a run's training, for the option that names the run."""
    from aclnet.config import read_mapping
    from aclnet.runs.info import SETTINGS
    from aclnet.training.machine.instructions import pin_instructions

    if run is not None and (run / SETTINGS).is_file():
        train = read_mapping(run / SETTINGS).get("train")
        try:
            pin_instructions(train.get("instruction_set") if isinstance(train, dict) else None)
        except ValueError as error:  # its results are worth having without the last digits
            say(f"{run} was trained with a pinned instruction set: {error}")
    return run


def pin_runs(runs: list[Path]) -> list[Path]:
    """As `pin_run`, for an option that may be repeated."""
    for run in runs:
        pin_run(run)
    return runs


TrainedRun = Annotated[Path, typer.Option("--run", "-r", help="A trained run.", callback=pin_run)]


def recipe_settings(
    spec: TaskSpec,
    config: str,
    data: Path | None,
    overrides: Sequence[str] | None,
    known: str | None = None,
) -> TaskSettings:
    """Load a recipe's settings with the overrides and the data of the command line.

    The instruction set that they name is pinned.

    Args:
        spec: the task.
        config: name or file of the recipe.
        data: the data; by default those that the recipe or an override names.
        overrides: such as `train.seed=1`.
        known: data to use where nothing names any.

    Raises:
        ValueError: there is no such recipe, an override does not fit it, or it lacks data.
    """
    from aclnet.config import load_settings
    from tasks.recipes import find_recipe
    from tasks.samples.open import require_data

    pin_recipe(spec, config, overrides)
    settings = load_settings(spec.settings, find_recipe(config), list(overrides or []))
    if data is None and known is not None and settings.data.path is None:
        data = Path(known)
    if data is not None:
        changed = settings.data.model_copy(update={"path": data})
        settings = settings.model_copy(update={"data": changed})
    require_data(settings.data, f"recipe {config}")
    return settings


@dataclass(frozen=True)
class Reading:
    """The options of commands that give files to a trained model."""

    format: Format = None
    layout: Layout = None
    fps: Annotated[float | None, typer.Option(help="Frames per second of the recordings.")] = None
    options: ReaderOptions = None
    prepare: Annotated[
        Literal["none", "main_person"] | None, typer.Option(help="By default as the run's data.")
    ] = None

    def keywords(self) -> dict[str, Any]:
        """What was given of the options that all formats have."""
        named = ("format", "layout", "fps", "prepare")
        values = {name: getattr(self, name) for name in named}
        return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True)
class StudyOptions:
    """The options of commands that train several runs of one recipe."""

    config: Annotated[str | None, typer.Option("--config", "-c", help=RECIPE_HELP)] = None
    data: Data = None
    seeds: Annotated[str, typer.Option(help="Seeds, comma-separated.")] = "0"
    results: Annotated[
        Path | None, typer.Option(help="Folder for the records; by default that of the runs.")
    ] = None
    runs: Annotated[Path | None, typer.Option(help="Folder for the runs.")] = None
    overrides: Overrides = None
    cache: Cache = STORES

    def plan(self, spec: TaskSpec, kind: str = "study") -> StudyPlan:
        """Build the study's plan.

        Args:
            spec: the task.
            kind: kind of study, which names its default folder.

        Raises:
            ValueError: no recipe is given and the task has no default one, or a seed is not an
                integer.
        """
        config = self.config or spec.recipe
        if config is None:
            raise ValueError("give a recipe with --config")
        pin_recipe(spec, config, self.overrides)
        from tasks.run.study import StudyPlan  # imports torch

        single = spec.run_folder(config)
        runs = self.runs or single.with_name(f"{kind}-{single.name}")
        return StudyPlan(
            spec,
            lambda more: recipe_settings(spec, config, self.data, [*(self.overrides or []), *more]),
            whole_numbers(self.seeds, "--seeds"),
            runs,
            self.results or runs,
            self.cache,
            command_line(),
            say,
        )


def with_query(command: Callable[..., None], query: type[Any]) -> Callable[..., None]:
    """Add the fields of a dataclass to the options of a command.

    Args:
        command: function with a parameter `query`, which gets an instance of the dataclass.
        query: frozen dataclass whose fields are annotated as options.
    """
    hints = get_type_hints(query, include_extras=True)
    fields = inspect.signature(query).parameters.values()
    options = [field.replace(annotation=hints[field.name]) for field in fields]

    def run(**values: Any) -> None:
        chosen = {option.name: values.pop(option.name) for option in options}
        command(query=query(**chosen), **values)

    own = inspect.signature(command, eval_str=True).parameters.values()
    signature = inspect.Signature(
        [
            option.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            for option in [*(one for one in own if one.name != "query"), *options]
        ]
    )
    # Typer reads a command's options from its signature.
    run.__signature__ = signature  # type: ignore[attr-defined]
    run.__annotations__ = {name: one.annotation for name, one in signature.parameters.items()}
    run.__doc__ = command.__doc__
    return run


say = Terminal()
"""Prints progress messages and bars to stderr, apart from the command's results."""


def echo(text: str) -> None:
    """Print a result to stdout; names in it from files may hold anything."""
    typer.echo(printable_lines(text))


def cells(*texts: str) -> Iterator[Text]:
    """The cells of a table's row; names in them from files may hold anything."""
    return (Text(printable_lines(text)) for text in texts)


def show(record: ResultRecord, text: str, json: Path | None) -> None:
    """Print a result and what was left out, and write its record if a file is given."""
    from tasks.samples.left_out import left_out_of

    if json is not None:
        record.write(json)
    left_out = left_out_of(record.counts)
    echo(f"{text}\n{left_out}" if left_out else text)


def command_line() -> str:
    """The command as the user typed it."""
    return shlex.join(["aclnet-task", *sys.argv[1:]])
