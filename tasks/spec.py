"""The definition of a task, and the registry of tasks.

Commands, training, evaluation, studies, costs and comparisons are written once for all tasks; a
`TaskSpec` provides what differs. A shipped task is a folder with its spec, and one line in
`tasks/shipped.py`; a user's own task is a file that ends in `register(MyTask())` and is loaded
with `aclnet-task --plugin FILE`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from aclnet import progress

if TYPE_CHECKING:
    import typer

    from protocols.embeddings import Embeddings
    from protocols.records import ResultRecord
    from tasks.run.adapter import TaskAdapter
    from tasks.run.judged import Judged
    from tasks.run.queries import BiometricsQuery
    from tasks.settings import TaskSettings


Report = progress.Report
"""A function that takes progress messages, and may show bars (`aclnet.progress`)."""


def silent(message: str) -> None:
    """Discard a progress message."""


class Represented(Protocol):
    """A network's output on the test samples: embeddings, class scores, or a task's own."""

    def save(self, path: Path) -> None:
        """Write it; the file is complete or absent."""


class _Lazy:
    """Imports a class or function on first access."""

    def __init__(self, place: str) -> None:
        self.module, _, self.name = place.partition(":")

    def __get__(self, instance: object, owner: type) -> Any:
        return getattr(import_module(self.module), self.name)


def lazy(place: str) -> Any:
    """Declare an attribute of a spec by its location, such as `tasks.gait.judge:judge`."""
    return _Lazy(place)


class TaskSpec:
    """A task: its name and its parts, given directly or, where they are heavy, with `lazy`.

    Attributes:
        name: name of the task in commands, recipe folders and records.
        help: one sentence for the command line.
        settings: class of its settings; importing it must not load PyTorch.
        adapter: class that selects the training and test samples and runs the network on them.
        judge: function of (tested, settings, query) that needs no network. `tested` is what `read`
            returns; `settings` are the run's, or None if unknown, for the defaults; `query` is of
            class `query`, or None to evaluate everything that the settings name.
        query: frozen dataclass of the options of `eval`, annotated for typer.
        read: function that loads a file written by `Represented.save` or by any other system; it
            also takes a table of labels as second argument, if files may need one.
        has_folds: whether a split may have folds, which are then judged together.
        join: function that joins the outputs of all folds; only needed with `has_folds`.
        eval_help: what the help of `eval` says below its first sentence.
        measuring: as `query`, for `biometrics`; None if the task has no such command.
        measure: function of (what `read` returns, settings, query, embeddings of the development
            people or None, probes by condition that gave no embedding or None) for `biometrics`.
        worst: function of (what `read` returns, settings, count, depth) that returns the worst
            cases (`tasks.commands.show.worst.Case`) for `show`, unless the task has its own, and
            for `report --errors`; without it, or None, there is neither.
        right_score: function of (adapter, network, what `read` returns) that returns how test
            samples are scored (`tasks.joints.right.RightScore`) for `joints`; without it, or None,
            there is no such command.
        recipe: the default recipe; None if a recipe must be given.
        run_prefix: prefix of the default run folder, before the recipe's name.
        saved: file in a run's folder with the network's output on the test samples.
        saved_option: option of `eval` that takes such a file from any system.
        classes_are_people: whether the classes are the training people, whose names are not passed
            on with an exported model.
        measures: metrics in a study's table, the headline metric first; includes its parts.
    """

    name: str
    help: str
    settings: type[TaskSettings]
    adapter: type[TaskAdapter[Any]]
    judge: Callable[[Any, Any, Any], Judged]
    query: type[Any]
    read: Callable[..., Any] = lazy("protocols.embeddings:load_embeddings")
    has_folds: bool = False
    join: Callable[[Sequence[Any]], Any]
    eval_help: str = ""
    measuring: type[BiometricsQuery] | None = None
    measure: Callable[[Any, Any, Any, Embeddings | None, Any], Judged]
    worst: Callable[[Any, Any, int, int], Any]
    right_score: Callable[[Any, Any, Any], Any]
    recipe: str | None = None
    run_prefix: str = ""
    saved: str = "embeddings.npz"
    saved_option: str = "embeddings"
    classes_are_people: bool = True
    measures: tuple[str, ...] = ("rank1",)

    def floor_query(self) -> Any:
        """The query that judges the adapter's `floor`; None judges it as the network's output."""
        return None

    def columns(self, record: ResultRecord) -> list[str]:
        """The metrics of a record that a study's table shows."""
        headline, metrics = self.measures[0], record.metrics
        return [m for m in metrics if m in self.measures or m.startswith(f"{headline}/")]

    def recognises(self, path: Path, labels: Path | None) -> bool:
        """Whether a file from any system is surely of this task, as others read other files."""
        del path, labels
        return False

    def add_commands(self, app: typer.Typer) -> None:
        """Add the commands that only this task has."""

    def run_folder(self, recipe: str) -> Path:
        """The default folder of a recipe's run."""
        return Path("runs") / f"{self.run_prefix}{Path(recipe).with_suffix('').name}"


_REQUIRED = ("help", "settings", "adapter", "judge", "query")

UTILITIES = (
    "data",
    "gallery",
    "runs",
    "compare",
    "report",
    "cost",
    "export",
    "doctor",
    "search",
    "serve",
    "live",
    "submit",
)
"""Commands that are not tasks."""

_REGISTERED: dict[str, TaskSpec] = {}


def register(spec: TaskSpec) -> None:
    """Add a task.

    Raises:
        ValueError: its name is not usable as a command, or is that of another command.
    """
    if not spec.name.replace("-", "_").isidentifier() or spec.name.startswith("-"):
        raise ValueError(f"task {spec.name!r}: use letters, digits, hyphens and underscores only")
    own = {name for one in type(spec).__mro__ for name in vars(one)}
    if missing := [name for name in _REQUIRED if name not in own]:
        raise ValueError(f"task {spec.name!r} has no {missing[0]} (see tasks.spec.TaskSpec)")
    import_module("tasks.shipped")  # its names are taken
    if spec.name in UTILITIES or type(_REGISTERED.get(spec.name, spec)) is not type(spec):
        raise ValueError(f"task {spec.name!r}: there is a command of this name; choose another")
    _REGISTERED[spec.name] = spec


def all_tasks() -> Mapping[str, TaskSpec]:
    """All tasks by name, the shipped ones first."""
    import_module("tasks.shipped")  # registers them on first import
    return dict(_REGISTERED)


def find_task(name: str) -> TaskSpec:
    """Get a task by its name.

    Raises:
        ValueError: there is no such task.
    """
    known = all_tasks()
    if name not in known:
        raise ValueError(
            f"there is no task {name!r}: known are {', '.join(known)}; load your own task with "
            "aclnet-task --plugin FILE"
        )
    return known[name]
