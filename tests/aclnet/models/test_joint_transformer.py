from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError
from torch.nn import functional

from aclnet.models.joint_transformer import (
    JointTransformerSettings,
    Positions,
    TransformerBlock,
    cut,
)


def test_a_segment_is_one_joint_in_successive_frames() -> None:
    bodies = torch.arange(1 * 5 * 2 * 3).view(1, 5, 2, 3)
    segments = cut(bodies, 2)
    assert segments.shape == (1, 3, 2, 6)
    assert torch.equal(segments[0, 1, 1], torch.cat([bodies[0, 2, 1], bodies[0, 3, 1]]))
    assert torch.equal(segments[0, 2, 0], bodies[0, 4, 0].repeat(2))  # filled up


@pytest.mark.parametrize("segments", [1, 4, 7, 11, 30])
def test_positions_of_other_lengths_are_interpolated(segments: int) -> None:
    positions = Positions(7, 5, 3)
    torch.nn.init.normal_(positions.time)
    torch.nn.init.normal_(positions.joint)
    time = functional.interpolate(positions.time.t()[None], size=segments, mode="linear")[0].t()
    wanted = time[:, None] + positions.joint[None]
    torch.testing.assert_close(positions(segments), wanted, rtol=1e-5, atol=1e-5)


def test_a_block_attends_as_in_its_formula() -> None:
    torch.manual_seed(0)
    block, x = TransformerBlock(8, 2).double(), torch.randn(1, 3, 8, dtype=torch.float64)
    maps = block.maps(block.attention_norm(x))[0]
    joined = []
    for head in range(2):
        query, key, value = (maps[:, 8 * i + 4 * head : 8 * i + 4 * head + 4] for i in range(3))
        joined.append((query @ key.t() / 2).softmax(dim=1) @ value)
    after = x + block.joined(torch.cat(joined, dim=1))
    torch.testing.assert_close(block(x), after + block.perceptron(after))


def test_heads_share_the_width() -> None:
    with pytest.raises(ValidationError, match="width must be a multiple of heads, got width 10"):
        JointTransformerSettings(width=10, heads=4)
