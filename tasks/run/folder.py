"""A run's folder: checks before writing to it, and the files written before the training."""

from __future__ import annotations

import shutil
from pathlib import Path

from pydantic import BaseModel

from aclnet.config import dump_settings
from aclnet.runs.info import RUN_INFO, SETTINGS, RunInfo
from aclnet.training.checkpoint import atomic_write
from aclnet.training.engine import CHECKPOINT


def check_run_folder(run: Path, resume: bool, overwrite: bool) -> bool:
    """Check that a run may be written to a folder.

    Returns:
        Whether the folder holds a run, to be resumed or deleted.

    Raises:
        ValueError: the folder holds a run and neither `resume` nor `overwrite` is given, or it
            holds something else, or both are given.
    """
    if resume and overwrite:
        raise ValueError(
            "--resume continues a run and --overwrite deletes it: give only one of them"
        )
    if run.exists() and not run.is_dir():
        raise ValueError(f"{run} is a file; give a folder for the run")
    has_run = (run / RUN_INFO).exists() or (run / CHECKPOINT).exists()
    if has_run and not (resume or overwrite):
        raise ValueError(
            f"{run} already holds a run: continue it with --resume, delete it with --overwrite, or "
            "give another folder with --run"
        )
    if run.exists() and not has_run and any(run.iterdir()):
        raise ValueError(f"{run} is not empty and holds no run; give another folder with --run")
    foreign = [item.name for item in run.iterdir() if item.is_dir()] if has_run else []
    if foreign and overwrite:
        raise ValueError(
            f"{run} holds the folder {foreign[0]}, which is not part of a run, so that it is not "
            "deleted: give another folder with --run"
        )
    return has_run


def start_run_folder(run: Path, resume: bool, overwrite: bool) -> None:
    """Create a run's folder; with `overwrite` a run in it is deleted first.

    Raises:
        ValueError: as `check_run_folder`.
    """
    if check_run_folder(run, resume, overwrite) and overwrite:
        shutil.rmtree(run)
    run.mkdir(parents=True, exist_ok=True)


def write_run_folder(run: Path, settings: BaseModel, info: RunInfo) -> None:
    """Write the settings and `run.json`; each file is complete or absent."""
    texts = {RUN_INFO: info.model_dump_json(indent=2) + "\n", SETTINGS: dump_settings(settings)}
    for name, text in texts.items():
        with atomic_write(run / name) as draft:
            draft.write_text(text, encoding="utf-8")
