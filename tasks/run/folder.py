"""A run's folder: its one writer, the checks before it, and the files before the training."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel

from aclnet.config import dump_settings
from aclnet.files import DRAFT, make_folder, owned, remove_drafts, whole_file
from aclnet.runs.calibration import CALIBRATION
from aclnet.runs.info import LOCK, RUN_INFO, SETTINGS, RunInfo
from aclnet.training.engine import BEST, CHECKPOINT, LOG
from aclnet.training.events import is_events_folder
from tasks.spec import all_tasks

_RECORDS = re.compile(r"record(-[\w-]+)?\.json")


@contextmanager
def owned_run(run: Path, resume: bool, overwrite: bool) -> Iterator[None]:
    """Be the only process that writes a run; what killed processes left of it is removed.

    Raises:
        ValueError: another process is writing it (`aclnet.files.Busy`), or as `check_run_folder`.
    """
    _check_usable(run, resume, overwrite)
    with owned(run / LOCK, run, "wait for it to end, or give another folder with --run"):
        remove_drafts(run)
        check_run_folder(run, resume, overwrite)
        yield


def check_run_folder(run: Path, resume: bool, overwrite: bool) -> bool:
    """Check that a run may be written to a folder.

    Returns:
        Whether the folder holds a run, to be resumed or deleted.

    Raises:
        ValueError: the folder holds a run and neither `resume` nor `overwrite` is given, or it
            holds something else, or both are given.
    """
    has_run = _check_usable(run, resume, overwrite)
    if has_run and not (resume or overwrite):
        raise ValueError(
            f"{run} already holds a run: continue it with --resume, delete it with --overwrite, or "
            "give another folder with --run"
        )
    foreign = [name for name in _names(run) if not _is_own(run / name)]
    if has_run and overwrite and foreign:
        raise ValueError(
            f"{run} holds {foreign[0]}, which is not part of a run, so it is not deleted: move it "
            "away, or give another folder with --run"
        )
    return has_run


def start_run_folder(run: Path, overwrite: bool) -> None:
    """Create a run's folder; with `overwrite` the files of the run in it are deleted first.

    The folder itself stays, and so does a link to it. The run must be owned (`owned_run`).
    """
    make_folder(run)
    if overwrite:
        # run.json and the checkpoint last: killed in between, it is still known as a run.
        for name in sorted(_names(run), key=(RUN_INFO, CHECKPOINT).__contains__):
            if is_events_folder(run / name):
                shutil.rmtree(run / name)
            elif _is_own(run / name):
                (run / name).unlink()


def write_run_folder(run: Path, settings: BaseModel, info: RunInfo) -> None:
    """Write the settings and `run.json`; each file is complete or absent."""
    texts = {RUN_INFO: info.model_dump_json(indent=2) + "\n", SETTINGS: dump_settings(settings)}
    for name, text in texts.items():
        with whole_file(run / name) as draft:
            draft.write_text(text, encoding="utf-8")


def _check_usable(run: Path, resume: bool, overwrite: bool) -> bool:
    """Check that nothing else is in a run's folder; returns whether there is a run."""
    if resume and overwrite:
        raise ValueError(
            "--resume continues a run and --overwrite deletes it: give only one of them"
        )
    if run.exists() and not run.is_dir():
        raise ValueError(f"{run} is a file; give a folder for the run")
    has_run = (run / RUN_INFO).exists() or (run / CHECKPOINT).exists()
    if not has_run and _names(run):
        raise ValueError(f"{run} is not empty and holds no run; give another folder with --run")
    return has_run


def _names(run: Path) -> list[str]:
    """What is in a run's folder, but for its lock and drafts."""
    names = sorted(item.name for item in run.iterdir()) if run.is_dir() else []
    return [name for name in names if name != LOCK and not DRAFT.fullmatch(name)]


def _is_own(path: Path) -> bool:
    """Whether this is a file, or the folder of events, that the program writes into runs."""
    name = path.name
    if path.is_dir():
        return is_events_folder(path)
    if name in (SETTINGS, RUN_INFO, LOG, CHECKPOINT, BEST, CALIBRATION) or _RECORDS.fullmatch(name):
        return True
    # A study of the training also keeps the network's output after some epochs.
    kept = re.sub(r"-epoch\d+(?=\.)", "", name)
    return kept in {"embeddings.npz", *(spec.saved for spec in all_tasks().values())}
