"""Joins the embeddings that several runs saved, and evaluates them as one system."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from aclnet.config import load_settings
from aclnet.runs.info import SETTINGS, read_run_info
from protocols.embeddings import Embeddings, fuse_embeddings
from protocols.records import ResultRecord
from tasks.run.judged import Origin, agreed, make_record, read_record, shared_by
from tasks.run.queries import several_numbers
from tasks.run.saved import read_saved
from tasks.spec import TaskSpec


def fuse_runs(
    spec: TaskSpec,
    runs: Sequence[Path],
    weights: str | None,
    query: Any,
    out: Path | None,
    command: str,
) -> tuple[ResultRecord, str]:
    """Join the embeddings of several runs by sample key and evaluate the result.

    Args:
        spec: the task.
        runs: folders of finished runs that were tested on the same samples.
        weights: comma-separated numbers, one a run; None: equal weights.
        query: of class `spec.query`; what it leaves open is as the settings of the first run say.
        out: file for the joined embeddings; None: not saved.
        command: command line, for the record.

    Returns:
        The record, whose settings hold what the runs have in common and what was fused, and the
        tables as text.

    Raises:
        ValueError: a run is not of this task or not finished, or runs and weights do not fit.
    """
    names = [str(run) for run in runs]
    if len(runs) < 2 or len({run.resolve() for run in runs}) < len(runs):
        raise ValueError("give two or more different runs to fuse")
    shares = [1.0] * len(runs)
    if weights is not None:
        shares = several_numbers(weights, [float] * len(runs), "--weights", "2,1")
    saved: list[Embeddings] = [read_saved(spec, run) for run in runs]
    fused = fuse_embeddings(saved, shares, names)
    if out is not None:
        fused.save(out)
    origin = _origin(runs, shares)
    judged = spec.judge(fused, load_settings(spec.settings, runs[0] / SETTINGS), query)
    record = make_record(spec.name, judged, origin, command)
    return record, judged.render(f"{origin.objective}, {origin.stream}", {})


def _origin(runs: Sequence[Path], weights: Sequence[float]) -> Origin:
    """What all runs have in common; streams and seeds are listed."""
    prints = [read_run_info(run).fingerprint for run in runs]
    if len({*prints}) > 1:
        other = next(run for run, each in zip(runs, prints, strict=True) if each != prints[0])
        raise ValueError(
            f"{other} was tested on other data than {runs[0]}: fuse runs of one data set and one "
            "split"
        )
    records = [read_record(run) for run in runs]
    origins = [Origin.of_run(run) for run in runs]
    streams = [record.stream for record in records]
    alike = f"{len(runs)} x {streams[0]}" if len({*streams}) == 1 else ",".join(streams)
    parts = [
        {"run": str(run), "weight": weight, "stream": record.stream, "seed": record.seed}
        for run, weight, record in zip(runs, weights, records, strict=True)
    ]
    return replace(
        origins[0],
        objective=agreed(records, "objective", "fused"),
        stream=f"fused {alike}",
        seed=agreed(records, "seed", None),
        settings={**shared_by([origin.settings for origin in origins]), "fused": parts},
        counts=shared_by([origin.counts for origin in origins]),
        seconds=sum(origin.seconds for origin in origins),
        rule=agreed(records, "rule", ""),
        variant=agreed(records, "variant", ""),
        trained={},
    )
