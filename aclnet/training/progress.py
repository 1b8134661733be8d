"""Progress of a run for people: a bar, and a line an epoch."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack

from aclnet.progress import Bar, Report, counting


class RunProgress:
    """Bar and lines of one run.

    Args:
        report: takes one sentence an epoch, and shows the bar if it can; None: nothing is shown.
        epochs: epochs of the run.
        steps_per_epoch: steps in each.
        done: steps of a resumed run that are done already.
    """

    def __init__(self, report: Report | None, epochs: int, steps_per_epoch: int, done: int) -> None:
        self._report, self._epochs = report, epochs
        self._done, self._total = done, epochs * steps_per_epoch
        self._open = ExitStack()
        self._bar: Bar | None = None

    def step(self, epoch: int, loss: float | None = None) -> None:
        """One step is done.

        Args:
            epoch: 1-based.
            loss: to show; None: keep the last one.
        """
        self._done += 1
        if self._bar is not None:
            what = "" if loss is None else f"epoch {epoch}/{self._epochs}, loss {loss:.4g}"
            self._bar(self._done, self._total, what)

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
        self._bar = self._open.enter_context(counting(self._report, "training"))
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()
