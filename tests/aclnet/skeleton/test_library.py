from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aclnet.skeleton import (
    Layout,
    canonical_name,
    find_layout,
    layout_from_dict,
    layout_names,
    load_layout,
    map_joints,
)

SHARED_LAYOUTS = {
    "kgbd": "kgbd20",
    "ucalgary_gait": "ucalgary18",
    "msraction3d": "msr20",
    "sbu": "sbu15",
    "jhmdb": "jhmdb15",
    "nwucla": "kinect20",
    "utkinect": "kinect20",
}
# spec/action.md 4.4, joint: parent.
NTU_PARENTS = [1, 20, 20, 2, 20, 4, 5, 6, 20, 8, 9, 10, 0, 12, 13, 14, 0, 16, 17, 18]
NTU_PARENTS += [20, 22, 7, 24, 11]
ARM = ("shoulder", "elbow")
COCO20_PARENTS = [19, 0, 0, 1, 2, 19, 19, 5, 6, 7, 8, 17, 17, 11, 12, 13, 14, 18, 19, 19]

USER = """
name: upper4
joints: [neck, head, left_hand, right_hand]
centre: neck
bones: {head: neck, left_hand: neck, right_hand: neck}
parts: {trunk: [neck, head]}
aliases: {neck: [shoulder_centre]}
"""


@pytest.mark.parametrize("name", layout_names())
def test_shipped_layout_is_sound(name: str) -> None:
    layout = load_layout(name)
    joints = layout.joint_count
    assert layout.name == name
    assert name.endswith(str(joints))
    assert len(layout.bones) == joints - 1
    image = layout.mirror_index
    assert sorted(image) == list(range(joints))
    np.testing.assert_array_equal(image[image], np.arange(joints))
    # Mirrored bones are bones, or a bone stream would change under a flip.
    np.testing.assert_array_equal(image[layout.parents], layout.parents[image])
    assert layout.parents[layout.centre_index] == layout.centre_index
    assert {j for part in layout.parts.values() for j in part} == set(layout.joints)
    assert sum(len(part) for part in layout.parts.values()) == joints
    assert set(layout.parts) == {"left_arm", "right_arm", "left_leg", "right_leg", "trunk"}
    for joint in layout.parts["left_arm"]:
        assert joint.startswith("left_")
    hands, legs = layout.part_index("two_hands").tolist(), layout.part_index("two_legs").tolist()
    arms = {*layout.part_index("left_arm"), *layout.part_index("right_arm")}
    names = {layout.joints[joint] for joint in arms - set(hands)}
    assert names == {f"{side}_{joint}" for side in ("left", "right") for joint in ARM}
    assert len(hands) == len(set(hands)) > 0
    assert arms > set(hands)
    assert sorted(image[hands]) == sorted(hands)
    assert set(legs) == {*layout.part_index("left_leg"), *layout.part_index("right_leg")}
    assert layout_from_dict(layout.to_dict()) == layout


def test_hands_are_what_lies_beyond_the_elbow_unless_the_layout_says_otherwise() -> None:
    layout = load_layout("ntu25")
    assert sorted(layout.part_index("two_hands")) == [6, 7, 10, 11, 21, 22, 23, 24]
    own = {**layout.to_dict(), "parts": {"two_hands": ["left_thumb", "right_thumb"]}}
    assert layout_from_dict(own).part_index("two_hands").tolist() == [22, 24]
    with pytest.raises(ValueError, match="no part 'left_leg'; its parts are two_hands"):
        layout_from_dict(own).part_index("two_legs")


def test_limbs_of_ntu_are_the_released_ones() -> None:
    layout = load_layout("ntu25")  # spec/action.md 4.2
    assert sorted(layout.part_index("left_arm")) == [4, 5, 6, 7, 21, 22]
    assert sorted(layout.part_index("right_arm")) == [8, 9, 10, 11, 23, 24]
    assert sorted(layout.part_index("left_leg")) == [12, 13, 14, 15]
    assert sorted(layout.part_index("right_leg")) == [16, 17, 18, 19]
    exchanged = [*range(4), *range(8, 12), *range(4, 8), *range(16, 20), *range(12, 16)]
    assert layout.mirror_index.tolist() == [*exchanged, 20, 23, 24, 21, 22]


def test_parents_are_those_of_the_reference() -> None:
    assert load_layout("ntu25").parents.tolist() == NTU_PARENTS
    assert load_layout("coco20").parents.tolist() == COCO20_PARENTS


def test_layouts_are_those_of_the_recordings(shared: Path) -> None:
    for file, name in SHARED_LAYOUTS.items():
        with np.load(shared / "data" / f"{file}.npz") as data:
            found = find_layout(data["joint_names"].tolist())
            bones = {frozenset(bone) for bone in data["bones"].tolist()}
        assert found is not None
        assert found.name == name
        assert {frozenset(bone) for bone in found.bone_index.tolist()} == bones


def test_coco_order_is_the_golden_one(shared: Path) -> None:
    with np.load(shared / "golden" / "gait" / "graphs.npz") as golden:
        np.testing.assert_array_equal(
            load_layout("coco17").mirror_index, golden["v2_coco_flip_idx"]
        )
        np.testing.assert_array_equal(
            load_layout("coco18").mirror_index, golden["v2_oumvlp_flip_idx"]
        )
        np.testing.assert_array_equal(
            load_layout("coco18").parents, golden["fp_alphapose_connect_joint"]
        )
        # Joints 0 and 5 apart: GaitGraph hangs the nose on the left shoulder, so has no tree.
        np.testing.assert_array_equal(
            load_layout("coco17").parents[1:], golden["v1_coco_connect_joint"][1:]
        )


def test_coco18_to_17_is_the_published_order() -> None:
    published = [0, 15, 14, 17, 16, 5, 2, 6, 3, 7, 4, 11, 8, 12, 9, 13, 10]
    assert map_joints(load_layout("coco18"), load_layout("coco17")).columns.tolist() == published


def test_kinect_layouts_map_by_name_and_alias() -> None:
    source, target = load_layout("ntu25"), load_layout("kgbd20")
    columns = map_joints(source, target).columns
    assert source.joints[columns[target.index("hip_center")]] == "spine_base"
    assert source.joints[columns[target.index("shoulder_centre")]] == "spine_shoulder"
    assert source.joints[columns[target.index("hand_left")]] == "left_hand"


def test_map_names_what_lacks() -> None:
    with pytest.raises(ValueError, match=r"coco17 cannot become coco18: it has no neck"):
        map_joints(load_layout("coco17"), load_layout("coco18"))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("shoulder_left", "left_shoulder"),
        ("Hip-centro", "hip_centro"),
        ("LShoulder", "left_shoulder"),
        ("leftHandTip", "left_hand_tip"),
        ("spine base", "spine_base"),
        ("r_knee", "right_knee"),
        ("hip_center", "hip_centre"),
        ("left", "left"),
    ],
)
def test_canonical_name(text: str, name: str) -> None:
    assert canonical_name(text) == name
    assert canonical_name(name) == name


@pytest.mark.parametrize("name", layout_names())
def test_parts_follow_from_the_names_of_the_joints(name: str) -> None:
    """The shipped ones are what the names say, so a layout that has none gets such parts."""
    whole = load_layout(name)
    plain = {key: value for key, value in whole.to_dict().items() if key != "parts"}
    made = layout_from_dict(plain)
    assert {part: set(joints) for part, joints in made.parts.items()} == {
        part: set(joints) for part, joints in whole.parts.items()
    }
    assert layout_from_dict({**plain, "parts": {}}).parts == {}


def test_joints_of_a_file_get_their_canonical_names(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(
        "name: own\njoints: [Neck, HeadCenter, LHand, hand_right, 腰]\ncentre: neck\n"
        "bones: {HeadCenter: Neck, LHand: Neck, hand_right: Neck, 腰: Neck}\n"
        "aliases: {HeadCenter: [Skull]}\n"
    )
    layout = load_layout(path)
    assert layout.joints == ("neck", "head_centre", "left_hand", "right_hand", "腰")
    assert layout.mirror == (("left_hand", "right_hand"),)
    assert layout.parts["left_arm"] == ("left_hand",)
    assert (layout.index("skull"), layout.index("HandRight")) == (1, 3)


def test_user_layout_from_yaml(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(USER)
    layout = load_layout(path)
    assert layout.mirror == (("left_hand", "right_hand"),)
    assert layout.mirror_index.tolist() == [0, 1, 3, 2]
    assert layout.index("shoulder-center") == 0
    assert layout.find("knee") is None
    assert layout.part_index("trunk").tolist() == [0, 1]
    with pytest.raises(ValueError, match=r"no joint 'hed'.*did you mean head"):
        layout.index("hed")
    with pytest.raises(ValueError, match="no part 'tail'"):
        layout.part_index("tail")


def test_bones_are_turned_towards_the_centre() -> None:
    layout = layout_from_dict(
        {
            "name": "x",
            "joints": list("abcd"),
            "centre": "c",
            "bones": [["a", "b"], ["c", "b"], ["c", "d"]],
        }
    )
    assert layout.bones == (("a", "b"), ("b", "c"), ("d", "c"))
    assert layout.parents.tolist() == [1, 2, 2, 2]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bones": [["head", "neck"], ["left_hand", "nek"]]}, "a bone names joint 'nek'.*neck"),
        ({"bones": [["head", "neck"], ["left_hand", "neck"]]}, "not connected.*right_hand"),
        ({"centre": "tail"}, "the centre names joint 'tail'"),
        (
            {
                "bones": [
                    ["head", "neck"],
                    ["left_hand", "neck"],
                    ["right_hand", "neck"],
                    ["head", "left_hand"],
                ]
            },
            "not a tree",
        ),
        ({"mirror": [["left_hand", "right_hand"], ["head", "right_hand"]]}, "not symmetric"),
        ({"mirror": [["head", "head"]]}, "not symmetric: head is paired with head"),
        ({"mirror": {"left_hand": "right_hnd"}}, "a mirror pair names joint 'right_hnd'"),
        ({"parts": {"trunk": ["nek"]}}, "part trunk names joint 'nek'"),
        ({"aliases": {"neck": ["head"]}}, "alias 'head' of neck is already a name of head"),
        ({"derived": {"neck": ["nek"]}}, "derived joint neck names joint 'nek'"),
        ({"derived": {"nek": ["neck"]}}, "a derived joint names joint 'nek'"),
        ({"derived": {"neck": []}}, "derived joint neck must be the mean of other joints.*none"),
        (
            {"derived": {"neck": ["head"], "head": ["left_hand", "neck"]}},
            "derived joint head must be .*left_hand, neck",
        ),
        ({"derived": ["neck"]}, "derived must map"),
        ({"joints": ["neck", "head", "head", "left_hand", "right_hand"]}, "'head' twice"),
        ({"joints": []}, "no joints"),
        ({"joints": "neck"}, "joints must be a list of names"),
        ({"bones": ["neck"]}, "bones must be a list"),
        ({"bones": 3}, "bones must be a list of pairs"),
        ({"parts": ["trunk"]}, "parts must map"),
        ({"center": "neck"}, "unknown key 'center' .*did you mean centre"),
    ],
)
def test_unsound_layouts_are_refused(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    import yaml

    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(USER), **change}))
    with pytest.raises(ValueError, match=message) as caught:
        load_layout(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1, 2", "cannot be read as YAML"),
        ("- a", "a layout is a mapping"),
        ("name: x", "needs the key 'joints'"),
    ],
)
def test_files_that_are_no_layout(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        load_layout(path)


def test_unknown_name_gets_a_hint() -> None:
    with pytest.raises(ValueError, match=r"no joint layout 'coco71'.*did you mean coco1"):
        load_layout("coco71")


def test_find_layout_wants_the_same_order() -> None:
    joints = load_layout("coco17").joints
    assert find_layout(joints[::-1]) is None
    assert find_layout(joints[:-1]) is None


@st.composite
def trees(draw: st.DrawFn) -> Layout:
    count = draw(st.integers(1, 12))
    joints = tuple(f"j{i}" for i in range(count))
    bones = tuple((joints[i], joints[draw(st.integers(0, i - 1))]) for i in range(1, count))
    shuffled = draw(st.permutations(joints))
    pairs = tuple(zip(shuffled[: count // 2], shuffled[count // 2 :], strict=False))
    mirror = pairs[: draw(st.integers(0, count // 2))]
    return Layout("tree", joints, bones, "j0", mirror)


@given(trees())
def test_mirror_is_an_involution_and_parents_lead_home(layout: Layout) -> None:
    image = layout.mirror_index
    np.testing.assert_array_equal(image[image], np.arange(layout.joint_count))
    place = np.arange(layout.joint_count)
    for _ in range(layout.joint_count):
        place = layout.parents[place]
    assert (place == layout.centre_index).all()


@given(trees(), st.randoms(use_true_random=False))
def test_mapping_by_name_goes_there_and_back(layout: Layout, random: Any) -> None:
    shuffled = list(layout.joints)
    random.shuffle(shuffled)
    other = Layout("other", tuple(shuffled), layout.bones, layout.centre)
    there, back = map_joints(layout, other).columns, map_joints(other, layout).columns
    np.testing.assert_array_equal(there[back], np.arange(layout.joint_count))
    assert [layout.joints[i] for i in there] == shuffled


@given(trees())
def test_a_layout_survives_its_dictionary(layout: Layout) -> None:
    assert layout_from_dict(layout.to_dict()) == layout
    assert hash(layout_from_dict(layout.to_dict())) == hash(layout)
