from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from aclnet.clips.streams import make_stream
from aclnet.pretraining.body import body_of
from aclnet.pretraining.transfer import Stream, draw_partners, partners, transfer
from aclnet.skeleton import layout_names, load_layout

Golden = Callable[[str], dict[str, Any]]
ClipOf = Callable[[Any], Tensor]
CPU = torch.device("cpu")


@pytest.mark.parametrize(("stream", "name"), [("j", "joint"), ("b", "bone"), ("jm", "motion")])
def test_golden_streams(stream: Stream, name: str, golden: Golden, clip_of: ClipOf) -> None:
    data = golden("step")
    clips = clip_of(data["view/weak"])[:, :, :12]
    given = clips.clone()
    others = clips[partners(4, int(data[f"transfer/{name}_shift"]))]
    made = transfer(clips, others, stream, body_of(load_layout("ntu25"), 3, CPU))
    expected = clip_of(data[f"transfer/{name}"])
    torch.testing.assert_close(made, expected, rtol=1e-6, atol=1e-6)
    assert torch.equal(clips, given)


@pytest.mark.parametrize("name", layout_names())
def test_bone_lengths_change_and_directions_do_not(name: str) -> None:
    layout = load_layout(name)
    body = body_of(layout, 3, CPU)
    generator = torch.Generator().manual_seed(0)
    shape = (4, 2, 5, layout.joint_count, 3)
    clips = torch.randn(shape, generator=generator, dtype=torch.float64)
    others = clips[draw_partners(4, generator)]
    made = transfer(clips, others, "j", body)
    length = make_stream(made, layout, "l", dims=3)
    torch.testing.assert_close(
        length, make_stream(others, layout, "l", dims=3), rtol=1e-2, atol=5e-3
    )
    torch.testing.assert_close(
        body.bones(made), transfer(body.bones(clips), body.bones(others), "b", body)
    )
    torch.testing.assert_close(transfer(clips, clips, "j", body), clips)


def test_nobody_stays_nobody_and_the_confidence_stays() -> None:
    layout = load_layout("coco17")
    body = body_of(layout, 2, CPU)
    clips = torch.rand(3, 2, 4, 17, 3) + 0.5
    clips[0, 1] = 0
    clips[1, 0, 2, 5] = 0
    for stream in ("j", "b", "jm"):
        made = transfer(clips, clips.roll(1, 0), stream, body)
        assert torch.equal((made != 0).any(-1), (clips != 0).any(-1))
        assert torch.equal(made[..., 2], clips[..., 2])


def test_partners_are_a_cyclic_shift() -> None:
    drawn = {
        tuple(draw_partners(5, torch.Generator().manual_seed(seed)).tolist()) for seed in range(50)
    }
    assert drawn == {tuple((row + shift) % 5 for row in range(5)) for shift in (1, 2, 3)}
    assert draw_partners(2, torch.Generator()).tolist() == [1, 0]
    assert draw_partners(1, torch.Generator()).tolist() == [0]


def test_other_streams_are_refused() -> None:
    clips = torch.zeros(2, 1, 3, 25, 3)
    with pytest.raises(ValueError, match="for the streams j, b, jm, not for 'k'"):
        transfer(clips, clips, "k", body_of(load_layout("ntu25"), 3, CPU))  # type: ignore[arg-type]
