from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from aclnet.skeleton import layout_from_dict, load_layout, map_joints


@pytest.mark.parametrize("kind", ["plain", "flip"])
def test_coco20_is_made_of_coco17_as_in_the_release(shared: Path, kind: str) -> None:
    with np.load(shared / "golden" / "action" / "pipeline_coco_1p.npz") as golden:
        points, score = golden[f"decoded_{kind}"], golden[f"decoded_score_{kind}"]
        made = map_joints(load_layout("coco17"), load_layout("coco20")).apply(
            np.concatenate([points, score[..., None]], axis=-1)
        )
        np.testing.assert_allclose(made, golden[f"joint20_{kind}"], rtol=1e-6)
    assert made.dtype == np.float32


def test_a_joint_that_was_not_found_is_averaged_like_any_other() -> None:
    joints = map_joints(load_layout("coco17"), load_layout("coco20"))
    frames = np.zeros((1, 1, 17, 3), dtype=np.float16)
    frames[0, 0, 11] = 100, 51.03125, 0.8
    made = joints.apply(frames)
    assert made.dtype == np.float32
    np.testing.assert_allclose(made[0, 0, 17], frames[0, 0, 11].astype(np.float32) / 2)
    np.testing.assert_allclose(made[0, 0, 18], frames[0, 0, 11].astype(np.float32) / 4)


def test_what_the_source_has_is_taken_from_it() -> None:
    source, target = load_layout("coco18"), load_layout("coco20")
    joints = map_joints(source, target)
    assert joints.columns[target.index("neck")] == source.index("neck")
    derived = [target.joints[column] for column, _ in joints.derived]
    assert derived == ["hip_centre", "spine"]
    same = map_joints(target, target)
    np.testing.assert_array_equal(same.columns, np.arange(20))
    assert same.derived == ()


def test_without_derived_joints_it_is_a_choice_of_columns() -> None:
    source, target = load_layout("ntu25"), load_layout("kgbd20")
    frames = np.random.default_rng(0).normal(size=(3, 2, 25, 3)).astype(np.float16)
    joints = map_joints(source, target)
    made = joints.apply(frames)
    np.testing.assert_array_equal(made, frames[:, :, joints.columns])
    assert (joints.columns >= 0).all()
    assert made.dtype == np.float16


def test_what_cannot_be_made_is_named() -> None:
    jhmdb, coco20 = load_layout("jhmdb15"), load_layout("coco20")
    with pytest.raises(ValueError, match=r"jhmdb15 cannot become coco20: it has no nose, left_eye"):
        map_joints(jhmdb, coco20)
    # A derived joint whose sources lack is lacking too.
    hand = {"name": "hand", "joints": ["thumb", "palm"], "centre": "palm"}
    target = layout_from_dict({**hand, "bones": {"thumb": "palm"}, "derived": {"palm": ["thumb"]}})
    with pytest.raises(ValueError, match=r"it has no thumb, palm .*derived from"):
        map_joints(load_layout("coco17"), target)
