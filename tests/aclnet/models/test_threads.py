from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

MANY_STEPS = """
import torch
from aclnet.models.affinity_gcn import TemporalUnit
from aclnet.models.stages import short_cut
torch.set_num_threads(2)
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
def test_every_backbone_trains_with_two_threads_as_with_one(ready: Any, tmp_path: Path) -> None:
    found = []
    for threads in (1, 2):
        out = tmp_path / str(threads)
        process = ready(SCRIPT, out, threads)
        _, err = process.communicate()
        assert process.returncode == 0, err
        found.append(torch.load(out))
    one, two = found
    assert one.keys() == two.keys()
    for case, sides in one.items():
        # Sums in another order: a ReLU or two of thousands falls to the other side of zero.
        for alone, together, share in zip(sides, two[case], (1e-5, 0.01), strict=True):
            assert (together - alone).norm() < share * alone.norm(), case


def test_two_threads_do_not_write_beyond_their_memory(ready: Any) -> None:
    process = ready("-c", MANY_STEPS)
    out, err = process.communicate()
    assert process.returncode == 0, out + err
