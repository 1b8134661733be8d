"""The definition of action recognition as a task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tasks.spec import TaskSpec, lazy

if TYPE_CHECKING:
    from tasks.action.settings import ActionSettings


@dataclass(frozen=True)
class ActionQuery:
    """The options of `action eval`; each of them runs the network again."""

    data: Annotated[
        Path | None, typer.Option(help="Other data; by default the run's own test samples.")
    ] = None
    clips: Annotated[int | None, typer.Option(min=1, max=1_000, help="Test clips per sample.")] = (
        None
    )

    def asks_network(self, run: Path | None) -> bool:
        """Whether the network of a run, or of any (None), must test again."""
        unsaved = run is not None and not (run / Action.saved).is_file()
        return self.data is not None or self.clips is not None or unsaved

    def changes(self, settings: ActionSettings) -> Mapping[str, Any]:
        """Overrides of the run's settings."""
        if self.clips is None:
            return {}
        return {"test": settings.test.model_copy(update={"clips": self.clips})}


class Action(TaskSpec):
    """Action recognition."""

    name = "action"
    help = "Recognise what people do."
    settings = lazy("tasks.action.settings:ActionSettings")
    adapter = lazy("tasks.action.adapter:ActionAdapter")
    judge = lazy("tasks.action.judge:judge")
    query: type[Any] = ActionQuery
    read = lazy("protocols.action.scores:load_class_scores")
    worst = lazy("tasks.action.worst:worst")
    right_score = lazy("tasks.action.joints:right_score")
    has_folds = True
    join = lazy("tasks.action.judge:pooled")
    saved = "scores.npz"
    saved_option = "scores"
    classes_are_people = False
    measures = ("top1", "mean_class")

    def recognises(self, path: Path, labels: Path | None) -> bool:
        """Whether it holds class scores."""
        from protocols.action.scores import holds_class_scores

        return holds_class_scores(path, labels)

    def add_commands(self, app: typer.Typer) -> None:
        """Add fusion, prediction, released weights, and the paper's studies."""
        from tasks.action.commands import add_commands

        add_commands(app)
