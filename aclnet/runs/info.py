"""What a run remembers of its data: `run.json` in its folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ValidationError

from aclnet.clips.settings import ClipSettings
from aclnet.config import Settings, read_mapping
from aclnet.data.settings import DataSettings
from aclnet.models.settings import NetworkSettings
from aclnet.runs.settings import EmbedSettings, ScoringSettings
from aclnet.skeleton import layout_from_dict

if TYPE_CHECKING:
    from aclnet.data.store import Store

SETTINGS, RUN_INFO = "settings.yaml", "run.json"
_LAST, _BEST = "checkpoint.pt", "best.pt"


class RunModel(Settings):
    """What the network of a run needs to be used, whatever its task.

    Attributes:
        network: encoder, neck and dropout.
        clip: what the network sees of a recording.
        embed: how a recording becomes one embedding.
        test: how a recording is classified; None where the task classifies nothing.
        data: how the run's files were read.
        weights: the file of the weights that were tested.
    """

    network: NetworkSettings
    clip: ClipSettings
    embed: EmbedSettings
    test: ScoringSettings | None = None
    data: DataSettings
    weights: Literal["checkpoint.pt", "best.pt"] = "checkpoint.pt"


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
        model: a `RunModel` as plain values, which nothing heavy reads; None in runs of versions
            before it was kept, whose settings tell the same.
    """

    task: str
    classes: tuple[str, ...]
    layout: dict[str, Any]
    channels: tuple[str, ...]
    unit: str
    dataset: str
    fingerprint: str
    synthetic: bool
    model: dict[str, Any] | None = None

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
        raise ValueError(_first_problem(error, path)) from None


def read_run_model(run: Path) -> RunModel:
    """What a run's network needs, from `run.json` or, of older runs, from the run's settings.

    Raises:
        ValueError: the folder is no run, it is damaged, or its two files contradict each other.
    """
    told = read_run_info(run).model
    settings = read_mapping(run / SETTINGS)
    if told is not None:
        for part in ("network", "clip", "embed", "test"):
            if part in settings and settings[part] != told.get(part):
                raise ValueError(
                    f"{run / SETTINGS} and {RUN_INFO} contradict each other in {part}: was one of "
                    "them edited? Change settings of a run with `aclnet-task ... train --resume "
                    "--set ...`"
                )
        return _checked(RunModel, told, run / RUN_INFO)
    shared = {name: settings[name] for name in RunModel.model_fields if name in settings}
    kept = (settings.get("train") or {}).get("keep_best")
    # Of action recognition the last epoch is tested where nobody validates: there is no best one.
    best = settings.get("select") == "best" or kept is not None
    best = best and ((run / _BEST).is_file() or settings.get("test") is None)
    return _checked(RunModel, {**shared, "weights": _BEST if best else _LAST}, run / SETTINGS)


def _checked(model: type[RunModel], fields: object, path: Path) -> RunModel:
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise ValueError(_first_problem(error, path)) from None


def _first_problem(error: ValidationError, path: Path) -> str:
    first = error.errors()[0]
    place = ".".join(map(str, first["loc"])) or "file"
    return f"{path} is damaged: {place}: {first['msg']}; copy it again or train anew"
