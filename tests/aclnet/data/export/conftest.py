from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aclnet.data.sample import Sample, StoreInfo
from aclnet.data.store import Store, write_store
from aclnet.skeleton import load_layout


@pytest.fixture
def people(tmp_path: Path) -> Callable[..., Store]:
    """A store of COCO's joints: keys of samples, and changes of its description."""

    def made(keys: list[str], persons: int = 2, **changes: Any) -> Store:
        about: dict[str, Any] = {
            "name": "people",
            "layout": load_layout("coco17").to_dict(),
            "channels": ("x", "y", "confidence"),
            "unit": "pixel",
            "image_size": (640, 480),
            "fps": 30.0,
            **changes,
        }
        info = StoreInfo(**about)
        random = np.random.default_rng(0)

        def each() -> Any:
            for number, key in enumerate(keys):
                pose = random.uniform(1, 80, size=(persons, 17, len(info.channels)))
                pose += 200 * np.arange(persons)[:, None, None]  # people stay where they are
                frames = pose + random.uniform(size=(5 + number, *pose.shape))
                frames = frames.astype(np.float32)
                if info.unit != "pixel":
                    frames /= 400
                frames[..., info.dims :] = 0.1 + frames[..., info.dims :] / 1000
                frames[2, 0, 4] = 0  # a joint that was not found
                frames[3, :] = 0  # nobody
                frames[0, 1:] = 0  # somebody comes later
                fields = {"identity": f"p{number}", "label": "walk, slowly", "view": "090"}
                numbers = np.arange(7, 12 + number)
                yield Sample(key, frames, **fields, take=str(number), frame_numbers=numbers)

        return write_store(tmp_path / "made", each(), info, overwrite=True)

    return made
