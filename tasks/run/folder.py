"""A run's folder: what it remembers of its data, and who may write into it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from aclnet.config import Settings, dump_settings
from aclnet.data.store import Store
from aclnet.skeleton import layout_from_dict
from aclnet.training.checkpoint import atomic_write
from aclnet.training.engine import CHECKPOINT

SETTINGS, RUN_INFO = "settings.yaml", "run.json"


class RunInfo(Settings):
    """What a run's network was trained on; needed to use it without the data.

    Attributes:
        task: name of the task.
        classes: K class names, in the classifier's order.
        layout: joint layout of its clips, as plain values.
        channels: channel names of its clips.
        unit: unit of the coordinates.
        dataset: name of the data set.
        fingerprint: of the data set's store.
        synthetic: whether the data were generated.
    """

    task: str
    classes: tuple[str, ...]
    layout: dict[str, Any]
    channels: tuple[str, ...]
    unit: str
    dataset: str
    fingerprint: str
    synthetic: bool

    def require(self, store: Store, run: Path) -> None:
        """Refuse data that the run's network cannot read.

        Raises:
            ValueError: other joints, channels or unit than the network was trained on.
        """
        joints = layout_from_dict(self.layout).joints
        if store.layout.joints != joints or store.info.channels != self.channels:
            raise ValueError(
                f"the data have {store.layout.joint_count} joints ({store.layout.name}) and "
                f"channels {', '.join(store.info.channels)}, but the network of {run} was trained "
                f"on {len(joints)} joints ({self.layout['name']}) and channels "
                f"{', '.join(self.channels)}{_first_other(store.layout.joints, joints)}: convert "
                f"the data with --map-to {self.layout['name']}"
            )
        if store.info.unit != self.unit:
            raise ValueError(
                f"the data are in unit {store.info.unit}, but the network of {run} was trained on "
                f"unit {self.unit}: convert the data with --unit {self.unit} if that is what "
                "they are"
            )


def _first_other(data: tuple[str, ...], network: tuple[str, ...]) -> str:
    """Layouts of one name and size may still differ: the first joint that does."""
    pairs = enumerate(zip(data, network, strict=False))
    others = [
        f" (joint {i} is {have} in the data, not {want})"
        for i, (have, want) in pairs
        if have != want
    ]
    return others[0] if others and len(data) == len(network) else ""


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


def require_run(run: Path) -> None:
    """Refuse a folder that is no run.

    Raises:
        ValueError: it has no settings, or nothing on its data.
    """
    if not (run / SETTINGS).is_file() or not (run / RUN_INFO).is_file():
        raise ValueError(
            f"{run} is not a run: it has no {SETTINGS} and {RUN_INFO}; give the folder that "
            "`aclnet-task ... train` wrote"
        )


def read_run_info(run: Path) -> RunInfo:
    """What a run remembers of its data.

    Raises:
        ValueError: the file is missing or damaged.
    """
    require_run(run)
    return parse_run_info(run / RUN_INFO)


def parse_run_info(path: Path) -> RunInfo:
    """Read a run's `run.json`, wherever it lies.

    Raises:
        ValueError: the file is damaged.
    """
    try:
        return RunInfo.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "file"
        raise ValueError(
            f"{path} is damaged: {place}: {first['msg']}; copy it again or train anew"
        ) from None
