from __future__ import annotations

import pytest

from aclnet.skeleton import find_layout, load_layout, map_joints

# Places of COCO-17's joints in the order of each estimator's own documentation.
AS_COCO = {
    "body25": [0, 16, 15, 18, 17, 5, 2, 6, 3, 7, 4, 12, 9, 13, 10, 14, 11],
    "halpe26": list(range(17)),
    "coco17_neck18": list(range(17)),
    "mediapipe33": [0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28],
}
# Human3.6M's joint: parent, in MMPose's order.
H36M_PARENTS = [0, 0, 1, 2, 0, 4, 5, 0, 7, 8, 9, 8, 11, 12, 8, 14, 15]


@pytest.mark.parametrize("name", AS_COCO)
def test_estimators_joints_become_coco(name: str) -> None:
    assert map_joints(load_layout(name), load_layout("coco17")).columns.tolist() == AS_COCO[name]


def test_lifted_bodies_hang_together_as_published() -> None:
    assert load_layout("h36m17").parents.tolist() == H36M_PARENTS


def test_the_two_orders_of_18_joints_are_told_apart() -> None:
    first, second = load_layout("coco18"), load_layout("coco17_neck18")
    assert set(first.joints) == set(second.joints)
    assert [
        found.name for joints in (first.joints, second.joints) if (found := find_layout(joints))
    ] == [
        "coco18",
        "coco17_neck18",
    ]
