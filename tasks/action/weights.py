"""Weights that the authors of ACLNet (or PYSKL) released, as a run of this package."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from aclnet.config import dump_settings
from aclnet.models import SkeletonNetwork
from aclnet.models.official import import_official
from aclnet.runs.networks import build_network, weight_generator
from aclnet.training.checkpoint import save_checkpoint
from aclnet.training.engine import CHECKPOINT
from aclnet.training.task import Trainable
from tasks.action.adapter import ActionAdapter
from tasks.action.settings import ActionSettings, HoldOutSettings
from tasks.run.adapter import Report, run_info
from tasks.run.folder import check_run_folder, start_run_folder, write_run_folder
from tasks.run.pipeline import RunResult, judge_run
from tasks.samples.open import open_data
from tasks.spec import TaskSpec

OBJECTIVE = "imported"
_LOSSES = ("cls_head.inter_loss.", "cls_head.intra_loss.")
_COUNTER = "num_batches_tracked"


@dataclass(frozen=True)
class Matched:
    """What of a released checkpoint found its place.

    Attributes:
        weights: all tensors of the network, under its own names.
        used: tensors of the checkpoint that are in them.
        left_out: names of the checkpoint that are not: projections of the losses.
    """

    weights: dict[str, Tensor]
    used: int
    left_out: tuple[str, ...]

    def sentence(self, file: Path) -> str:
        """What matched, for who imports."""
        text = f"{file}: {self.used} tensors fill the network's {len(self.weights)}"
        if not self.left_out:
            return f"{text}; none was left out"
        return (
            f"{text}; {len(self.left_out)} of the losses' projections were left out "
            f"({', '.join(self.left_out[:2])}{', ...' if len(self.left_out) > 2 else ''})"
        )


def import_weights(
    spec: TaskSpec,
    file: Path,
    settings: ActionSettings,
    run: Path,
    cache: Path,
    *,
    command: str,
    overwrite: bool = False,
    report: Report | None = None,
) -> RunResult:
    """Make a run of released weights and test it; nothing is written unless everything fits.

    Args:
        spec: action recognition.
        file: the checkpoint, as PyTorch saved it.
        settings: of the data, the clips and the encoder; the objective becomes cross-entropy alone
            and the neck none, as a released network has them.
        run: folder of the run to make.
        cache: folder for converted data.
        command: the command line, for the record.
        overwrite: replace a run that is there.
        report: takes sentences of progress.

    Raises:
        ValueError: the file is no such checkpoint, or does not fit the settings or the data.
    """
    settings = released_settings(settings)
    check_run_folder(run, False, overwrite)
    state = read_weights(file)
    adapter = ActionAdapter(settings, open_data(settings.data, cache, report), report)
    info = run_info(spec.name, adapter)
    generator = weight_generator(settings.train.seed)
    network = build_network(settings.network, len(info.classes), adapter.clip_input, generator)
    matched = match_weights(state, network, file)
    network.load_state_dict(matched.weights)
    if report is not None:
        report(matched.sentence(file))
    start_run_folder(run, False, overwrite)
    write_run_folder(run, settings, info)
    _save(run, adapter.make_task(network, generator), settings, file)
    notes = (f"weights imported from {file.name}, not trained here",)
    return judge_run(
        spec, adapter, network.eval(), 0.0, run, command, report, objective=OBJECTIVE, notes=notes
    )


def _save(run: Path, task: Trainable, settings: ActionSettings, file: Path) -> None:
    content = {
        "task": task.state_dict(),
        "recipe": dump_settings(settings),
        "imported": file.name,
    }
    save_checkpoint(run / CHECKPOINT, content)


def released_settings(settings: ActionSettings) -> ActionSettings:
    """The settings with what every released network has: no neck, and nothing left to train.

    Raises:
        ValueError: the encoder is another one than the released.
    """
    encoder = settings.network.encoder.name
    if encoder != "affinity_gcn":
        raise ValueError(
            f"released weights are of the encoder affinity_gcn, and the recipe has {encoder}: set "
            "network.encoder={name: affinity_gcn}"
        )
    objective = settings.objective.model_copy(
        update={"inter_weight": 0.0, "intra_weight": 0.0, "feature": "pooled"}
    )
    return settings.model_copy(
        update={
            "network": settings.network.model_copy(update={"neck": "none"}),
            "objective": objective,
            "hold_out": HoldOutSettings(people=0),
            "select": "last",
        }
    )


def read_weights(file: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint under their released names; no code in it is run.

    A `state_dict` inside is taken out (as mmcv saves it), and `module.` before all names.

    Raises:
        ValueError: there is no such file, PyTorch cannot read it without running code, or it holds
            no tensors by name.
    """
    if not file.is_file():
        raise ValueError(f"{file}: there is no such file; give the checkpoint's .pth")
    try:
        content: Any = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises a dozen types for a bad file
        raise ValueError(
            f"{file}: not a PyTorch checkpoint of tensors and plain values (it is damaged, or "
            f"reading it would run code: {type(error).__name__}); save its state_dict alone and "
            "import that"
        ) from None
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    named = isinstance(content, Mapping) and all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in content.items()
    )
    if not named or not content:
        raise ValueError(f"{file}: expected tensors by name, or such a state_dict in a dict")
    return {name.removeprefix("module."): tensor for name, tensor in content.items()}


def match_weights(state: Mapping[str, Tensor], network: SkeletonNetwork, file: Path) -> Matched:
    """Find the place of every tensor of a released checkpoint.

    Args:
        state: from `read_weights`.
        network: with an `AffinityGcn`; its batch counters stand in for those that are not there.
        file: for messages.

    Raises:
        ValueError: a name is unknown or missing, or a shape is another.
    """
    try:
        imported = import_official(state)
    except (ValueError, RuntimeError, IndexError) as error:
        raise ValueError(f"{file}: {error}") from None
    own = network.state_dict()
    for name, tensor in own.items():
        if name.endswith(_COUNTER):
            imported.setdefault(name, tensor)
    problems = [f"{name} is missing" for name in own if name not in imported]
    problems += [f"{name} is not in the recipe's network" for name in imported if name not in own]
    problems += [
        f"{name} has shape {tuple(imported[name].shape)} and not {tuple(tensor.shape)}"
        for name, tensor in own.items()
        if name in imported and imported[name].shape != tensor.shape
    ]
    if problems:
        more = f" (and {len(problems) - 2} more)" if len(problems) > 2 else ""
        raise ValueError(
            f"{file} does not fit the recipe's network: {'; '.join(problems[:2])}{more}: set "
            "network.encoder (width, blocks, widen_at, stride_at, subsets) as the checkpoint has "
            "them, and give data of the same joints, channels and classes"
        )
    left_out = tuple(name for name in state if name.startswith(_LOSSES))
    return Matched(imported, len(state) - len(left_out), left_out)
