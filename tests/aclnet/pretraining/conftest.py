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
