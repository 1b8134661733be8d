from __future__ import annotations

import pytest
import torch

from aclnet.clips.augmentation import rotate
from aclnet.clips.blocks import by_blocks
from aclnet.clips.streams import make_streams
from aclnet.skeleton import load_layout


@pytest.mark.parametrize("batch", [1, 3, 40])
def test_clips_in_blocks_are_those_of_the_whole_batch(batch: int) -> None:
    layout = load_layout("ntu25")
    clips = torch.randn(batch, 2, 90, 25, 3, generator=torch.Generator().manual_seed(0))

    def streams(some: torch.Tensor) -> torch.Tensor:
        return make_streams(some, layout, ("j", "b", "k", "bm"), dims=3)

    assert torch.equal(by_blocks(streams, clips), streams(clips))


def test_clips_are_rotated_as_each_by_itself() -> None:
    generator = torch.Generator().manual_seed(0)
    clips, angles = torch.randn(40, 2, 90, 25, 4, generator=generator), torch.rand(40, 3)
    alone = [rotate(clips[i : i + 1], angles[i : i + 1], 3) for i in range(40)]
    assert torch.equal(rotate(clips, angles, 3), torch.cat(alone))
