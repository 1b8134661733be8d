"""Query options that several tasks share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from aclnet.config import LARGEST_SEED
from protocols.ranking.distances import Metric
from protocols.ranking.engines import Device

RankingDevice = Annotated[
    Device,
    typer.Option(help="Where to rank; auto: a GPU, if there is one and the gallery is large."),
]


def several_numbers(text: str, kinds: Sequence[type], option: str, example: str) -> list[Any]:
    """Parse comma-separated numbers of the given types.

    Args:
        text: value of the option.
        kinds: type of each number.
        option: name of the option, for the message.
        example: a right value, likewise.

    Raises:
        ValueError: these are not as many numbers, or one that should be is not an integer.
    """
    try:
        return [kind(part) for kind, part in zip(kinds, text.split(","), strict=True)]
    except ValueError:
        raise ValueError(
            f"{option} {text!r}: expected {len(kinds)} comma-separated numbers, such as {example}"
            + ("; numbers of neighbours are integers" if int in kinds else "")
        ) from None


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
        int,
        typer.Option(
            min=0, max=10_000, help="Random draws of the unenrolled people; 0: no open set."
        ),
    ] = 10
    seed: Annotated[
        int,
        typer.Option(
            min=0, max=LARGEST_SEED, help="Seed of these draws, and of gallery takes 'random N'."
        ),
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
