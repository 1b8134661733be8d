"""What a run remembers of its data and its network: `run.json` in its folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import ValidationError

from aclnet.clips.completion import Distances
from aclnet.clips.settings import ClipSettings
from aclnet.config import Settings, read_mapping
from aclnet.config.errors import PLUGIN
from aclnet.data.settings import DataSettings
from aclnet.foreign.version import json_version, refuse_newer
from aclnet.models.settings import NetworkSettings
from aclnet.runs.settings import EmbedSettings, ScoringSettings
from aclnet.skeleton import Layout, layout_from_dict
from aclnet.skeleton.library import is_shipped

if TYPE_CHECKING:
    from aclnet.data.store import Store

SETTINGS, RUN_INFO = "settings.yaml", "run.json"
VERSION = 1
"""Newest version of a run's folder; goes up with that of `run.json`."""
LOCK = ".lock"
"""Held by the process that trains or evaluates a run; with several ranks by rank 0."""
_LAST, _BEST = "checkpoint.pt", "best.pt"


class RunModel(Settings):
    """What is needed to use a run's network, whatever its task.

    Attributes:
        network: encoder, neck and dropout.
        clip: the network's input.
        embed: how a recording becomes one embedding.
        test: how a recording is classified; None if the task does not classify.
        data: how the run's files were read.
        weights: the file of the tested weights.
    """

    network: NetworkSettings
    clip: ClipSettings
    embed: EmbedSettings
    test: ScoringSettings | None = None
    data: DataSettings
    weights: Literal["checkpoint.pt", "best.pt"] = "checkpoint.pt"


class InitialWeights(Settings):
    """The weights of another run with which a training began.

    Attributes:
        run: that run's folder.
        task: its task.
        objective: its objective.
        fingerprint: SHA-256 of the loaded tensors and their names.
        recipe: short hash of that run's settings without seed and places, the same for all seeds;
            empty in runs that did not note it.
        loaded: number of loaded tensors.
        left: number of its other tensors by the part of its checkpoint, such as
            `network.classifier`.
    """

    run: str
    task: str
    objective: str
    fingerprint: str
    recipe: str = ""
    loaded: int
    left: dict[str, int]

    def __str__(self) -> str:
        """What was loaded and what was left, as one sentence."""
        left = ", ".join(f"{count} of {part}" for part, count in self.left.items()) or "none"
        return (
            f"The training began with {self.loaded} tensors of {self.run} ({self.task}, "
            f"{self.objective}; weights {self.fingerprint[:12]}); left there: {left}."
        )


class RunInfo(Settings):
    """What a run's network was trained on, to use it without the data.

    Attributes:
        format: version of this description, and with it of the run's folder.
        task: name of the task.
        classes: K class names, in the classifier's order.
        layout: joint layout of its clips, as plain values.
        channels: channel names of its clips.
        unit: unit of the coordinates.
        dataset: name of the data set.
        fingerprint: of the data set's store.
        synthetic: whether the data were generated.
        files: size and time of the last change of the store's files (`aclnet.data.changes`); None
            in runs of older versions.
        division: fingerprint of the training samples' keys and classes; empty in runs of older
            versions.
        model: a `RunModel` as plain values, which load without the network library; None in runs
            of older versions, whose settings hold the same.
        trains_classifier: whether the training trains the network's classifier.
        initial: the weights of another run with which the training began; None: random ones.
        joint_distances: of its training people (`aclnet.clips.completion`), where missing joints
            are estimated.
    """

    format: Literal[1] = 1
    task: str
    classes: tuple[str, ...]
    layout: dict[str, Any]
    channels: tuple[str, ...]
    unit: str
    dataset: str
    fingerprint: str
    synthetic: bool
    files: dict[str, tuple[int, int]] | None = None
    division: str = ""
    model: dict[str, Any] | None = None
    trains_classifier: bool = True
    initial: InitialWeights | None = None
    joint_distances: tuple[tuple[float, ...], ...] | None = None

    @property
    def distances(self) -> Distances | None:
        """The joints' distances (V, V)."""
        return None if self.joint_distances is None else np.array(self.joint_distances)

    def require(self, store: Store, run: Path) -> None:
        """Refuse data that do not fit the run's network.

        Raises:
            ValueError: other joints, channels or unit than the network was trained on.
        """
        layout = layout_from_dict(self.layout)
        if store.layout.joints != layout.joints or store.info.channels != self.channels:
            other = _first_difference(store.layout.joints, layout.joints)
            raise ValueError(
                f"the data have {store.layout.joint_count} joints ({store.layout.name}) and "
                f"channels {', '.join(store.info.channels)}, but the network of {run} was trained "
                f"on {layout.joint_count} joints ({layout.name}) and channels "
                f"{', '.join(self.channels)}{other}: {_remedy(store.layout, layout, run)}"
            )
        if store.info.unit != self.unit:
            raise ValueError(
                f"the data are in unit {store.info.unit}, but the network of {run} was trained on "
                f"unit {self.unit}: convert the data with --unit {self.unit} if that is their unit"
            )


def _remedy(data: Layout, network: Layout, run: Path) -> str:
    if data.joints == network.joints:
        return (
            "give data with these channels; some formats can leave one out (-o confidence=false, "
            "-o dims=2)"
        )
    name = network.name if is_shipped(network) else run
    return f"convert the data with `aclnet-task data convert DATA STORE --map-to {name}`"


def _first_difference(data: tuple[str, ...], network: tuple[str, ...]) -> str:
    """The first joint that differs between layouts of one size, which may have the same name."""
    if len(data) == len(network):
        for joint, (have, want) in enumerate(zip(data, network, strict=True)):
            if have != want:
                return f" (joint {joint} is {have} in the data, not {want})"
    return ""


def read_run_info(run: Path) -> RunInfo:
    """What a run remembers of its data.

    Raises:
        ValueError: the folder is not a run, is of a newer version, or the file is damaged.
    """
    if not run.exists():
        raise ValueError(f"{run} is not a run: there is no such file or folder")
    missing = [name for name in (SETTINGS, RUN_INFO) if not (run / name).is_file()]
    if missing:
        raise ValueError(
            f"{run} is not a run: it has no {' and '.join(missing)}; give the folder that "
            "`aclnet-task ... train` wrote"
        )
    return parse_run_info(run / RUN_INFO)


def parse_run_info(path: Path) -> RunInfo:
    """Read a `run.json` from anywhere.

    Raises:
        ValueError: the file is damaged, or of a newer version.
    """
    content = path.read_bytes()
    refuse_newer(path, json_version(content, "format"), VERSION)
    with _refusing_damage(path):
        return RunInfo.model_validate_json(content)


def read_run_model(run: Path) -> RunModel:
    """What a run's network needs, from `run.json` or, for older runs, from the run's settings.

    Raises:
        ValueError: the folder is not a run, it is damaged, or its two files contradict each other.
    """
    saved = read_run_info(run).model
    settings = read_mapping(run / SETTINGS)
    if saved is None:
        fields = {name: settings[name] for name in RunModel.model_fields if name in settings}
        kept = (settings.get("train") or {}).get("keep_best")
        # Action recognition tests the last epoch, and has no best one, where nobody validates.
        best = settings.get("select") == "best" or kept is not None
        best = best and ((run / _BEST).is_file() or settings.get("test") is None)
        with _refusing_damage(run / SETTINGS):
            return RunModel.model_validate({**fields, "weights": _BEST if best else _LAST})
    for part in ("network", "clip", "embed", "test"):
        if part in settings and settings[part] != saved.get(part):
            raise ValueError(
                f"{run / SETTINGS} and {RUN_INFO} contradict each other in {part}: was one of "
                "them edited? Change settings of a run with `aclnet-task ... train --resume "
                "--set ...`"
            )
    with _refusing_damage(run / RUN_INFO):
        return RunModel.model_validate(saved)


@contextmanager
def _refusing_damage(path: Path) -> Iterator[None]:
    try:
        yield
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "file"
        if first["type"] == "union_tag_invalid":
            raise ValueError(
                f"{path}: {place}: nothing is registered as {first['ctx']['tag']!r}: load the file "
                f"that registers it ({PLUGIN}, or import it)"
            ) from None
        raise ValueError(
            f"{path} is damaged: {place}: {first['msg']}; copy it again or train again"
        ) from None
