"""`report --errors`: the worst errors of runs as moving skeletons, on pages beside the report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from inspect import getattr_static
from pathlib import Path

import numpy as np

from aclnet.data.show.moving import MovingClip, MovingGroup, write_page
from aclnet.runs.info import read_run_info
from protocols.labels import free_name, slug
from protocols.reporting.model import ErrorPage
from tasks.commands.show.worst import case_group, find_cases
from tasks.run.judged import read_record
from tasks.spec import Report, TaskSpec, find_task

FOLDER = "errors"
"""The pages' folder, in that of the report."""

_CASES = 6
_LONGEST, _FASTEST = 120, 15
"""Frames and frames per second of a clip at most, which bound a page to a few MB."""


def write_errors(
    runs: Sequence[Path], out: Path, cache: Path, report: Report
) -> tuple[ErrorPage, ...]:
    """Write a page a run, private to its owner: errors beside what was chosen and what was right.

    Args:
        runs: finished runs.
        out: folder of the report.
        cache: folder for converted and generated data.
        report: called with progress messages, and with the runs that make no mistake.

    Returns:
        The pages; a run without a mistake has none.

    Raises:
        ValueError: a run is not finished, its task shows no errors, or its data have changed.
    """
    tasks = [_task_of(run) for run in runs]
    pages: list[ErrorPage] = []
    for spec, run in zip(tasks, runs, strict=True):
        record = read_record(run)
        cases, samples = find_cases(
            spec, run, find=spec.worst, count=_CASES, depth=1, cache=cache, report=report
        )
        if not cases:
            report(f"{run} makes no mistake: it has no page")
            continue
        name = free_name(slug(run.resolve().name), [Path(page.address).stem for page in pages])
        address = f"{FOLDER}/{name}.html"
        groups = [_short(case_group(case, samples)) for case in cases]
        write_page(out / address, f"The worst errors of {run.resolve().name}", groups)
        pages.append(ErrorPage(record, address))
    return tuple(pages)


def _task_of(run: Path) -> TaskSpec:
    spec = find_task(read_run_info(run).task)
    if getattr_static(spec, "worst", None) is None:
        raise ValueError(f"--errors {run}: `{spec.name}` has no errors to show; leave it out")
    return spec


def _short(group: MovingGroup) -> MovingGroup:
    return MovingGroup(group.heading, [thinned(clip) for clip in group.clips])


def thinned(clip: MovingClip) -> MovingClip:
    """Every n-th frame of a long or fast clip, with the numbers that keep its time."""
    count = len(clip.frames)
    step = max(1, math.ceil((clip.info.fps or 0.0) / _FASTEST), math.ceil(count / _LONGEST))
    numbers = np.arange(count) if clip.numbers is None else clip.numbers
    return replace(clip, frames=clip.frames[::step], numbers=numbers[::step])
