"""Evaluation: arrays and tables in, numbers and tables out. No model, no training.

What is named here is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from protocols.action.evaluate import evaluate_action
    from protocols.action.scores import ClassScores
    from protocols.embeddings import Embeddings
    from protocols.gait.evaluate import evaluate_gait
    from protocols.reid.evaluate import evaluate_reid
    from protocols.statistics.comparison import compare

__all__ = [
    "ClassScores",
    "Embeddings",
    "compare",
    "evaluate_action",
    "evaluate_gait",
    "evaluate_reid",
]

_HOMES = {
    "ClassScores": "protocols.action.scores",
    "Embeddings": "protocols.embeddings",
    "compare": "protocols.statistics.comparison",
    "evaluate_action": "protocols.action.evaluate",
    "evaluate_gait": "protocols.gait.evaluate",
    "evaluate_reid": "protocols.reid.evaluate",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
