"""What sets action recognition apart."""

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
    """What `action eval` may choose; with any of it the network is asked again."""

    data: Annotated[
        Path | None, typer.Option(help="Other data; by default the run's own test samples.")
    ] = None
    clips: Annotated[int | None, typer.Option(min=1, help="Test clips of each sample.")] = None

    def asks_network(self, run: Path) -> bool:
        """Whether the run's network is asked again, and not only what it has said."""
        return self.data is not None or self.clips is not None or not (run / Action.saved).is_file()

    def changes(self, settings: ActionSettings) -> Mapping[str, Any]:
        """The settings that replace the run's."""
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
    query = ActionQuery
    read = lazy("protocols.action.scores:load_class_scores")
    has_folds = True
    join = lazy("tasks.action.judge:pooled")
    saved = "scores.npz"
    saved_option = "scores"
    measures = ("top1", "mean_class")

    def add_commands(self, app: typer.Typer) -> None:
        """Fusion, prediction, released weights, and the paper's studies."""
        from tasks.action.commands import add_commands

        add_commands(app)
