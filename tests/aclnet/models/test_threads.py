from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

SCRIPT = Path(__file__).with_name("thread_steps.py")


@pytest.mark.slow
def test_every_backbone_trains_with_two_threads_as_with_one(tmp_path: Path) -> None:
    found = []
    for threads in ("1", "2"):
        out = tmp_path / threads
        done = subprocess.run(
            [sys.executable, SCRIPT, out],
            capture_output=True,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": threads},
        )
        assert done.returncode == 0, done.stderr
        found.append(torch.load(out))
    one, two = found
    assert one.keys() == two.keys()
    for case, sides in one.items():
        for alone, together in zip(sides, two[case], strict=True):
            assert (together - alone).norm() < 0.02 * alone.norm(), case
