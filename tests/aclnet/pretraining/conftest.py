"""The golden data of ActCLR in the project's axis order."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from aclnet.models.st_gcn import StGcnSettings
from aclnet.pretraining.embedder import Embedder, Projector
from aclnet.pretraining.official import import_official
from aclnet.skeleton import load_layout


@pytest.fixture(scope="session")
def golden(shared: Path) -> Callable[[str], dict[str, Any]]:
    """Read a golden file by its stem."""

    def read(name: str) -> dict[str, Any]:
        with np.load(shared / "golden" / "actclr" / f"{name}.npz") as archive:
            return {key: archive[key] for key in archive.files}

    return read


@pytest.fixture(scope="session")
def clip_of() -> Callable[[Any], Tensor]:
    """A clip (C, T, V, M) or clips (N, C, T, V, M) as (N, M, T, V, C) in double precision."""

    def turned(array: Any) -> Tensor:
        clips = torch.from_numpy(np.asarray(array)).double()
        return (clips if clips.dim() == 5 else clips[None]).permute(0, 4, 2, 3, 1)

    return turned


@pytest.fixture(scope="session")
def numbers() -> Callable[[Any], list[Any]]:
    """The values of a JSON list of draws, in order."""

    def read(draws: Any) -> list[Any]:
        return [value for _, value in json.loads(str(draws))]

    return read


@pytest.fixture(scope="session")
def tensors(golden: Callable[[str], dict[str, Any]]) -> Callable[[str], dict[str, Tensor]]:
    """Read the numbers of a golden file; floats as float64, as they were computed."""

    def read(name: str) -> dict[str, Tensor]:
        numbers = {key: array for key, array in golden(name).items() if array.dtype.kind in "fi"}
        found = {key: torch.from_numpy(array) for key, array in numbers.items()}
        return {k: t.double() if t.is_floating_point() else t for k, t in found.items()}

    return read


@pytest.fixture(scope="session")
def embedder(tensors: Callable[[str], dict[str, Tensor]]) -> Callable[[], Embedder]:
    """Make the small embedder with the golden weights, in float64."""
    state = {k.removeprefix("sd/"): t for k, t in tensors("encoder").items() if k[:3] == "sd/"}

    def make() -> Embedder:
        settings = StGcnSettings(
            width=8, last_width=32, partition="spatial_released", absent_persons="count"
        )
        encoder = settings.build(load_layout("ntu25"), 3, None)
        made = Embedder(encoder, Projector(32, 16)).double()
        made.load_state_dict(import_official(state))
        assert torch.equal(encoder.adjacency, state["A"])
        return made

    return make
