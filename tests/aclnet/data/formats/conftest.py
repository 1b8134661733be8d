"""Pickles read in the tests' own process, without the limits of `formats/pickles/child.py`."""

from __future__ import annotations

import importlib
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aclnet.data.formats.pickles.limits import bytes_in_use


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Readers that unpickle are called here: their limits are tested in `pickles/test_child.py`."""

    def read(module: str, path: Path, *, bounded: bool = False, **how: Any) -> Any:
        return importlib.import_module(module).read(path, **how)

    monkeypatch.setattr("aclnet.data.formats.read_in_child", read)


@pytest.fixture(scope="module")
def little_memory() -> Iterator[None]:
    """Noise may ask for gigabytes, and is refused them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (bytes_in_use() + (1 << 29), hard))
    yield
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
