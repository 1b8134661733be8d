from __future__ import annotations

import pytest
import torch

from aclnet.clips.streams import make_stream
from aclnet.pretraining.body import PARTS, body_of
from aclnet.skeleton import layout_from_dict, layout_names, load_layout

CPU = torch.device("cpu")


def test_parts_are_in_the_published_order() -> None:
    published = [
        [3, 2, 20, 1, 0],
        [8, 9, 10, 11, 23, 24],
        [4, 5, 6, 7, 21, 22],
        [16, 17, 18, 19],
        [12, 13, 14, 15],
    ]
    parts = body_of(load_layout("ntu25"), 3, CPU).parts
    assert [part.nonzero().flatten().tolist() for part in parts] == [sorted(p) for p in published]


@pytest.mark.parametrize("name", layout_names())
def test_the_parts_of_a_shipped_layout_are_its_own(name: str) -> None:
    layout = load_layout(name)
    body = body_of(layout, 2, CPU)
    assert set(layout.parts) == set(PARTS)
    for part, joints in zip(PARTS, body.parts, strict=True):
        assert joints.nonzero().flatten().tolist() == sorted(layout.part_index(part).tolist())
    assert (body.parts.sum(dim=0) == 1).all()


@pytest.mark.parametrize("name", layout_names())
def test_bones_are_the_stream_and_chain_up_to_the_joints(name: str) -> None:
    layout = load_layout(name)
    body = body_of(layout, 3, CPU)
    clips = torch.randn(2, 2, 3, layout.joint_count, 3, dtype=torch.float64)
    bones = body.bones(clips)
    assert torch.equal(bones, make_stream(clips, layout, "b", dims=3))
    torch.testing.assert_close(body.chain(bones, clips[..., body.centre, :]), clips)


def test_a_joint_of_no_limb_belongs_to_the_trunk_and_one_of_two_is_refused() -> None:
    values = load_layout("coco17").to_dict()
    trunk = values["parts"].pop("trunk")
    body = body_of(layout_from_dict(values), 2, CPU)
    assert int(body.parts[0].sum()) == len(trunk)
    twice = values | {"parts": values["parts"] | {"left_leg": ["left_hip", "left_wrist"]}}
    with pytest.raises(ValueError, match=r"joint left_wrist in 2 limbs.*correct parts"):
        body_of(layout_from_dict(twice), 2, CPU)
    none = values | {"parts": {}}
    with pytest.raises(ValueError, match=r"coco17 has no part right_arm.*name it in"):
        body_of(layout_from_dict(none), 2, CPU)
