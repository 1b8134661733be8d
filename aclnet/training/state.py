"""The state of a run, and the checkpoint that holds it."""

from __future__ import annotations

import math
import re
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter, ValidationError
from torch import Tensor, nn

from aclnet.config import dump_settings
from aclnet.config.errors import nearest
from aclnet.foreign.yaml import parse_yaml
from aclnet.training.checkpoint import load_checkpoint, save_checkpoint
from aclnet.training.settings import RESUMABLE, TrainSettings


@dataclass
class RunState:
    """Position and bookkeeping of a run; the schedule follows from the position.

    Attributes:
        epoch: 1-based epoch to continue with; one more than the run's epochs at the end.
        step: steps done of that epoch; if all, the epoch is trained but not yet evaluated.
        seconds: time of the whole run, without interruptions.
        log_lines: lines of the log.
        metrics: of the last epoch: losses as "train/NAME", the evaluation's under its own names.
        best: best value so far of the metric that `keep_best` names.
        means: sums and weights of the losses in the current epoch.
    """

    epoch: int = 1
    step: int = 0
    seconds: float = 0.0
    log_lines: int = 0
    metrics: dict[str, float] = field(default_factory=dict)
    best: float | None = None
    means: dict[str, tuple[float, float]] = field(default_factory=dict)

    @classmethod
    def saved(cls, fields: Mapping[str, Any], path: Path) -> RunState:
        """The state in a checkpoint.

        Raises:
            ValueError: a field is of another type; `path` is named.
        """
        try:
            return TypeAdapter(cls).validate_python(dict(fields))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise ValueError(f"{path}: state {place}: {first['msg']}") from None

    def take_best(self, scores: Mapping[str, float], name: str) -> bool:
        """Record the value of the metric that decides which epoch is the best.

        Args:
            scores: metrics of the evaluation; if empty, nothing happens.
            name: `TrainSettings.keep_best`, a metric of which more is better.

        Returns:
            Whether it is better than all before; NaN never is.

        Raises:
            ValueError: there is no metric of that name (the nearest is given).
        """
        if not scores:
            return False
        if name not in scores:
            raise ValueError(
                f"keep_best names the metric `{name}`{nearest('name', name, list(scores))}, but "
                f"the evaluation has {', '.join(sorted(scores))}"
            )
        if math.isnan(scores[name]) or (self.best is not None and scores[name] <= self.best):
            return False
        self.best = scores[name]
        return True


def save_run(
    path: Path,
    task: nn.Module,
    optimizer: torch.optim.Optimizer,
    state: RunState,
    settings: TrainSettings,
    steps_per_epoch: int,
    recipe: str,
) -> None:
    """Write all that a run needs to resume, atomically.

    Args:
        path: checkpoint file.
        task: its parameters and buffers.
        optimizer: its state.
        state: position and bookkeeping.
        settings: saved as YAML text under "settings".
        steps_per_epoch: saved to notice other data.
        recipe: the whole run's resolved settings as YAML, saved under "recipe" for information.
    """
    content = {
        "task": task.state_dict(),
        "optimizer": optimizer.state_dict(),
        "state": dict(vars(state)),
        "settings": dump_settings(settings),
        "steps_per_epoch": steps_per_epoch,
        "recipe": recipe,
    }
    save_checkpoint(path, content)


def load_run(
    path: Path, task: nn.Module, settings: TrainSettings, steps_per_epoch: int
) -> tuple[RunState, dict[str, Any]]:
    """Read a checkpoint, check that it belongs to this run, and fill the task.

    Args:
        path: checkpoint file.
        task: receives the saved parameters and buffers.
        settings: of the resumed run; may differ in `RESUMABLE` only.
        steps_per_epoch: of the resumed run.

    Returns:
        The position, and the optimizer's state for its `load_state_dict`.

    Raises:
        ValueError: the file is damaged, or belongs to another model, other data or other settings.
    """
    content = load_checkpoint(path)
    missing = {"task", "optimizer", "state", "settings", "steps_per_epoch"} - content.keys()
    if missing:
        raise ValueError(
            f"{path}: not a training checkpoint: it has no {', '.join(sorted(missing))}"
        )
    _check_settings(path, parse_yaml(content["settings"], f"{path}: settings"), settings)
    if content["steps_per_epoch"] != steps_per_epoch:
        raise ValueError(
            f"{path}: the run had {content['steps_per_epoch']} steps in an epoch and now has "
            f"{steps_per_epoch}: resume with the same data and batch size, or start a new run"
        )
    load_weights(task, content["task"], path)
    return RunState.saved(content["state"], path), content["optimizer"]


def load_weights(task: nn.Module, weights: Mapping[str, Tensor], source: Path) -> None:
    """Fill a task with saved parameters and buffers, all of them.

    Args:
        task: to fill.
        weights: a `state_dict`; also with the objective's terms under the names of older versions.
        source: file to name in the error.

    Raises:
        ValueError: names or shapes differ (the first few are given).
    """
    own = task.state_dict()
    weights = {_present_name(name, own): tensor for name, tensor in weights.items()}
    problems = [f"{name} is missing" for name in own if name not in weights]
    problems += [f"{name} is unknown" for name in weights if name not in own]
    problems += [
        f"{name} has shape {tuple(weights[name].shape)}, not {tuple(tensor.shape)}"
        for name, tensor in own.items()
        if name in weights and weights[name].shape != tensor.shape
    ]
    if problems:
        shown = "; ".join(problems[:3])
        more = f" (and {len(problems) - 3} more)" if len(problems) > 3 else ""
        raise ValueError(
            f"{source}: the checkpoint belongs to another model or objective: {shown}{more}"
        )
    task.load_state_dict(weights)


def _present_name(name: str, own: Container[str]) -> str:
    """`inter_loss.cl_fc.weight` as `terms.inter.cl_fc.weight`, if that is among `own`."""
    renamed = re.sub(r"(^|\.)(inter|intra|metric)_loss\.", r"\1terms.\2.", name, count=1)
    return renamed if renamed in own else name


def _check_settings(path: Path, saved: Mapping[str, Any], settings: TrainSettings) -> None:
    now = settings.model_dump(mode="json")
    free = set(RESUMABLE)
    if settings.schedule in ("constant", "step"):
        free.add("epochs")  # they do not depend on the run's length
    for name, value in now.items():
        before = saved.get(name, value)
        if name not in free and before != value:
            raise ValueError(
                f"{path}: the run was started with {name} = {before!r} and would continue with "
                f"{value!r}: resume with the same settings, or start a new run in another folder"
            )
