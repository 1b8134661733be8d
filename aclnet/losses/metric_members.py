"""Losses and miners of pytorch-metric-learning by their class names, checked before they are made.

The package is imported here, when something of it is asked for, and nowhere else.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from torch import nn

from aclnet.skeleton.names import nearest_name

Part: TypeAlias = Literal["losses", "miners"]

_PACKAGE = "pytorch_metric_learning"
_OBJECTS = frozenset(
    {
        "distance",
        "reducer",
        "embedding_regularizer",
        "weight_regularizer",
        "weight_init_func",
        "mat_based_loss",
        "collect_stats",
    }
)  # arguments that are no plain values


def make_member(
    part: Part, name: str, options: Mapping[str, Any], sizes: Mapping[str, int]
) -> nn.Module:
    """Make a loss or miner of the package.

    Args:
        part: the package's module.
        name: the class.
        options: arguments by name, plain values.
        sizes: what follows from the data, given where the class asks for it.

    Raises:
        ValueError: the package is not installed, has no such class or option, or lacks an option.
    """
    kind = _choose(part, name)
    arguments = _arguments(kind)
    filled = {key: size for key, size in sizes.items() if arguments.get(key)}
    known = sorted(arguments.keys() - filled.keys() - _OBJECTS)
    place = "objective.metric." + ("options" if part == "losses" else "miner_options")
    for option in options:
        if option in filled:
            raise ValueError(
                f"{place}.{option} follows from the data ({filled[option]}): leave it out"
            )
        if option not in known:
            raise ValueError(
                f"{place}: {name} has no option {option!r}{nearest_name(option, known)}; it has "
                f"{', '.join(known) or 'none'}"
            )
    try:
        made: nn.Module = kind(**filled, **options)
    except (AssertionError, TypeError, ValueError) as error:
        raise ValueError(f"{place}: {name} refuses {dict(options)}: {error}") from None
    return made


def _choose(part: Part, name: str) -> type[Any]:
    """The class of this name.

    Raises:
        ValueError: the package is not installed or has no such class.
    """
    try:
        module = importlib.import_module(f"{_PACKAGE}.{part}")
    except ImportError:
        raise ValueError(
            "objective.metric needs pytorch-metric-learning, which is not installed: "
            "pip install 'aclnet[metric-learning]', or leave objective.metric out"
        ) from None
    base = module.BaseMetricLossFunction if part == "losses" else module.BaseMiner
    kinds = {
        key: kind
        for key, kind in vars(module).items()
        if inspect.isclass(kind) and issubclass(kind, base) and kind is not base
    }
    if name not in kinds:
        place = "name" if part == "losses" else "miner"
        raise ValueError(
            f"objective.metric.{place}={name!r} is none of {_PACKAGE}.{part}"
            f"{nearest_name(name, kinds)}; it has {', '.join(sorted(kinds))}"
        )
    return kinds[name]


def _arguments(kind: type[Any]) -> dict[str, bool]:
    """Names of the arguments of a class and of those it passes them on to; whether required."""
    found: dict[str, bool] = {}
    for level in kind.__mro__:
        if "__init__" not in vars(level) or not level.__module__.startswith(_PACKAGE):
            continue
        for argument in list(inspect.signature(vars(level)["__init__"]).parameters.values())[1:]:
            if argument.kind not in (argument.VAR_POSITIONAL, argument.VAR_KEYWORD):
                found.setdefault(argument.name, argument.default is argument.empty)
    return found
