"""Biometric measures of saved embeddings: what gait and re-identification share.

A threshold that was chosen on the tested people tells too good a story, so that it comes from
other people: those who watched the run's training, embedded by its network, or a file's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from protocols.biometrics.evaluate import TARGETS
from protocols.embeddings import Embeddings, load_embeddings
from protocols.ranking.distances import Metric
from protocols.records import BIOMETRICS, DatasetReference, ResultRecord
from protocols.statistics.intervals import wilson_interval
from tasks.run.embeddings import FOREIGN, embeddings_dataset
from tasks.run.environment import describe_environment
from tasks.run.records import read_record

LEAST_PEOPLE = 2
"""Fewer people make no impostor comparison."""


@dataclass(frozen=True)
class BiometricsQuery:
    """What to measure, and how; None where the run's settings, or the defaults, hold.

    Attributes:
        protocol: name or file of the protocol.
        metric: cosine or euclidean.
        targets: false match rates wanted.
        development: embeddings of other people, to choose thresholds on.
        own_development: whether a run's validation people are embedded for that, where no file is
            given.
        rotations: draws of who stays unenrolled.
        seed: draws them, and gallery takes under `random N`.
        rule: what a re-identification probe may not see.
    """

    protocol: str | None = None
    metric: Metric = "cosine"
    targets: tuple[float, ...] = TARGETS
    development: Path | None = None
    own_development: bool = True
    rotations: int = 10
    seed: int = 0
    rule: str | None = None

    def asked(self) -> dict[str, Any]:
        """The choices as plain values, for a record."""
        return {
            "metric": self.metric,
            "fmr": list(self.targets),
            "rotations": self.rotations,
            "seed": self.seed,
        }


@dataclass(frozen=True)
class Development:
    """People on whom thresholds are chosen.

    Attributes:
        embeddings: of theirs; None where there are no such people.
        source: what they are, for the record.
        note: a sentence on them.
    """

    embeddings: Embeddings | None
    source: str | None
    note: str


@dataclass(frozen=True)
class Origin:
    """Where the tested embeddings come from, as a record says it.

    Attributes:
        dataset: what they were made of.
        objective: of their network, or `embeddings`.
        stream: of their network.
        seed: of their run.
        settings: of their run.
        counts: of their run.
        seconds: of its training.
        notes: sentences on them.
    """

    dataset: DatasetReference
    objective: str = "embeddings"
    stream: str = ""
    seed: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    notes: tuple[str, ...] = ()

    @classmethod
    def of_run(cls, run: Path) -> Origin:
        """What a run's record tells.

        Raises:
            ValueError: the run has none yet, or it is damaged.
        """
        before = read_record(run)
        kept = ("train", "validation", "test", "dropped_")
        return cls(
            dataset=before.dataset,
            objective=before.objective,
            stream=before.stream,
            seed=before.seed,
            settings=before.settings,
            counts={name: n for name, n in before.counts.items() if name.startswith(kept)},
            seconds=before.seconds,
        )

    @classmethod
    def of_file(cls, path: Path) -> Origin:
        """What is known of a file of embeddings."""
        dataset, known = embeddings_dataset(path)
        return cls(dataset, notes=() if known else (FOREIGN,))


@dataclass(frozen=True)
class Measured:
    """Figures on their way into a record.

    Attributes:
        protocol: name of the protocol.
        metrics: by name.
        intervals: by name.
        counts: by name.
        notes: sentences.
        cells: curves and tables.
    """

    protocol: str
    metrics: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    counts: Mapping[str, int]
    notes: tuple[str, ...]
    cells: dict[str, Any]


def file_development(path: Path) -> Development:
    """Development people from a file of embeddings.

    Raises:
        ValueError: the file cannot be read.
    """
    note = f"Thresholds under from_development were chosen on the people of {path.name}."
    return Development(load_embeddings(path), path.name, note)


def no_development(why: str) -> Development:
    """No development people; `why` begins the note."""
    note = f"{why}, so that no threshold comes from other people: see --development FILE."
    return Development(None, None, note)


def validation_development(embeddings: Embeddings) -> Development:
    """A run's validation people."""
    people = len(np.unique(embeddings.subject))
    note = (
        f"Thresholds under from_development were chosen on the run's {people} validation people, "
        "who watched its training and are not tested."
    )
    return Development(embeddings, "validation people of the run", note)


def lost_recordings(counts: Mapping[str, int]) -> int | None:
    """Recordings of the whole data set that gave no embedding; None where that is not known.

    Readers drop frames and people too, which leaves the recording.
    """
    if "dropped_short" not in counts:
        return None
    return sum(
        count
        for name, count in counts.items()
        if name == "dropped_short"
        or (name.startswith("dropped_") and ("sequences" in name or "recordings" in name))
    )


def with_acquisition(measured: Measured, counts: Mapping[str, int]) -> Measured:
    """Add the share of recordings that gave no embedding, where some did not.

    A record counts them over the whole data set, training people included: which of them would
    have been probes, and under which condition, it does not know.
    """
    lost = lost_recordings(counts)
    if not lost:
        return measured
    tried = lost + sum(counts.get(name, 0) for name in ("train", "validation", "test"))
    low, high = wilson_interval(lost, tried)
    note = (
        f"{lost} of the {tried} recordings of the whole data set gave no embedding "
        "(fta_recordings); which would have been probes is not recorded, and the other rates do "
        "not hold them."
    )
    return replace(
        measured,
        metrics={**measured.metrics, "fta_recordings": lost / tried},
        intervals={**measured.intervals, "fta_recordings": (float(low), float(high))},
        counts={**measured.counts, "not_acquired_recordings": lost},
        notes=(*measured.notes, note),
    )


def make_record(
    task: Literal["gait", "reid"],
    measured: Measured,
    origin: Origin,
    settings: Mapping[str, Any],
    command: str,
) -> ResultRecord:
    """The record, of a kind of its own so that it stands in no table of ranks.

    Args:
        task: gait or reid.
        measured: the figures.
        origin: of the embeddings.
        settings: how they were measured, beyond the run's settings.
        command: the command line.
    """
    return ResultRecord(
        task=task,
        dataset=origin.dataset,
        protocol=measured.protocol,
        kind=BIOMETRICS,
        rule="",
        objective=origin.objective,
        stream=origin.stream,
        seed=origin.seed,
        metrics=dict(measured.metrics),
        intervals=dict(measured.intervals),
        counts={**origin.counts, **measured.counts},
        settings={**origin.settings, "evaluation": dict(settings)},
        environment=describe_environment(),
        seconds=origin.seconds,
        command=command,
        notes=(*measured.notes, *origin.notes),
        cells=measured.cells,
    )
