from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

MANY_STEPS = """
import torch
from aclnet.models.affinity_gcn import TemporalUnit
from aclnet.models.stages import short_cut
channels_last = {"memory_format": torch.channels_last}
for kind, more, widths in ((short_cut, (32, 2), (8, 12, 16)), (TemporalUnit, (10, 2), (50, 96))):
    for channels in widths:
        print(kind.__name__, channels, flush=True)
        torch.manual_seed(0)
        layer = kind(channels, *more).to(**channels_last)
        for _ in range(60 if kind is short_cut else 30):
            maps = torch.randn(25, channels, 16, 10).to(**channels_last)
            found = layer(maps.requires_grad_())
            found.backward(torch.randn_like(found))
            held = [torch.randn(37 * size + 1) for size in range(20)]
"""
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
        # Sums in another order: a ReLU or two of thousands falls to the other side of zero.
        for alone, together, share in zip(sides, two[case], (1e-5, 0.01), strict=True):
            assert (together - alone).norm() < share * alone.norm(), case


def test_two_threads_do_not_write_beyond_their_memory() -> None:
    done = subprocess.run(
        [sys.executable, "-c", MANY_STEPS],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "2"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
