"""`show`: a run's worst cases as a picture, or as moving skeletons."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aclnet.config import load_settings
from aclnet.data.show.draw import need_matplotlib, visible_points
from aclnet.data.show.moving import MovingGroup
from aclnet.data.show.viewer import need_rerun
from aclnet.data.store import Store
from aclnet.files import whole_file
from aclnet.runs.info import SETTINGS
from tasks.commands.show.clips import MOVING, moving_clip, write_moving
from tasks.run.saved import read_saved, require_tested
from tasks.samples.open import open_data
from tasks.spec import Report, TaskSpec

if TYPE_CHECKING:
    from protocols.figures.rank_lists import RankedStrip

_PICTURES = (".png", ".svg", ".pdf")


@dataclass(frozen=True)
class Answer:
    """A test sample beside a case: what was taken for it, or what was right.

    Attributes:
        row: its number among the test samples.
        caption: what it is.
        correct: whether it is right.
        place: its place in the ranking, from 1; None: there is no ranking.
        drawn: whether it is in pictures too, where the nearest are in order, and not only on pages.
    """

    row: int
    caption: str
    correct: bool
    place: int | None = None
    drawn: bool = True


@dataclass(frozen=True)
class Case:
    """A test sample that was mistaken.

    Attributes:
        row: its number among the test samples.
        note: what went wrong.
        answers: samples to compare it with, one at least.
    """

    row: int
    note: str
    answers: tuple[Answer, ...]


def show_worst(
    spec: TaskSpec,
    run: Path,
    out: Path,
    *,
    find: Callable[[Any, Any, int, int], list[Case]],
    count: int,
    depth: int,
    cache: Path,
    report: Report,
) -> int:
    """Show the worst cases of a run, which are found in what it saved.

    Args:
        spec: the task.
        run: a finished run.
        out: the picture (.png, .svg, .pdf), page (.html) or recording for rerun's viewer (.rrd).
        find: finds the cases, as `TaskSpec.worst` does.
        count: cases at most.
        depth: samples beside each at most.
        cache: folder for converted and generated data.
        report: called with progress messages.

    Returns:
        The number of cases; of none nothing is written.

    Raises:
        ValueError: the ending is unknown, the run is not finished, its data have changed, or a
            picture or a recording is wanted and what draws or writes it is not installed.
    """
    kind = out.suffix.lower()
    if kind not in (*_PICTURES, *MOVING):
        raise ValueError(
            f"--to {out}: give a page, .html, a recording for rerun's viewer, .rrd, or a picture, "
            f"{', '.join(_PICTURES)}"
        )
    if kind in _PICTURES:
        need_matplotlib()
    elif kind == ".rrd":
        need_rerun()
    cases, samples = find_cases(
        spec, run, find=find, count=count, depth=depth, cache=cache, report=report
    )
    if not cases:
        return 0
    if kind in MOVING:
        groups = [case_group(case, samples) for case in cases]
        write_moving(out, f"The worst cases of {run.resolve().name}", groups)
    else:
        _draw(cases, samples, out)
    return len(cases)


def find_cases(
    spec: TaskSpec,
    run: Path,
    *,
    find: Callable[[Any, Any, int, int], list[Case]],
    count: int,
    depth: int,
    cache: Path,
    report: Report,
) -> tuple[list[Case], Store]:
    """Find the worst cases of a run, and the test samples that they number.

    The arguments are those of `show_worst`.

    Raises:
        ValueError: the run is not finished, or its data have changed.
    """
    tested = read_saved(spec, run)
    settings = load_settings(spec.settings, run / SETTINGS)
    store = open_data(settings.data, cache, report)
    samples = spec.adapter(settings, store, report).test_samples()
    require_tested(spec, run, samples, tested)
    return find(tested, settings, count, depth), samples


def case_group(case: Case, samples: Store) -> MovingGroup:
    """A case under its note, with its samples beside it."""
    clips = [moving_clip(samples, case.row)]
    for answer in case.answers:
        clip = moving_clip(samples, answer.row)
        caption = answer.caption if answer.place is None else f"{answer.place}. {answer.caption}"
        clips.append(replace(clip, caption=caption, correct=answer.correct))
    return MovingGroup(f"{clips[0].caption}: {case.note}", clips)


def _draw(cases: Sequence[Case], samples: Store, out: Path) -> None:
    from protocols.figures.rank_lists import RankList, draw_rank_grid

    name = samples.index["sample"]
    lists = [
        RankList(
            _strip(samples, case.row, str(name[case.row])),
            tuple(
                _strip(samples, answer.row, answer.caption, answer.correct)
                for answer in case.answers
                if answer.drawn
            ),
            case.note,
            numbered=all(answer.place is not None for answer in case.answers),
        )
        for case in cases
    ]
    bones: list[list[int]] = samples.layout.bone_index.tolist()
    figure = draw_rank_grid(lists, bones, y_down=samples.info.unit != "metre")
    with whole_file(out) as draft:
        figure.savefig(draft, format=out.suffix[1:].lower())


def _strip(samples: Store, row: int, caption: str, correct: bool | None = None) -> RankedStrip:
    from protocols.figures.rank_lists import RankedStrip

    points = visible_points(samples.clip(row), samples.info)
    # Only the body seen most, at whatever index of the file.
    body = np.isfinite(points).all(axis=-1).sum(axis=(0, 2)).argmax()
    return RankedStrip(points[:, body], caption, correct)
