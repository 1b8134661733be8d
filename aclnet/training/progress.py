"""Progress of a run for people: a bar on a terminal, and a line an epoch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

Report = Callable[[str], None]


class RunProgress:
    """Bar (on the error stream, if that is a terminal) and lines of one run.

    Args:
        report: takes one sentence an epoch; None: nothing is shown at all.
        epochs: epochs of the run.
        steps_per_epoch: steps in each.
        done: steps of a resumed run that are done already.
    """

    def __init__(self, report: Report | None, epochs: int, steps_per_epoch: int, done: int) -> None:
        self._report, self._epochs = report, epochs
        console = Console(stderr=True)
        self._bar: Progress | None = None
        if report is not None and console.is_terminal:
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                console=console,
                transient=True,
            )
            self._row = self._bar.add_task(
                "training", total=epochs * steps_per_epoch, completed=done
            )

    def step(self, epoch: int, loss: float | None = None) -> None:
        """One step is done.

        Args:
            epoch: 1-based.
            loss: to show; None: keep the last one.
        """
        if self._bar is None:
            return
        self._bar.advance(self._row)
        if loss is not None:
            self._bar.update(
                self._row, description=f"epoch {epoch}/{self._epochs}, loss {loss:.4g}"
            )

    def epoch(self, epoch: int, metrics: Mapping[str, float], seconds: float) -> None:
        """One epoch is done.

        Args:
            epoch: 1-based.
            metrics: its values by name.
            seconds: since the start of the run.
        """
        if self._report is not None:
            shown = ", ".join(f"{name} {value:.4g}" for name, value in metrics.items())
            self._report(f"epoch {epoch}/{self._epochs}: {shown} ({seconds:.0f} s)")

    def __enter__(self) -> RunProgress:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            with suppress(OSError):  # after a hang-up there is no terminal
                self._bar.stop()
