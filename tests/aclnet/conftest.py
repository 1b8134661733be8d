"""Two gloo ranks for any script of the tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def two_ranks(ready: Any, tmp_path: Path) -> Callable[..., Path]:
    """Run `script OUT RANK WORLD STORE ARGUMENTS...` once a rank; returns the folder OUT."""

    def start(script: Path, *arguments: str) -> Path:
        environment = {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
        ranks = [
            ready(script, tmp_path, rank, 2, tmp_path / "store", *arguments, env=environment)
            for rank in range(2)
        ]
        try:
            errors = [process.communicate(timeout=120)[1] for process in ranks]
        finally:
            for process in ranks:
                process.kill()
        assert [process.returncode for process in ranks] == [0, 0], "\n".join(errors)
        return tmp_path

    return start
