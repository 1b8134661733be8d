"""A run's folder: who may write into it, and what is written before the training."""

from __future__ import annotations

import shutil
from pathlib import Path

from pydantic import BaseModel

from aclnet.config import dump_settings
from aclnet.runs.info import RUN_INFO, SETTINGS, RunInfo
from aclnet.training.checkpoint import atomic_write
from aclnet.training.engine import CHECKPOINT


def check_run_folder(run: Path, resume: bool, overwrite: bool) -> bool:
    """Refuse to write over a finished or begun run, or into a folder of something else.

    Returns:
        Whether there is a run, which may be gone on with or deleted, as was asked for.

    Raises:
        ValueError: the folder holds a run and neither `resume` nor `overwrite` was given, or it
            holds something else, or both were given.
    """
    if resume and overwrite:
        raise ValueError("--resume goes on with a run and --overwrite deletes it: give one of them")
    if run.exists() and not run.is_dir():
        raise ValueError(f"{run} is a file; name a folder for the run")
    begun = (run / RUN_INFO).exists() or (run / CHECKPOINT).exists()
    if begun and not (resume or overwrite):
        raise ValueError(
            f"{run} holds a run already: go on with --resume, begin anew with --overwrite, or name "
            "another folder with --run"
        )
    if run.exists() and not begun and any(run.iterdir()):
        raise ValueError(f"{run} is not empty and holds no run; name another folder with --run")
    foreign = [item.name for item in run.iterdir() if item.is_dir()] if begun else []
    if foreign and overwrite:
        raise ValueError(
            f"{run} holds the folder {foreign[0]}, which no run writes, and is not deleted: name "
            "another folder with --run"
        )
    return begun


def start_run_folder(run: Path, resume: bool, overwrite: bool) -> None:
    """Make a run's folder, without the run in it where that may be overwritten.

    Raises:
        ValueError: as `check_run_folder`.
    """
    if check_run_folder(run, resume, overwrite) and overwrite:
        shutil.rmtree(run)
    run.mkdir(parents=True, exist_ok=True)


def write_run_folder(run: Path, settings: BaseModel, info: RunInfo) -> None:
    """Write what is known before the training; each file is whole or absent."""
    texts = {RUN_INFO: info.model_dump_json(indent=2) + "\n", SETTINGS: dump_settings(settings)}
    for name, text in texts.items():
        with atomic_write(run / name) as draft:
            draft.write_text(text, encoding="utf-8")
