"""All figures that a folder of records allows, drawn and written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from protocols.figures.saving import save_figure
from protocols.reporting.figures.biometrics import plan_biometrics
from protocols.reporting.figures.class_gain import plan_class_gain
from protocols.reporting.figures.cmc import plan_cmc
from protocols.reporting.figures.confusion import plan_confusion
from protocols.reporting.figures.evolution import plan_evolution
from protocols.reporting.figures.families import plan_families
from protocols.reporting.figures.hyper_curves import plan_hyper_curves
from protocols.reporting.figures.plan import FigurePlan
from protocols.reporting.figures.training import plan_training
from protocols.reporting.figures.views import plan_views
from protocols.reporting.model import ReportFigure, RunEntry

_KINDS: tuple[Callable[[Sequence[RunEntry]], Iterator[FigurePlan]], ...] = (
    plan_families,
    plan_hyper_curves,
    plan_evolution,
    plan_class_gain,
    plan_confusion,
    plan_views,
    plan_cmc,
    plan_biometrics,
)
"""The paper's figures in its order, then ours."""


def make_figures(
    runs: Sequence[RunEntry],
    out: Path | str,
    *,
    logs: Mapping[str, Path] | None = None,
    passed_over: Callable[[str], object] | None = None,
) -> tuple[ReportFigure, ...]:
    """Draw every figure that the records allow, and write each as SVG, PNG and PDF.

    Nothing is drawn that no record holds; skeleton strips need data and are not among them.

    Args:
        runs: All runs, as ``read_runs`` gives them.
        out: Folder of the report; the files go to ``out/figures``.
        logs: Logs of runs (``log.jsonl``) by name, for training curves.
        passed_over: Takes a sentence for each figure whose records are not as expected; the others
            are drawn all the same.

    Returns:
        The figures, those of the paper first.

    Raises:
        OSError: A file cannot be written, or a log not be read.
    """
    plans = [plan for kind in _KINDS for plan in kind(runs)]
    plans += plan_training(logs or {})
    figures: list[ReportFigure] = []
    taken: set[str] = set()
    for plan in plans:
        key = _free(plan.key, taken)
        try:
            drawn, caption = plan.draw()
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            if passed_over is not None:
                passed_over(f"figure {key} ({plan.title}): {_reason(error)}")
            continue
        taken.add(key)
        stem = Path(out) / "figures" / key
        svg, png, _ = save_figure(drawn, stem, ("svg", "png", "pdf"), title=plan.title)
        figures.append(ReportFigure(key, plan.title, caption, plan.task, plan.datasets, svg, png))
    return tuple(figures)


def _free(key: str, taken: set[str]) -> str:
    """The key, or with a number where another data set of the same name has it."""
    number = 2
    found = key
    while found in taken:
        found = f"{key}-{number}"
        number += 1
    return found


def _reason(error: Exception) -> str:
    if isinstance(error, ValueError):
        return " ".join(str(error).split())
    return f"its records' cells are not as expected ({type(error).__name__}: {error})"
