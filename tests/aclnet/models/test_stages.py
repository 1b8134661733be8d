from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch

from aclnet.models.stages import short_cut

MANY_STEPS = """
import torch
from aclnet.models.stages import short_cut
torch.manual_seed(0)
layer = short_cut({channels}, 32, 2).to(memory_format=torch.channels_last)
for _ in range(60):
    clips = torch.randn(25, {channels}, 16, 10).to(memory_format=torch.channels_last)
    found = layer(clips.requires_grad_())
    found.backward(torch.randn_like(found))
    held = [torch.randn(37 * size + 1) for size in range(20)]
print("whole")
"""


@pytest.mark.parametrize("channels", [8, 12, 16])
def test_two_threads_do_not_write_beyond_their_memory(channels: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MANY_STEPS.format(channels=channels)],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "2"},
    )
    assert (done.returncode, done.stdout) == (0, "whole\n"), done.stderr


@pytest.mark.parametrize("channels", [8, 16])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_the_short_cut_is_a_pointwise_convolution(channels: int, stride: int) -> None:
    layer = short_cut(channels, 24, stride)[0]  # type: ignore[index]
    clips = torch.randn(3, channels, 7, 5)
    wanted = torch.nn.functional.conv2d(clips, layer.weight, layer.bias, (stride, 1))
    torch.testing.assert_close(layer(clips), wanted)
