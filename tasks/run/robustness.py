"""Tests a finished run on recordings that are made worse, and by person and group as they are.

The network is the run's own. Its test recordings are changed as they are stored, before sequences,
windows and normalisation, probes and gallery alike; then their gaps are filled where the run's
settings say so, as of other recordings (`data.fill_gaps`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from aclnet.data.degrade import KINDS, Kind, degrade
from aclnet.data.gaps import fill_samples
from aclnet.data.sample import Sample
from aclnet.data.store import Store, write_store
from aclnet.files import make_folder
from aclnet.models import SkeletonNetwork
from protocols.groups import RunEntry
from protocols.records import ROBUSTNESS, ResultRecord
from protocols.reporting.tables.robustness import robustness_tables
from protocols.statistics.fairness import measure_fairness, quarters
from protocols.text import align_columns, printable, render_notes
from tasks.run.adapter import TaskAdapter
from tasks.run.judged import Judged, Origin, make_record
from tasks.run.open import open_run
from tasks.run.saved import read_saved, require_tested
from tasks.spec import Report, TaskSpec, silent

LEVELS: Mapping[Kind, tuple[float, ...]] = {
    "noise": (0.01, 0.02, 0.05, 0.1),
    "joints": (0.1, 0.2, 0.3, 0.5),
    "gaps": (0.1, 0.2, 0.3, 0.5),
    "length": (0.5, 0.25, 0.125),
    "rate": (0.5, 0.25),
}
"""The levels of each kind (`aclnet.data.degrade.degrade`)."""

_CLEAN = "clean"
_UNCHANGED = (
    "All test recordings are made worse as they are stored, probes and gallery alike; the network "
    "is not trained again."
)


@dataclass(frozen=True, eq=False)
class _Tests:
    """A run's test.

    Attributes:
        spec: the task.
        adapter: with the run's data.
        network: the run's.
        recordings: those that are made worse.
        origin: of the records.
        command: command line, for the records.
    """

    spec: TaskSpec
    adapter: TaskAdapter[Any]
    network: SkeletonNetwork
    recordings: Store
    origin: Origin
    command: str

    def record(self, judged: Judged, variant: str, **counts: int) -> ResultRecord:
        """The record of one test."""
        record = make_record(self.spec.name, judged, self.origin, self.command, kind=ROBUSTNESS)
        update = {
            "variant": variant,
            "counts": {**record.counts, **counts},
            "notes": (*record.notes, _UNCHANGED),
        }
        return record.model_copy(update=update)

    def degraded(
        self, kind: Kind, level: float, seed: int, cache: Path, report: Report
    ) -> ResultRecord | None:
        """The record at one level; None where too little is left of the recordings.

        Args:
            kind: kind of change.
            level: its level.
            seed: of what is drawn.
            cache: folder for the changed recordings while they are tested.
            report: called with progress messages.
        """
        settings, info = self.adapter.settings, self.recordings.info
        counts: dict[str, int] = {}
        variant, least = f"{kind}-{level:g}", max(settings.data.min_frames, 1)
        made: Iterator[Sample]
        made = (degrade(one, kind, level, info.dims, seed) for one in self.recordings.samples())
        if settings.data.fill_gaps is not None:
            info, made = fill_samples(info, made, settings.data.fill_gaps)
        with TemporaryDirectory(dir=cache, prefix=".worse-") as folder:
            store = write_store(Path(folder) / "store", made, info)
            if settings.data.fill_gaps is not None:
                found = store.info.settings["fill_gaps"]
                counts = {f"{what}_joints": found[what] for what in ("missing", "filled")}
            kept = store.lengths >= least
            short = int((~kept).sum())
            if short:
                report(
                    f"{variant}: leaving out {short} of {len(kept)} recordings with fewer than the "
                    f"{least} frames of data.min_frames"
                )
            if not kept.any():
                return None
            samples = self.adapter.whole(settings, store.select(kept))
            tested = self.adapter.represent(self.network, samples, report)
        try:
            judged = self.spec.judge(tested, settings, None)
        except ValueError as error:  # such as a protocol's set of which nothing is left
            report(f"{variant}: not tested: {error}")
            return None
        if (headline := self.spec.measures[0]) not in judged.metrics:
            report(f"{variant}: what is left has no {headline}")
            return None
        change = {"kind": kind, "level": level, "seed": seed}
        judged = replace(judged, evaluation={**judged.evaluation, "degraded": change})
        counts |= {"recordings": int(kept.sum()), "too_short": short}
        return self.record(judged, variant, **counts)

    def clean(self, tested: Any) -> ResultRecord:
        """The record of what the run saved, with the rates of people and groups."""
        judged = self.spec.judge(tested, self.adapter.settings, None)
        record = self.record(judged, _CLEAN, recordings=len(self.recordings), too_short=0)
        if judged.sample_counts is None:
            return record
        samples = self.adapter.test_samples()
        texts = {
            name: samples.index[name].to_numpy().astype(np.str_)
            for name in ("identity", "view", "condition")
        }
        person = texts.pop("identity")
        groups = {**texts, "length": quarters(samples.lengths)}
        found = measure_fairness(judged.sample_counts, person, groups)
        update = {
            "metrics": {**record.metrics, **found.metrics},
            "intervals": {**record.intervals, **found.intervals},
            "counts": {**record.counts, **found.counts},
        }
        return record.model_copy(update=update)


def robustness_records(
    spec: TaskSpec,
    run: Path,
    cache: Path,
    command: str,
    *,
    kinds: Sequence[str] | None = None,
    seed: int = 0,
    report: Report = silent,
) -> Iterator[ResultRecord]:
    """Test a run on its test recordings as they are, and at every level of each kind of change.

    Args:
        spec: the task.
        run: a finished run; it is not changed.
        cache: folder for converted data, and for changed recordings while they are tested.
        command: command line, for the records.
        kinds: kinds of change; None: all of `LEVELS`.
        seed: of what is drawn.
        report: called with progress messages.

    Yields:
        A record as soon as it is known: first `clean`, what the run saved, with the rates of people
        and groups; then one a kind and level, such as `noise-0.05`. A level at which too little is
        left of the recordings has none, and is reported.

    Raises:
        ValueError: a kind is unknown, the run is not finished, or its data have changed.
    """
    chosen = [kind for kind in KINDS if kinds is None or kind in kinds]
    unknown = [kind for kind in kinds or () if kind not in KINDS]
    if unknown or not chosen:
        raise ValueError(
            f"--kinds: unknown kind {', '.join(unknown) or 'none'}; known are {', '.join(KINDS)}"
        )
    tested = read_saved(spec, run)
    adapter, network = open_run(spec, run, cache, report)
    require_tested(spec, run, adapter.test_samples(), tested)
    tests = _Tests(spec, adapter, network, adapter.test_recordings(), Origin.of_run(run), command)
    yield tests.clean(tested)
    make_folder(cache)
    for kind in chosen:
        for level in LEVELS[kind]:
            report(f"{kind} {level:g}")
            found = tests.degraded(kind, level, seed, cache, report)
            if found is not None:
                yield found


def robustness_text(records: Sequence[ResultRecord]) -> str:
    """The report's tables of the records of one run, as text."""
    entries = [RunEntry(record.variant, record) for record in records]
    texts = []
    for table in robustness_tables(entries):
        rows = [["", "", *(column.heading for column in table.columns)]]
        rows += [[row.group, row.label, *(cell.text for cell in row.cells)] for row in table.rows]
        text = align_columns(rows, names=2)
        texts.append(f"{printable(table.title)}\n{text}\n{render_notes(table.notes)}")
    return "\n\n".join(texts)
