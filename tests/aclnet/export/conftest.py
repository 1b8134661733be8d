"""Untrained networks of every kind as runs, and recordings of real people for them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from aclnet.clips.input import ClipInput
from aclnet.clips.settings import ClipSettings
from aclnet.data.formats import read
from aclnet.data.settings import DataSettings
from aclnet.data.store import Store
from aclnet.export.write import first_recordings
from aclnet.models.settings import NetworkSettings
from aclnet.runs.inference import InferenceNetwork, TorchPredictor
from aclnet.runs.info import RunInfo, RunModel
from aclnet.runs.model import Model
from aclnet.runs.networks import build_network, weight_generator
from aclnet.runs.settings import EmbedSettings, ScoringSettings
from aclnet.skeleton import layout_from_dict

STAGE = {"width": 16, "blocks": 1, "widen_at": [1], "stride_at": [1]}
ENCODERS: dict[str, dict[str, Any]] = {
    "affinity_gcn": STAGE,
    "clip_mlp": {"width": 16, "frames": 6},
    "ctr_gcn": STAGE,
    "joint_transformer": {"width": 16, "blocks": 1, "heads": 2, "positions": 4},
    "resgcn": {"depth": "n21", "graph": "bones"},
    "skate_former": {"widths": [16], "blocks": 1, "heads": 8, "window": 6},
    "st_gcn": {"width": 16, "blocks": 2, "widen_at": [2], "stride_at": [2]},
    "temporal_conv": {"width": 16, "blocks": 1},
    "transg": {"width": 16, "heads": 2, "positions": 5},
}
TASKS: dict[str, dict[str, Any]] = {
    "gait": {
        "file": "ucalgary_gait.npz",
        "clip": {"frames": 30},
        "embed": EmbedSettings(stride=30),
    },
    "reid": {
        "file": "ucalgary_gait.npz",
        "clip": {
            "frames": 6, "streams": ["j", "jm", "l"], "motion": "recording",
            "normalise": {
                "scale": "none", "centre": "clip", "heading": "clip", "body": "common",
            },
        },
        "embed": EmbedSettings(windows="centre", mirror=False, normalise=False),
    },
    "action": {
        "file": "sbu.npz",
        "clip": {"frames": 16, "sampling": "uniform", "streams": ["k", "bm"], "motion": "joined"},
        "test": ScoringSettings(clips=3),
    },
}  # fmt: skip

Made = tuple[Model, Store]


@pytest.fixture(scope="session")
def untrained(shared: Path) -> Callable[..., Made]:
    """A network with its preparation as a run of a task, and real recordings for it."""

    def make(encoder: str, task: str, **changes: Any) -> Made:
        chosen = TASKS[task]
        file = shared / "data" / chosen["file"]
        info, _ = read(file)
        settings = RunModel(
            network=NetworkSettings.model_validate(
                {"encoder": {"name": encoder, **ENCODERS[encoder]}}
            ),
            clip=ClipSettings.model_validate(chosen["clip"] | changes),
            embed=chosen.get("embed", EmbedSettings()),
            test=chosen.get("test"),
            data=DataSettings(path=file),
        )
        clips = ClipInput(settings.clip, layout_from_dict(info.layout), info.channels)
        network = build_network(settings.network, 5, clips, weight_generator(0)).eval()
        with torch.no_grad(), torch.random.fork_rng():
            torch.manual_seed(0)
            for name, tensor in network.state_dict().items():
                if name.endswith("running_var"):
                    tensor.uniform_(0.5, 2)
                elif tensor.is_floating_point():
                    tensor.add_(0.05 * torch.randn(tensor.shape))
        run = RunInfo(
            task=task, classes=("Ann", "Ben", "Cem", "Dora", "Eli"), layout=info.layout,
            channels=info.channels, unit=info.unit, dataset=info.name, fingerprint="",
            synthetic=False, model=settings.model_dump(mode="json"),
        )  # fmt: skip
        compared = settings.embed if settings.test is None else None
        predictor = TorchPredictor(InferenceNetwork(network, clips, compared))
        model = Model(file.parent, run, settings, predictor)
        return model, first_recordings(model, file)

    return make
