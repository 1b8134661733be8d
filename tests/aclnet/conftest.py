"""Two gloo ranks for any script of the tests."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def two_ranks(tmp_path: Path) -> Callable[..., Path]:
    """Run `script OUT RANK WORLD STORE ARGUMENTS...` once a rank; returns the folder OUT."""

    def start(script: Path, *arguments: str) -> Path:
        command = [sys.executable, str(script), str(tmp_path)]
        environment = os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
        ranks = [
            subprocess.Popen(
                [*command, str(rank), "2", str(tmp_path / "store"), *arguments],
                env=environment,
                stderr=subprocess.PIPE,
                text=True,
            )
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
