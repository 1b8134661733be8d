"""Options that several commands have, and what they become."""

from __future__ import annotations

import dataclasses
import inspect
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer
from rich.console import Console

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


@dataclass(frozen=True)
class StudyOptions:
    """The options of commands that make several runs of one recipe."""

    config: Annotated[str | None, typer.Option("--config", "-c", help=RECIPE_HELP)] = None
    data: Data = None
    seeds: Annotated[str, typer.Option(help="Seeds, by commas.")] = "0"
    results: Annotated[
        Path | None, typer.Option(help="Folder for the records; by default beside the runs.")
    ] = None
    runs: Annotated[Path | None, typer.Option(help="Folder of the runs.")] = None
    overrides: Overrides = None
    cache: Cache = STORES

    def plan(self, spec: TaskSpec, kind: str = "study") -> StudyPlan:
        """What they ask for.

        Args:
            spec: the task.
            kind: of the study, for the name of its default folder.

        Raises:
            ValueError: no recipe is named, and the task has none of its own; or a seed is no
                number.
        """
        from tasks.run.study import StudyPlan

        config = self.config or spec.recipe
        if config is None:
            raise ValueError("name a recipe with --config")
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
    """A command whose options are its own and the fields of a dataclass, which it gets as `query`.

    Args:
        command: a function with evaluated annotations and a parameter `query`.
        query: a frozen dataclass whose fields are options.
    """
    own = inspect.signature(command, eval_str=True).parameters
    hints = get_type_hints(query, include_extras=True)
    asked = [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=field.default,
            annotation=hints[field.name],
        )
        for field in dataclasses.fields(query)
    ]

    def run(**given: Any) -> None:
        chosen = {one.name: given.pop(one.name) for one in asked}
        command(query=query(**chosen), **given)

    first = [
        one.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for one in own.values()
        if one.name != "query"
    ]
    # Typer reads a command's options from its signature.
    signature = inspect.Signature([*first, *asked])
    run.__signature__ = signature  # type: ignore[attr-defined]
    run.__annotations__ = {name: one.annotation for name, one in signature.parameters.items()}
    run.__doc__ = command.__doc__
    return run


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
