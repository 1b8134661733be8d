"""Whether a run's training is finished, by its log: without the network library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aclnet.config import read_mapping
from aclnet.runs.info import RUN_INFO, SETTINGS, parse_run_info
from aclnet.training.log import FINISHED, read_log

_LOG, _RECORD = "log.jsonl", "record.json"


def require_finished(run: Path, unfinished: bool = False) -> bool:
    """Refuse a run whose training is interrupted, still going on, or went on after its evaluation.

    A run without a log, such as one of imported weights, counts as finished.

    Args:
        run: the run's folder.
        unfinished: accept it.

    Returns:
        Whether the training is finished.

    Raises:
        ValueError: it is not, and `unfinished` is off; or the log is damaged.
    """
    if not (run / _LOG).is_file() or not (run / SETTINGS).is_file():
        return True
    epochs = (read_mapping(run / SETTINGS).get("train") or {}).get("epochs")
    lines = read_log(run / _LOG)
    # More epochs than the settings have: a finished run was resumed with more and stopped, or is
    # still training.
    reached = lines[-1].get("epoch") if lines else 0
    if epochs is None or (reached == epochs and _ends(run, lines)):
        return True
    if unfinished:
        return False
    task = parse_run_info(run / RUN_INFO).task if (run / RUN_INFO).is_file() else "..."
    where = f"in epoch {reached} of {epochs}" if reached <= epochs else f"after epoch {reached}"
    raise ValueError(
        f"{run}: its training is not finished (it is {where}): continue it with `aclnet-task "
        f"{task} train --run {run} --resume`; eval, embed and predict take it as it is with "
        "--unfinished (aclnet.load with unfinished=True)"
    )


def _ends(run: Path, lines: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a log that reaches the last epoch ends with it.

    Logs of earlier versions have no line for it: there the record tells.
    """
    kinds = [line.get("kind") for line in lines]
    return kinds[-1] == FINISHED or (FINISHED not in kinds and (run / _RECORD).is_file())
