from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from aclnet.skeleton import load_layout
from aclnet.skeleton.parts import (
    LIMBS,
    PARTS,
    centred_on_first,
    joint_adjacency,
    limb_adjacency,
    limb_joints,
    limb_means,
    part_adjacency,
    part_joints,
    part_means,
)

Arrays = dict[str, npt.NDArray[Any]]

# Set, frames in a window, layout of its files.
SETS = [
    ("casia_nm", 40, "openpose14"),
    ("casia_cl", 40, "openpose14"),
    ("ks20", 6, "ntu25"),
    ("biwi", 6, "kinect20"),
]
# How the released code sorts KGBD's joints into the Kinect's order, as it takes that to be.
KGBD_ORDER = [11, 10, 1, 0, 2, 4, 6, 8, 3, 5, 7, 9, 12, 14, 16, 18, 13, 15, 17, 19]


@pytest.fixture(scope="module")
def golden(shared: Path) -> Arrays:
    with np.load(shared / "golden" / "reid" / "preprocess.npz") as archive:
        return {key: archive[key] for key in archive.files}


def raw(golden: Arrays, name: str, frame_count: int) -> npt.NDArray[np.float32]:
    stored = np.stack([golden[f"{name}_raw_{axis}"] for axis in "xyz"], axis=-1)
    return stored.reshape(-1, frame_count, *stored.shape[1:])


@pytest.mark.parametrize(("name", "frame_count", "layout_name"), SETS)
def test_the_networks_inputs_are_the_references(
    name: str, frame_count: int, layout_name: str, golden: Arrays
) -> None:
    layout = load_layout(layout_name)
    joints = centred_on_first(raw(golden, name, frame_count))
    assert joints.dtype == np.float32
    np.testing.assert_array_equal(joints, golden[f"{name}_J"])
    np.testing.assert_allclose(part_means(joints, layout), golden[f"{name}_P"], atol=1e-6)
    np.testing.assert_allclose(limb_means(joints, layout), golden[f"{name}_B"], atol=1e-6)


def test_kgbd_as_the_released_code_sorts_it(golden: Arrays) -> None:
    joints = centred_on_first(raw(golden, "kgbd", 6))[..., KGBD_ORDER, :]
    np.testing.assert_array_equal(joints, golden["kgbd_J"])
    layout = load_layout("kinect20")
    np.testing.assert_allclose(part_means(joints, layout), golden["kgbd_P"], atol=1e-6)
    np.testing.assert_allclose(limb_means(joints, layout), golden["kgbd_B"], atol=1e-6)


def test_kgbd_by_name_is_that_with_sides_exchanged(golden: Arrays) -> None:
    layout = load_layout("kgbd20")
    joints = centred_on_first(raw(golden, "kgbd", 6))
    for names, means, key in ((PARTS, part_means, "kgbd_P"), (LIMBS, limb_means, "kgbd_B")):
        other = [names.index(exchanged(name)) for name in names]
        np.testing.assert_allclose(means(joints, layout), golden[key][..., other, :], atol=1e-6)


def exchanged(name: str) -> str:
    side, _, kind = name.partition("_")
    return f"{'right' if side == 'left' else 'left'}_{kind}" if kind else name


@pytest.mark.parametrize(
    ("name", "layout_name"), [("casia", "openpose14"), ("ks20", "ntu25"), ("biwi", "kinect20")]
)
def test_joint_graphs_are_the_references(name: str, layout_name: str, golden: Arrays) -> None:
    np.testing.assert_array_equal(joint_adjacency(load_layout(layout_name)), golden[f"{name}_adj"])


def test_kgbds_joint_graph_is_the_references_in_its_own_order(golden: Arrays) -> None:
    ours = joint_adjacency(load_layout("kgbd20"))[np.ix_(KGBD_ORDER, KGBD_ORDER)]
    np.testing.assert_array_equal(ours, golden["kgbd_adj"])


def test_coarser_graphs_are_the_references(golden: Arrays) -> None:
    np.testing.assert_array_equal(part_adjacency(), golden["casia_adj_part"])
    np.testing.assert_array_equal(limb_adjacency(), golden["casia_adj_body"])


@pytest.mark.parametrize("layout_name", ["kinect20", "ntu25", "openpose14"])
def test_every_joint_is_in_one_part_and_one_limb(layout_name: str) -> None:
    layout = load_layout(layout_name)
    for names, groups in ((PARTS, part_joints(layout)), (LIMBS, limb_joints(layout))):
        assert tuple(groups) == names
        placed = np.concatenate(list(groups.values()))
        assert sorted(placed.tolist()) == list(range(layout.joint_count))


def test_other_joints_are_refused() -> None:
    coco = load_layout("coco17")
    with pytest.raises(ValueError, match=r"coco17 has no joint of the part torso \(none of neck\)"):
        part_means(np.zeros((2, 17, 3)), coco)
    with pytest.raises(ValueError, match=r"\(2, 20, 3\) have 20 joints, layout ntu25 has 25"):
        limb_means(np.zeros((2, 20, 3)), load_layout("ntu25"))
