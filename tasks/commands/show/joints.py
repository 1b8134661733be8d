"""`joints`: which joints mattered to a run, as a table, a picture and a file of values."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.progress import Progress

from aclnet.data.show.draw import need_matplotlib
from tasks.joints.study import study_joints
from tasks.spec import Report, TaskSpec

_PICTURES = (".png", ".svg", ".pdf")


def show_joints(
    spec: TaskSpec,
    run: Path,
    out: Path | None,
    values: Path | None,
    *,
    by: Literal["part", "joint"],
    segments: int,
    count: int,
    names: Sequence[str],
    cache: Path,
    report: Report,
) -> str:
    """Study a run's joints (`tasks.joints.study.study_joints`), and write what is asked for.

    Args:
        spec: the task.
        run: a finished run.
        out: the picture; None: none.
        values: the JSON file; None: none.
        by: hide parts of the body, or single joints.
        segments: parts of the time.
        count: samples at most.
        names: keys of the samples; none: those that `count` gives.
        cache: folder for converted and generated data.
        report: called with progress messages.

    Returns:
        The table.

    Raises:
        ValueError: the picture's ending is unknown, it is the JSON file, matplotlib is not
            installed, or as there.
    """
    if out is not None:
        if values is not None and out.resolve() == values.resolve():
            raise ValueError(f"--to and --json are both {out}: one would replace the other")
        if out.suffix not in _PICTURES:
            raise ValueError(f"--to {out}: a picture ends in {', '.join(_PICTURES)}")
        need_matplotlib()
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        row = bar.add_task("hiding joints", total=None)
        study = study_joints(
            spec,
            run,
            cache,
            by=by,
            segments=segments,
            count=count,
            names=names,
            report=report,
            progress=lambda done, total: bar.update(row, completed=done, total=total),
        )
    if values is not None:
        study.save(values)
    lines = [study.render(), *([f"values: {values}"] if values is not None else [])]
    if out is not None:
        from protocols.figures.drawing.style import save_figure

        (drawn,) = save_figure(study.draw(), out.with_suffix(""), (out.suffix[1:],))
        lines.append(f"drawn: {drawn}")
    return "\n".join(lines)
