"""Any loss of pytorch-metric-learning as a term of the objective: the field's baselines.

The package (Musgrave et al. 2020, "PyTorch Metric Learning") is an extra and is imported only where
a recipe names one of its losses:

```yaml
objective:
  inter_weight: 0
  intra_weight: 0
  metric: {name: TripletMarginLoss, weight: 1.0, options: {margin: 0.2}, miner: BatchHardMiner}
```

Its wrappers around other losses are not offered (its memory loses its cursor when a run is
resumed), and, since options are plain values, neither are distances and reducers other than each
loss's own.
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

from aclnet.distributed import all_gather_rows, join_rows, undo_gradient_average
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
)  # arguments that are not plain values


class MetricLoss(Term):
    """One loss of the package, optionally with a miner, on labelled features.

    Plain tensors of the package become buffers here, so that they are saved and moved with the
    rest; parameters of a loss (class weights, proxies) are optimised like any others.

    With several ranks each computes the loss of the joined batch, so value, state and averaged
    gradients are those of one rank; only a loss or miner that draws pairs at random draws its own
    on each rank. In eval mode the state does not change and nothing is exchanged.

    Most of these losses list their pairs by index, for which the host waits for the device. Some
    need a certain batch: NCALoss is NaN where no class occurs twice, SmoothAPLoss needs equally
    many samples of each class, DynamicSoftMarginLoss fails where features are nearly opposite.

    Args:
        settings: names and options.
        class_count: K, for losses that take it.
        feature_dim: length of the feature, for losses that take it.
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
                "objective.metric.miner_options need a miner: set objective.metric.miner, or "
                "leave the options out"
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
            counts: rows of each rank, where they are known (`aclnet.distributed.row_counts`).

        Returns:
            () loss of the batch of all ranks, with a gradient for every parameter.
        """
        with full_precision(feature.device):
            rows = at_least_float32(feature)
            if not self.training:
                return self._compute(rows, labels, keep=False)
            # A rank has the gradient of its own rows only, but the whole gradient of the loss's
            # parameters: the average over ranks is undone at the rows and not at the loss.
            rows = join_rows(undo_gradient_average(rows), counts)
            return self._compute(rows, all_gather_rows(labels, counts), keep=True)

    def _compute(self, rows: Tensor, labels: Tensor, keep: bool) -> Tensor:
        before = [(owner, name, old.clone()) for owner, name, old in self._state() if not keep]
        pairs = None if self.miner is None else self.miner(rows, labels)
        loss: Tensor = self.loss(rows, labels, pairs).reshape(())
        for owner, name, buffer in self._state() if keep else before:
            if buffer.requires_grad or not keep:
                # Detached: DynamicSoftMarginLoss would keep the graph of every past step.
                setattr(owner, name, buffer.detach())
        # The loss of a batch without pairs depends on no parameter.
        return loss + sum(parameter.sum() for parameter in self.parameters()) * 0.0

    def _state(self) -> list[tuple[nn.Module, str, Tensor]]:
        """Every buffer with its module and its name there."""
        return [
            (module, name, buffer)
            for module in self.modules()
            for name, buffer in module.named_buffers(recurse=False)
        ]

    def _try(self, feature_dim: int) -> None:
        """Refuse at once what would fail at the first batch."""
        rows, labels = torch.randn(4, feature_dim), torch.arange(4) // 2
        try:
            copy.deepcopy(self)._compute(rows, labels, keep=False)
        except Exception as error:  # the package raises many types where options do not fit
            settings = self.settings
            miner = "" if settings.miner is None else f" with miner {settings.miner}"
            raise ValueError(
                f"objective.metric: {settings.name}{miner} cannot be computed on labelled features "
                f"with options {settings.options}: "
                f"{' '.join(str(error).split()) or type(error).__name__}"
            ) from None


def _keep_plain_tensors(root: nn.Module) -> None:
    for module in root.modules():
        plain = [key for key, value in vars(module).items() if isinstance(value, Tensor)]
        for key in plain:
            module.register_buffer(key, vars(module).pop(key).detach())


@contextmanager
def _drawing_from(generator: torch.Generator | None) -> Iterator[None]:
    """Seed torch's default generator, from which the package draws, by `generator` meanwhile."""
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
        sizes: arguments that follow from the data, passed where the class requires them.

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
    """The class of this name."""
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
            f"objective.metric.{place}={name!r} is not in {_PACKAGE}.{part}"
            f"{nearest_name(name, kinds)}; it has {', '.join(sorted(kinds))}"
        )
    return kinds[name]


def _arguments(kind: type[Any]) -> dict[str, bool]:
    """Arguments of a class and of its bases in the package, and whether each is required."""
    found: dict[str, bool] = {}
    for level in kind.__mro__:
        if "__init__" not in vars(level) or not level.__module__.startswith(_PACKAGE):
            continue
        for argument in list(inspect.signature(vars(level)["__init__"]).parameters.values())[1:]:
            if argument.kind not in (argument.VAR_POSITIONAL, argument.VAR_KEYWORD):
                found.setdefault(argument.name, argument.default is argument.empty)
    return found
