"""The golden data of ActCLR, in this package's axes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from aclnet.models.st_gcn import StGcnSettings
from aclnet.pretraining.embedder import Embedder, Projector
from aclnet.pretraining.official import import_official
from aclnet.skeleton import load_layout

Golden = dict[str, Tensor]


@pytest.fixture(scope="session")
def golden(shared: Path) -> Callable[[str], Golden]:
    """Load a file of golden data; floats as float64, as its values were computed."""

    def load(name: str) -> Golden:
        with np.load(shared / "golden" / "actclr" / f"{name}.npz") as file:
            arrays = {
                key: torch.from_numpy(file[key]) for key in file if file[key].dtype.kind in "fi"
            }
        return {k: t.double() if t.is_floating_point() else t for k, t in arrays.items()}

    return load


@pytest.fixture(scope="session")
def embedder(golden: Callable[[str], Golden]) -> Callable[[], Embedder]:
    """Make the small embedder with the golden weights, in float64."""
    state = {k.removeprefix("sd/"): t for k, t in golden("encoder").items() if k.startswith("sd/")}

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


def clips_of(x: Tensor) -> Tensor:
    """(N, C, T, V, M) as (N, M, T, V, C)."""
    return x.permute(0, 4, 2, 3, 1)


def by_body(x: Tensor) -> Tensor:
    """(N, M, ...) as (N * M, ...)."""
    return x.flatten(0, 1)


@pytest.fixture(scope="session")
def parts() -> Tensor:
    """The body parts (5, 25) in the golden order."""
    joints = (
        [3, 2, 20, 1, 0],
        [8, 9, 10, 11, 23, 24],
        [4, 5, 6, 7, 21, 22],
        [16, 17, 18, 19],
        [12, 13, 14, 15],
    )
    return torch.stack([torch.isin(torch.arange(25), torch.tensor(part)) for part in joints])
