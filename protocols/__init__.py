"""Evaluation: arrays and tables in, numbers and tables out. No model, no training.

What is named here is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from protocols.action.evaluate import evaluate_action
    from protocols.action.scores import ClassScores, load_class_scores
    from protocols.embeddings import Embeddings, load_embeddings
    from protocols.gait.evaluate import evaluate_gait
    from protocols.pair_scores import load_tested
    from protocols.records import ResultRecord
    from protocols.reid.evaluate import evaluate_reid
    from protocols.statistics.comparison import compare

__all__ = [
    "ClassScores",
    "Embeddings",
    "ResultRecord",
    "compare",
    "evaluate_action",
    "evaluate_gait",
    "evaluate_reid",
    "load_class_scores",
    "load_embeddings",
    "load_tested",
]

_HOMES = {
    "ClassScores": "protocols.action.scores",
    "Embeddings": "protocols.embeddings",
    "ResultRecord": "protocols.records",
    "compare": "protocols.statistics.comparison",
    "evaluate_action": "protocols.action.evaluate",
    "evaluate_gait": "protocols.gait.evaluate",
    "evaluate_reid": "protocols.reid.evaluate",
    "load_embeddings": "protocols.embeddings",
    "load_tested": "protocols.pair_scores",
    "load_class_scores": "protocols.action.scores",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
