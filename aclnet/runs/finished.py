"""Whether a run's training is finished, by its log: without the network library."""

from __future__ import annotations

from pathlib import Path

from aclnet.config import read_mapping
from aclnet.runs.info import RUN_INFO, SETTINGS, parse_run_info
from aclnet.training.log import read_log

_LOG = "log.jsonl"


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
    # An epoch ends with its own line; the line of its evaluation follows. More epochs than the
    # settings have: a finished run was resumed with more and stopped, or is still training.
    whole = any(line.get("kind") == "epoch" and line.get("epoch") == epochs for line in lines)
    reached = lines[-1].get("epoch") if lines else 0
    if epochs is None or (whole and reached == epochs):
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
