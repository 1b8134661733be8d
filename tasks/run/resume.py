"""Checks before a run is resumed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from aclnet.foreign.yaml import parse_yaml
from aclnet.runs.info import RUN_INFO, RunInfo, read_run_info
from aclnet.training.checkpoint import load_checkpoint
from aclnet.training.engine import CHECKPOINT
from aclnet.training.state import RunState
from tasks.settings import TaskSettings

_KEPT = {
    "task": "the task",
    "fingerprint": "the data",
    "classes": "the training classes",
    "layout": "the joints",
    "channels": "the channels",
    "unit": "the unit",
    "division": "the division into training and test samples",
}


def reached_epoch(run: Path, settings: TaskSettings, info: RunInfo) -> int | None:
    """The epoch at which a run resumes, after checking that its settings and data are the same.

    What determines the weights must not change: clips, network, objective, sampler and data. The
    training loop compares its own settings (`aclnet.training.state`). Embedding and evaluation may
    change, unless they select the best epoch.

    Args:
        run: the run's folder.
        settings: settings to resume with.
        info: data to resume with.

    Returns:
        Epoch, 1-based; one after the last if the training is finished; None without a checkpoint.

    Raises:
        ValueError: the checkpoint is damaged, or it was made with other settings or data.
    """
    path = run / CHECKPOINT
    if not path.is_file():
        return None
    checkpoint = load_checkpoint(path)
    # Older versions began all runs of most tasks with random weights, and trained with labels.
    saved = parse_yaml(checkpoint.get("recipe", ""), f"{path}: recipe") or {}
    before = {"init_from": None, "self_supervised": None, **saved}
    now = settings.model_dump(mode="json")
    found = list(differences(_shaping(before, settings), now))
    if found:
        place, old, new = found[0]
        raise ValueError(
            f"{run} was started with {place} = {old!r} and would resume with {new!r}: resume with "
            "the same settings (without --config they are the run's own), or start another run in "
            "another folder"
        )
    if (run / RUN_INFO).is_file():
        _check_data(run, read_run_info(run), info)
    return RunState.saved(checkpoint.get("state", {}), path).epoch


def _shaping(before: Mapping[str, Any], settings: TaskSettings) -> dict[str, Any]:
    """The settings with which the run was started, as far as they determine the weights."""
    best = getattr(settings, "select", "last") == "best"
    kept: dict[str, Any] = {}
    for part, fields in settings.shaping(before, best).items():
        value = before.get(part)
        if isinstance(value, Mapping) and fields:
            kept[part] = {name: value[name] for name in fields if name in value}
        elif part in before and not fields:
            kept[part] = value
    return kept


def differences(
    before: Mapping[str, Any], now: Mapping[str, Any], above: str = ""
) -> Iterator[tuple[str, Any, Any]]:
    """Dotted name, old and new value of the settings that differ.

    A setting that only one of the two has belongs to another version, and does not count.

    >>> list(differences({"a": {"b": 1, "c": 2}}, {"a": {"b": 3, "d": 4}}))
    [('a.b', 1, 3)]
    """
    for name, new in now.items():
        if name not in before:
            continue
        old = before[name]
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from differences(old, new, f"{above}{name}.")
        elif old != new:
            yield f"{above}{name}", old, new


def _check_data(run: Path, before: RunInfo, now: RunInfo) -> None:
    """Check that data, joints and classes are those with which the run was started."""
    then, today = before.model_dump(mode="json"), now.model_dump(mode="json")
    for name, what in _KEPT.items():
        old, new = then[name], today[name]
        if old != new and old != "":  # older versions do not know the division
            values = f" ({old[:12]} before, {new[:12]} now)" if isinstance(old, str) else ""
            raise ValueError(
                f"{run} was started on data set {before.dataset}, and {what} would change{values}: "
                "resume with the same data and the same division of people, or start a new run, "
                "with --overwrite or in another folder"
            )
