"""The definition of pre-training as a task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from tasks.action.spec import Action
from tasks.spec import TaskSpec, lazy

if TYPE_CHECKING:
    from tasks.pretrain.settings import PretrainSettings


@dataclass(frozen=True)
class PretrainQuery:
    """The options of `pretrain eval`; each of them runs the network again."""

    probe: Annotated[
        Literal["linear", "knn", "retrieval"] | None,
        typer.Option(help="The probe; by default the run's."),
    ] = None
    share: Annotated[
        float | None, typer.Option(help="Share of each class whose labels are used, 0 to 1.")
    ] = None
    data: Annotated[
        Path | None, typer.Option(help="Other data; by default the run's own samples.")
    ] = None

    def asks_network(self, run: Path | None) -> bool:
        """Whether the network of a run, or of any (None), must test again."""
        unsaved = run is not None and not (run / Pretrain.saved).is_file()
        return unsaved or any(option is not None for option in (self.probe, self.share, self.data))

    def changes(self, settings: PretrainSettings) -> Mapping[str, Any]:
        """Overrides of the run's settings."""
        own = settings.probe
        if self.share is not None and not 0 < self.share <= 1:
            raise ValueError(
                f"--share {self.share:g}: give a share of the labels above 0 and at most 1"
            )
        given = {"kind": self.probe, "share": self.share}
        changed = {name: value for name, value in given.items() if value is not None}
        return {"probe": type(own).model_validate(own.model_dump() | changed)}


class Pretrain(Action):
    """Self-supervised pre-training, judged as action recognition."""

    name = "pretrain"
    worst: Any = None
    right_score: Any = None
    help = "Pre-train an encoder without labels, and judge its features."
    settings = lazy("tasks.pretrain.settings:PretrainSettings")
    adapter = lazy("tasks.pretrain.adapter:PretrainAdapter")
    query = PretrainQuery
    run_prefix = "pretrain-"
    recognises = TaskSpec.recognises  # class scores are those of action recognition

    def add_commands(self, app: typer.Typer) -> None:
        """Add the two stages of ActCLR as one command."""
        from tasks.pretrain.commands import add_commands

        add_commands(app)
