"""Any loss of pytorch-metric-learning as a term of the objective: the field's baselines.

The package (Musgrave et al. 2020, "PyTorch Metric Learning") is an extra and is imported only where
a recipe names one of its losses:

```yaml
objective:
  inter_weight: 0
  intra_weight: 0
  metric: {name: TripletMarginLoss, weight: 1.0, options: {margin: 0.2}, miner: BatchHardMiner}
```

Left out are its wrappers around other losses (its memory loses its cursor when a run is resumed)
and, since options are plain values, other distances and reducers than each loss has by itself.
"""

from __future__ import annotations

import copy
import importlib
import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, nn

from aclnet.distributed import all_gather_rows, join_rows, row_counts, undo_gradient_average
from aclnet.losses.settings import MetricLossSettings
from aclnet.losses.term import Term, at_least_float32, full_precision
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
_FAILURES = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)  # what the package is seen to raise where options do not fit


class MetricLoss(Term):
    """One loss of the package, perhaps with a miner, on labelled features.

    What the package keeps in plain tensors becomes a buffer here, so that it is saved and moved
    with the rest; parameters of a loss (class weights, proxies) are optimised like any others.

    With several ranks each computes the loss of the joined batch, so value, state and averaged
    gradients are those of one rank; only where a loss or miner draws pairs at random does each rank
    draw its own. In eval mode the state stays as it is and nothing is exchanged.

    Most of these losses list their pairs by index, for which the host waits for the device. Some
    ask for a certain batch: NCALoss is not a number where no class comes twice, SmoothAPLoss wants
    as many samples of each class, DynamicSoftMarginLoss fails where features are nearly opposite.

    Args:
        settings: names and options.
        class_count: K; given to losses that ask for it.
        feature_dim: length of the feature; given to losses that ask for it.
        generator: source of the initial weights; None: torch's default generator.

    Raises:
        ValueError: the package is not installed, has no such loss, miner or option, or the loss
            fails on a small labelled batch.
    """

    def __init__(
        self,
        settings: MetricLossSettings,
        class_count: int,
        feature_dim: int,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if settings.miner is None and settings.miner_options:
            raise ValueError(
                "objective.metric.miner_options are given, but no objective.metric.miner: name "
                "one, or leave its options out"
            )
        self.settings = settings
        sizes = {
            "num_classes": class_count,
            "embedding_size": feature_dim,
            "descriptors_dim": feature_dim,
        }
        with _drawing_from(generator):
            self.loss = make_member("losses", settings.name, settings.options, sizes)
            self.miner = (
                None
                if settings.miner is None
                else make_member("miners", settings.miner, settings.miner_options, {})
            )
            _keep_plain_tensors(self)
            self._try(feature_dim)

    def forward(
        self, feature: Tensor, labels: Tensor, counts: Sequence[int] | None = None, **_: object
    ) -> Tensor:
        """Compute the loss.

        Args:
            feature: (N, feature_dim), any floating type; computed in float32 or better.
            labels: (N,) int64.
            counts: rows of each rank where known (`aclnet.distributed.row_counts`).

        Returns:
            () loss of the batch of all ranks, every parameter taking part in its gradient.
        """
        with full_precision(feature.device):
            rows = at_least_float32(feature)
            if not self.training:
                return self._compute(rows, labels, keep=False)
            counts = row_counts(labels) if counts is None else counts
            # A rank has the gradient of its own rows only, but that of the loss's parameters whole:
            # so the average over ranks is undone at the rows and not at the loss.
            rows = join_rows(undo_gradient_average(rows), counts)
            return self._compute(rows, all_gather_rows(labels, counts), keep=True)

    def _compute(self, rows: Tensor, labels: Tensor, keep: bool) -> Tensor:
        before = [(owner, name, old.clone()) for owner, name, old in self._state() if not keep]
        pairs = None if self.miner is None else self.miner(rows, labels)
        loss: Tensor = self.loss(rows, labels, pairs).reshape(())
        for owner, name, buffer in self._state() if keep else before:
            if buffer.requires_grad or not keep:
                # Detached: DynamicSoftMarginLoss would hold on to the graph of every past step.
                setattr(owner, name, buffer.detach())
        # A batch without pairs gives a loss that knows of no parameter.
        return loss + sum(parameter.sum() for parameter in self.parameters()) * 0.0

    def _state(self) -> list[tuple[nn.Module, str, Tensor]]:
        """Every buffer with the module and name it has there."""
        return [
            (module, name, buffer)
            for module in self.modules()
            for name, buffer in module.named_buffers(recurse=False)
        ]

    def _try(self, feature_dim: int) -> None:
        """Refuse at once what would fail at the first batch."""
        trial = copy.deepcopy(self)
        labels = torch.arange(4) // 2
        rows = torch.randn(4, feature_dim)
        try:
            trial._compute(rows, labels, keep=False)
        except _FAILURES as error:
            raise ValueError(_refusal(self.settings, error)) from None


def _refusal(settings: MetricLossSettings, error: Exception) -> str:
    miner = "" if settings.miner is None else f" with miner {settings.miner}"
    return (
        f"objective.metric: {settings.name}{miner} cannot be computed on labelled features with "
        f"options {settings.options}: {' '.join(str(error).split()) or type(error).__name__}"
    )


def _keep_plain_tensors(root: nn.Module) -> None:
    for module in root.modules():
        plain = [key for key, value in vars(module).items() if isinstance(value, Tensor)]
        for key in plain:
            module.register_buffer(key, vars(module).pop(key).detach())


@contextmanager
def _drawing_from(generator: torch.Generator | None) -> Iterator[None]:
    """The package draws from torch's default generator: let it stand for `generator` meanwhile."""
    seed = int(torch.randint(2**62, (), generator=generator))
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


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
