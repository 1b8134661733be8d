"""Imports weights that the authors of ACLNet (or PYSKL) released as a run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from aclnet.config import dump_settings
from aclnet.models import SkeletonNetwork
from aclnet.models.official import import_official
from aclnet.runs.networks import build_network, weight_generator
from aclnet.training.checkpoint import check_pickled, save_checkpoint
from aclnet.training.engine import CHECKPOINT
from tasks.action.adapter import ActionAdapter
from tasks.action.settings import ActionSettings, HoldOutSettings
from tasks.run.adapter import run_info
from tasks.run.folder import owned_run, start_run_folder, write_run_folder
from tasks.run.pipeline import RunResult, judge_run, output_of
from tasks.samples.open import open_data
from tasks.spec import Report, find_task

OBJECTIVE = "imported"
_LOSSES = ("cls_head.inter_loss.", "cls_head.intra_loss.")
_COUNTER = "num_batches_tracked"


def import_weights(
    file: Path,
    settings: ActionSettings,
    run: Path,
    cache: Path,
    command: str,
    overwrite: bool,
    report: Report,
) -> RunResult:
    """Create a run from released weights and test it; nothing is written unless everything fits.

    Args:
        file: the checkpoint, as saved by PyTorch.
        settings: data, clips and encoder; the objective becomes cross-entropy alone and the neck
            none, as in released networks.
        run: folder of the run to create.
        cache: folder for converted data.
        command: command line, for the record.
        overwrite: replace a run in the folder.
        report: called with progress messages.

    Raises:
        ValueError: the file is not such a checkpoint, or does not fit the settings or the data.
    """
    settings = released_settings(settings)
    with owned_run(run, False, overwrite):
        state = read_weights(file)
        adapter = ActionAdapter(settings, open_data(settings.data, cache, report), report)
        info = run_info("action", adapter)
        generator = weight_generator(settings.train.seed)
        network = build_network(settings.network, len(info.classes), adapter.clip_input, generator)
        network.load_state_dict(_match_weights(state, network, file))
        unused = [name for name in state if name.startswith(_LOSSES)]
        names = f" ({', '.join(unused[:2])}{', ...' if len(unused) > 2 else ''})" if unused else ""
        filled = (
            f"{len(state) - len(unused)} tensors fill the network's {len(network.state_dict())}"
        )
        report(f"{file}: {filled}; unused projections of the losses: {len(unused)}{names}")
        start_run_folder(run, overwrite)
        write_run_folder(run, settings, info)
        task = adapter.make_task(network, generator).state_dict()
        content = {"task": task, "recipe": dump_settings(settings), "imported": file.name}
        save_checkpoint(run / CHECKPOINT, content)
        origin = {
            "objective": OBJECTIVE,
            "notes": (f"weights imported from {file.name}, not trained here",),
        }
        spec = find_task("action")
        tested = output_of(adapter, network.eval(), report)
        return judge_run(spec, adapter, network, tested, 0.0, run, command, **origin)


def released_settings(settings: ActionSettings) -> ActionSettings:
    """Adapt the settings to released networks: no neck, and nothing that needs training.

    Raises:
        ValueError: the encoder is not that of the released networks.
    """
    encoder = settings.network.encoder.name
    if encoder != "affinity_gcn":
        raise ValueError(
            f"released weights are of the encoder affinity_gcn, but the recipe has {encoder}: set "
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
    """Read the tensors of a checkpoint under their released names, without running code in it.

    A nested `state_dict` (as mmcv saves it) is unpacked, and the prefix `module.` is removed.

    Raises:
        ValueError: there is no such file, PyTorch cannot read it without running code, or it does
            not hold tensors by name.
    """
    if not file.is_file():
        raise ValueError(f"{file}: there is no such file; give the checkpoint's .pth")
    try:
        check_pickled(file)
        content: Any = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many types for a bad file
        raise ValueError(
            f"{file}: not a PyTorch checkpoint of tensors and plain values (it is damaged, or "
            f"reading it would run code: {type(error).__name__}); save only its state_dict and "
            "import that"
        ) from None
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    named = isinstance(content, Mapping) and all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in content.items()
    )
    if not named or not content:
        raise ValueError(f"{file}: expected tensors by name, or a dict with such a state_dict")
    return {name.removeprefix("module."): tensor for name, tensor in content.items()}


def _match_weights(
    state: Mapping[str, Tensor], network: SkeletonNetwork, file: Path
) -> dict[str, Tensor]:
    """The tensors of a released checkpoint under the names of a network with an `AffinityGcn`.

    The network's batch counters replace missing ones.
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
        f"{name} has shape {tuple(imported[name].shape)} instead of {tuple(tensor.shape)}"
        for name, tensor in own.items()
        if name in imported and imported[name].shape != tensor.shape
    ]
    if problems:
        more = f" (and {len(problems) - 2} more)" if len(problems) > 2 else ""
        raise ValueError(
            f"{file} does not fit the recipe's network: {'; '.join(problems[:2])}{more}: set "
            "network.encoder (width, blocks, widen_at, stride_at, subsets) as in the checkpoint, "
            "and give data with the same joints, channels and classes"
        )
    return imported
