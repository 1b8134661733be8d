"""What sets a task apart, said once, and the list of tasks.

Commands, training, evaluation, studies, costs and comparisons are written once for all tasks and
ask a `TaskSpec` for what differs. A task is a folder with its spec, and one line in
`tasks/shipped.py`; a task of a user's own is a file that ends in `register(MyTask())` and is given
with `aclnet-task --plugin FILE`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import typer

    from protocols.embeddings import Embeddings
    from protocols.records import ResultRecord
    from tasks.run.adapter import TaskAdapter
    from tasks.run.biometrics import Measured
    from tasks.run.judged import Judged
    from tasks.run.queries import BiometricsQuery
    from tasks.settings import TaskSettings


class Represented(Protocol):
    """What a network says of the test samples: embeddings, class scores, or a task's own."""

    def save(self, path: Path) -> None:
        """Write it; the file is whole or absent."""


class _Lazy:
    """A class or function that lies in a heavy module, which is imported when it is asked for."""

    def __init__(self, place: str) -> None:
        self.module, _, self.name = place.partition(":")

    def __get__(self, instance: object, owner: type) -> Any:
        return getattr(import_module(self.module), self.name)


def lazy(place: str) -> Any:
    """A part of a spec by its place, such as `tasks.gait.judge:judge`."""
    return _Lazy(place)


class TaskSpec:
    """A task: what it is called, and its parts, given as they are or as `lazy` places.

    Attributes:
        name: in commands, recipes' folders and records.
        help: what the task does, in one sentence.
        settings: class of its settings; importing it loads no network library.
        adapter: class that says who trains, who is tested, and what the network says of them.
        judge: function of (what was tested, settings, query), no network needed. Settings are the
            run's, or None where nothing is known and the defaults hold; the query is of class
            `query`, or None where a run judges itself, with everything that its settings name.
        query: frozen dataclass of the choices that `eval` offers, each an option of typer's.
        read: function of a path: what `Represented.save` wrote, or anybody's file of that kind.
        has_folds: whether a split may have folds, which are judged together.
        join: function of what the folds of a split say, as if one run had been tested on all of
            them; only asked where there are some.
        measuring: as `query`, of `biometrics`; None: there is no such command.
        measure: function of (embeddings, settings, query, development people's embeddings or None,
            probes by condition that gave no embedding or None).
        recipe: what trains where none is named; None: a recipe must be named.
        run_prefix: before the recipe's name in a run's default folder.
        saved: file in which a run keeps what its network says of the test samples.
        saved_option: the option of `eval` that takes such a file of anybody's.
        measures: metrics that a study shows, the headline first, with its parts.
    """

    name: str
    help: str
    settings: type[TaskSettings]
    adapter: type[TaskAdapter[Any]]
    judge: Callable[[Any, Any, Any], Judged]
    query: type[Any]
    read: Callable[[Path], Any] = lazy("protocols.embeddings:load_embeddings")
    has_folds: bool = False
    join: Callable[[Sequence[Any]], Any]
    measuring: type[BiometricsQuery] | None = None
    measure: Callable[[Embeddings, Any, Any, Embeddings | None, Any], Measured]
    recipe: str | None = None
    run_prefix: str = ""
    saved: str = "embeddings.npz"
    saved_option: str = "embeddings"
    measures: tuple[str, ...] = ("rank1",)

    def columns(self, record: ResultRecord) -> list[str]:
        """The metrics of a record that a study's table shows."""
        headline, metrics = self.measures[0], record.metrics
        return [m for m in metrics if m in self.measures or m.startswith(f"{headline}/")]

    def add_commands(self, app: typer.Typer) -> None:
        """Give the task's part of the command line what only this task has."""

    def run_folder(self, recipe: str) -> Path:
        """The folder of a recipe's run where none is named."""
        return Path("runs") / f"{self.run_prefix}{Path(recipe).with_suffix('').name}"


_REGISTERED: dict[str, TaskSpec] = {}


def register(spec: TaskSpec) -> None:
    """Add a task; one of the same name is replaced.

    Raises:
        ValueError: its name is no name for a command.
    """
    if not spec.name.replace("-", "").isidentifier() or spec.name.startswith("-"):
        raise ValueError(f"task {spec.name!r}: a name has letters, digits and hyphens")
    _REGISTERED[spec.name] = spec


def all_tasks() -> Mapping[str, TaskSpec]:
    """All tasks by name, the shipped ones first."""
    import_module("tasks.shipped")  # registers them, where nobody has
    return dict(_REGISTERED)


def find_task(name: str) -> TaskSpec:
    """The task of a name.

    Raises:
        ValueError: there is none.
    """
    known = all_tasks()
    if name not in known:
        raise ValueError(
            f"there is no task {name!r}: known are {', '.join(known)}; a task of your own is given "
            "with aclnet-task --plugin FILE"
        )
    return known[name]
