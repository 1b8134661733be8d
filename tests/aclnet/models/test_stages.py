from __future__ import annotations

import pytest
import torch

from aclnet.models.stages import short_cut


@pytest.mark.parametrize("channels", [8, 16])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_the_short_cut_is_a_pointwise_convolution(channels: int, stride: int) -> None:
    layer = short_cut(channels, 24, stride)[0]  # type: ignore[index]
    clips = torch.randn(3, channels, 7, 5)
    wanted = torch.nn.functional.conv2d(clips, layer.weight, layer.bias, (stride, 1))
    torch.testing.assert_close(layer(clips), wanted)
