"""The kinds of figures that a report draws, and how to add one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from protocols.figures.drawing.kept import FORMATS, KeptFigures
from protocols.figures.drawing.planning import FigurePlan, ReportFigure
from protocols.groups import RunEntry
from protocols.labels import free_name

Planner = Callable[[Any], Iterable[FigurePlan]]
"""Finds the figures of a kind in all runs, in the logs of runs by name, or in the results."""

Source = Literal["runs", "logs", "results"]

_FIGURES: dict[str, tuple[Planner, str]] = {}
_UNEXPECTED = (ValueError, KeyError, TypeError, IndexError, AttributeError)


def register_figure(name: str, plan: Planner, *, of: Source = "runs") -> None:
    """Add a kind of figure to every report that is made from now on.

    Args:
        name: Name of the kind.
        plan: Finds the figures that can be drawn
            (:class:`protocols.figures.drawing.planning.FigurePlan`).
        of: Argument of ``plan``: ``runs``, a sequence of runs, each a record with its file;
            ``logs``, a mapping from names of runs to their ``log.jsonl``; ``results``, the folder
            of the records, or None.

    Raises:
        ValueError: There is a kind of this name.
    """
    if name in _FIGURES:
        raise ValueError(f"There is a kind of figure {name!r} already: choose another name.")
    _FIGURES[name] = (plan, of)


def make_figures(
    runs: Sequence[RunEntry],
    out: Path | str,
    *,
    logs: Mapping[str, Path] | None = None,
    results: Path | str | None = None,
    passed_over: Callable[[str], object] | None = None,
) -> tuple[ReportFigure, ...]:
    """Draw every figure that the records allow, and write each as SVG, PNG and PDF.

    Those of an earlier report in the folder are kept where nothing behind them has changed.

    Args:
        runs: All runs.
        out: Folder of the report; the files go to ``out/figures``.
        logs: Logs of runs (``log.jsonl``) by name, for training curves.
        results: Folder of the records, for what stands beside them; None: there is none.
        passed_over: Called with a sentence for each figure whose records are not as expected; the
            others are still drawn.

    Returns:
        The figures, those of the paper first.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
        OSError: A file cannot be written, or a log cannot be read.
    """
    from protocols.figures.drawing.style import save_figure

    folder = Path(out) / "figures"
    kept = KeptFigures(folder)
    sources = {"runs": runs, "logs": logs or {}, "results": results}
    figures: list[ReportFigure] = []
    taken: set[str] = set()
    plans: list[FigurePlan] = []
    for name, (planner, of) in _FIGURES.items():
        try:
            plans += planner(sources[of])
        except _UNEXPECTED as error:
            if passed_over is not None:
                passed_over(f"figures {name}: {_reason(error)}")
    for plan in plans:
        key = free_name(plan.key, taken)  # data sets may share a name
        stem = folder / key
        if (caption := kept.caption(key, plan)) is not None:
            svg, png = (stem.with_name(f"{key}.{name}") for name in ("svg", "png"))
            taken.add(key)
            figures.append(_figure(key, plan, caption, svg, png))
            continue
        try:
            drawn, caption = plan.draw()
        except _UNEXPECTED as error:
            if passed_over is not None:
                passed_over(f"figure {key} ({plan.title}): {_reason(error)}")
            continue
        taken.add(key)
        svg, png, _ = save_figure(drawn, stem, FORMATS, title=plan.title)
        kept.add(key, plan, caption)
        figures.append(_figure(key, plan, caption, svg, png))
    if figures:
        kept.write()
    return tuple(figures)


def _figure(key: str, plan: FigurePlan, caption: str, svg: Path, png: Path) -> ReportFigure:
    return ReportFigure(key, plan.title, caption, plan.task, plan.datasets, svg, png)


def _reason(error: Exception) -> str:
    if isinstance(error, ValueError):
        return " ".join(str(error).split())
    return f"its records' cells are not as expected ({type(error).__name__}: {error})"


def _shipped(module: str) -> Planner:
    """The ``plan`` of a module of this folder, imported when figures are made."""

    def plan(source: Any) -> Iterable[FigurePlan]:
        found: Iterable[FigurePlan] = import_module(f"protocols.figures.{module}").plan(source)
        return found

    return plan


for _module in (  # the paper's figures in its order, then ours
    "families",
    "hyper_curves",
    "evolution",
    "class_gain",
    "confusion",
    "view_heatmap",
    "cmc",
    "identity_errors",
    "det",
    "score_histograms",
    "motion",
    "robustness",
):
    register_figure(_module, _shipped(_module))
for _module in ("training_curves", "actionlets"):
    register_figure(_module, _shipped(_module), of="logs")
register_figure("benchmarks", _shipped("benchmarks"), of="results")
