"""Finds which joints mattered to a run, and when: the fall of its right score without them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from aclnet.data.names import composed
from aclnet.data.show.draw import visible_points
from aclnet.data.store import Store
from protocols.files import write_text
from protocols.ranking.distances import FloatArray
from protocols.statistics.intervals import bootstrap_interval, mean_of_known
from protocols.text import align_columns, format_rate, nouns, printable, render_notes
from tasks.joints.hiding import Hiding, hidden_scores
from tasks.joints.right import RightScore
from tasks.run.open import open_run
from tasks.run.saved import read_saved, require_tested
from tasks.spec import Report, TaskSpec, silent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_HIDDEN = (
    "Hidden joints are set to zero like undetected ones, before the clip is normalised; the "
    "network was trained on bodies that were whole but for the detector's own gaps."
)
_ALL, _ALWAYS = "all joints", "the whole time"


@dataclass(frozen=True, eq=False)
class JointStudy:
    """The right scores of N samples with each part hidden in each segment of the time.

    Attributes:
        run: name of the run.
        right: the right score.
        hiding: what was hidden in turn.
        samples: the samples.
        scores: (N, P + 1, S + 1) of `hidden_scores`, all with a right score.
        left_out: samples without one.
    """

    run: str
    right: RightScore
    hiding: Hiding
    samples: Store
    scores: FloatArray
    left_out: int

    @property
    def falls(self) -> FloatArray:
        """(N, P + 1, S + 1): how much lower each score is than that of the whole recording."""
        falls: FloatArray = self.scores[:, -1:, -1:] - self.scores
        falls[:, -1, -1] = np.nan
        return falls

    @property
    def mean(self) -> FloatArray:
        """(P + 1, S + 1): mean over the samples that lose something."""
        return mean_of_known(np.moveaxis(self.falls, 0, -1))

    def intervals(self) -> tuple[FloatArray, FloatArray]:
        """Both ends (P + 1, S + 1) of the 95 % interval of the mean, by a bootstrap over people.

        Where people are not named each sample counts as one; NaN of less than two.
        """
        names = self.samples.index["identity"].to_numpy()
        named = bool((names != "").all())
        person = np.unique(names, return_inverse=True)[1] if named else np.arange(len(names))
        count = int(person.max()) + 1
        falls = self.falls.reshape(len(person), -1)
        if count < 2:
            empty = np.full(self.hiding.shape, np.nan)
            return empty, empty
        known = np.isfinite(falls)
        sums, trials = np.zeros((2, count, falls.shape[1]))
        np.add.at(sums, person, np.where(known, falls, 0.0))
        np.add.at(trials, person, known)
        low, high = bootstrap_interval(sums, trials, np.random.default_rng(0))
        return low.reshape(self.hiding.shape), high.reshape(self.hiding.shape)

    @property
    def rows(self) -> tuple[str, ...]:
        """Names of the P groups, and of all joints."""
        return (*self.hiding.names, _ALL)

    def render(self) -> str:
        """The falls as text, those of the parts in order of size."""
        mean, ends = self.mean, self.intervals()
        decimals = 1 if self.right.scale == 100.0 else 3

        def cells(row: int, column: int) -> tuple[str, str]:
            pair = (float(ends[0][row, column]), float(ends[1][row, column]))
            known = pair if np.isfinite(pair).all() else None
            text = format_rate(
                float(mean[row, column]), known, scale=self.right.scale, decimals=decimals,
                end_decimals=decimals, missing="nothing to hide",
            )  # fmt: skip
            value, _, interval = text.partition(" ")
            return (value, interval) if known else (text, "")

        order = np.argsort(-np.nan_to_num(mean[:-1, -1], nan=-np.inf), kind="stable").tolist()
        table = [["hidden", "when", "fall", "95 %"]]
        table += [[self.rows[row], _ALWAYS, *cells(row, -1)] for row in order]
        edges = np.linspace(0, 100, self.hiding.segments + 1)
        for column in range(self.hiding.segments):
            when = f"{edges[column]:.0f}-{edges[column + 1]:.0f} %"
            table.append([_ALL, when, *cells(-1, column)])
        count, of_all = len(self.scores), float(self.scores[:, -1, -1].mean())
        value = format_rate(of_all, scale=self.right.scale, decimals=decimals)
        unit = f" in {self.right.unit}" if self.right.unit else ""
        notes = [_HIDDEN]
        if self.left_out:
            words = nouns("samples", self.left_out)
            notes.append(f"{self.left_out} {words} without a right score left out.")
        head = f"{self.right.name}: {value}, mean of {count} {nouns('samples', count)}"
        text = align_columns(table, names=2)
        return f"{head}; its fall{unit}:\n{text}\n{render_notes(notes)}"

    def save(self, path: Path) -> None:
        """Write all values as JSON; the file is complete or absent."""
        low, high = self.intervals()
        layout, index, falls = self.samples.layout, self.samples.index, self.falls
        joints = [[layout.joints[joint] for joint in group] for group in self.hiding.groups]
        content = {
            "run": self.run,
            "score": self.right.name,
            "note": _HIDDEN,
            "rows": list(self.rows),
            "joints": [*joints, list(layout.joints)],
            "columns": [*np.linspace(0, 1, self.hiding.segments + 1)[:-1].tolist(), _ALWAYS],
            "mean_score": float(self.scores[:, -1, -1].mean()),
            "mean_fall": _plain(self.mean),
            "low": _plain(low),
            "high": _plain(high),
            "left_out": self.left_out,
            "samples": [
                {
                    "sample": str(index["sample"].iat[row]),
                    "identity": str(index["identity"].iat[row]),
                    "score": float(self.scores[row, -1, -1]),
                    "fall": _plain(falls[row]),
                }
                for row in range(len(falls))
            ],
        }
        write_text(path, json.dumps(content, indent=1, allow_nan=False) + "\n")

    def draw(self) -> Figure:
        """The body in the colours of its parts' falls, the falls themselves, and when they were."""
        from protocols.figures.hidden_joints import draw_hidden_joints

        count, low_high = len(self.scores), self.intervals()
        one = f", {self.samples.index['sample'].iat[0]}" if count == 1 else ""
        over = f"mean of {count} samples" if count > 1 else "one sample"
        unit = f" ({self.right.unit})" if self.right.unit else ""
        layout = self.samples.layout
        return draw_hidden_joints(
            _clearest(self.samples),
            layout.bone_index.tolist(),
            self.rows,
            [group.tolist() for group in self.hiding.groups],
            self.right.scale * self.mean,
            None
            if count == 1
            else (self.right.scale * low_high[0], self.right.scale * low_high[1]),
            label=f"fall{unit}",
            title=printable(f"{self.run}{one}: fall of the {self.right.name}, {over}"),
        )


def study_joints(
    spec: TaskSpec,
    run: Path,
    cache: Path,
    *,
    by: Literal["part", "joint"] = "part",
    segments: int = 8,
    count: int = 100,
    names: Sequence[str] = (),
    report: Report = silent,
    progress: Callable[[int, int], object] | None = None,
) -> JointStudy:
    """Hide the joints of a run's test samples in turn, and score what is left.

    Args:
        spec: the task.
        run: a finished run.
        cache: folder for converted and generated data.
        by: hide parts of the body, or single joints.
        segments: S, parts of the time.
        count: samples at most, evenly spread over those with a right score.
        names: keys of the samples; none: those that `count` gives.
        report: called with progress messages.
        progress: called with the samples that are done, and their number.

    Raises:
        ValueError: the run is not finished, its data have changed, a sample is not among its tested
            ones or has no right score, or the joints have no parts.
    """
    tested = read_saved(spec, run)
    adapter, network = open_run(spec, run, cache, report)
    samples = adapter.test_samples()
    require_tested(spec, run, samples, tested)
    hiding = Hiding.of(samples.layout, by, segments)
    right = spec.right_score(adapter, network, tested)
    rows = _chosen(samples, right.rows, count, names)
    copies = hiding.shape[0] * hiding.shape[1]
    report(
        f"{len(rows)} of {len(samples)} {nouns('test samples', len(samples))}, each with "
        f"{len(hiding.names)} {by}s and all joints hidden in {segments} segments and always: "
        f"{len(rows) * copies:,} recordings to score"
    )
    scores = hidden_scores(samples, rows, hiding, right.score, progress)
    known = np.isfinite(scores[:, -1, -1])
    if not known.any():
        raise ValueError(f"no chosen sample of {run} has a {right.name}")
    kept = samples.select(np.array(rows)[known])
    name = run.resolve().name
    return JointStudy(name, right, hiding, kept, scores[known], int((~known).sum()))


def _chosen(samples: Store, rows: Any, count: int, names: Sequence[str]) -> list[int]:
    if not names:
        places = np.linspace(0, len(rows) - 1, min(count, len(rows)))
        return [int(rows[place]) for place in np.round(places).astype(int)]
    keys = samples.index["sample"].tolist()
    places_of = {key: place for place, key in enumerate(keys)}
    found = [places_of.get(composed(name)) for name in names]
    for name, row in zip(names, found, strict=True):
        if row is None or row not in rows:
            raise ValueError(
                f"--sample {name}: it is not a test sample with a right score, such as "
                f"{keys[int(rows[0])]}"
            )
    return [row for row in dict.fromkeys(found) if row is not None]


def _clearest(samples: Store) -> FloatArray:
    """(V, 2), y upwards: a body whose left and right sides are well apart."""
    layout = samples.layout
    pairs = np.array([[layout.index(left), layout.index(right)] for left, right in layout.mirror])
    best, found = -1.0, np.zeros((layout.joint_count, 2))
    for row in range(min(len(samples), 32)):
        points = visible_points(samples.clip(row), samples.info).astype(np.float64)
        seen = np.isfinite(points).all(axis=-1)
        bodies, whole = points.reshape(-1, *points.shape[2:]), seen.reshape(-1, seen.shape[2])
        bodies = bodies[whole.sum(axis=1) == whole.sum(axis=1).max()]
        height = np.ptp(np.nan_to_num(bodies[..., 1], nan=0.0), axis=1) + 1e-9
        apart = np.ones(len(bodies))
        if len(pairs):
            sides = np.linalg.norm(bodies[:, pairs[:, 0]] - bodies[:, pairs[:, 1]], axis=-1)
            apart = np.nansum(sides, axis=1) / height
        place = int(apart.argmax())
        if apart[place] > best:
            best, found = float(apart[place]), bodies[place]
    return found * [1, 1 if samples.info.unit == "metre" else -1]


def _plain(values: FloatArray) -> list[list[float | None]]:
    """Numbers for JSON, None where there is none."""
    return [[float(v) if np.isfinite(v) else None for v in row] for row in values]
