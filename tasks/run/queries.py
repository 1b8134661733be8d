"""Query options that several tasks share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from protocols.ranking.distances import Metric


@dataclass(frozen=True)
class BiometricsQuery:
    """The options of `biometrics`; None: those of the run's settings, or the defaults."""

    protocol: Annotated[
        str | None, typer.Option(help="Name or file of the protocol; by default the run's.")
    ] = None
    development: Annotated[
        Path | None, typer.Option(help="Embeddings of other people, to choose thresholds on.")
    ] = None
    development_run: Annotated[
        bool,
        typer.Option(
            help="Embed the run's validation people to choose thresholds on, if no file is given."
        ),
    ] = True
    fmr: Annotated[str, typer.Option(help="False match rates, comma-separated.")] = "0.1,0.01,0.001"
    metric: Annotated[Metric, typer.Option(help="How embeddings are compared.")] = "cosine"
    rotations: Annotated[
        int, typer.Option(min=0, help="Random draws of the unenrolled people; 0: no open set.")
    ] = 10
    seed: Annotated[
        int, typer.Option(min=0, help="Seed of these draws, and of gallery takes 'random N'.")
    ] = 0

    def __post_init__(self) -> None:
        """Check the rates before anything is read."""
        _ = self.targets

    @property
    def targets(self) -> tuple[float, ...]:
        """The false match rates.

        Raises:
            ValueError: one is not a number above 0 and at most 1.
        """
        try:
            found = tuple(float(part) for part in self.fmr.split(",") if part.strip())
        except ValueError:
            found = ()
        if not found or not all(0.0 < rate <= 1.0 for rate in found):
            raise ValueError(
                f"--fmr {self.fmr!r}: expected comma-separated rates above 0 and at most 1, such "
                "as 0.01,0.001"
            )
        return found

    def choices(self) -> dict[str, Any]:
        """The options as plain values, for a record."""
        return {
            "metric": self.metric,
            "fmr": list(self.targets),
            "rotations": self.rotations,
            "seed": self.seed,
        }
