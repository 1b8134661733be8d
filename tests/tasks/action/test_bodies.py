"""The bodies of classes: which joints move, which pose shows the class, what is left out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aclnet.data.sample import Sample, StoreInfo
from aclnet.data.store import Store, open_store, write_store
from aclnet.skeleton import load_layout
from tasks.action.bodies import class_bodies

LAYOUT = load_layout("kinect20")
HAND = LAYOUT.index("right_hand")


def body() -> np.ndarray[Any, Any]:
    """A standing body (V, 3), metres, no joint at the origin."""
    points = np.random.default_rng(0).normal([0.0, 1.0, 3.0], 0.05, size=(20, 3))
    for name, height in (("shoulder", 1.4), ("hip", 0.9)):
        for side, x in (("left", 0.2), ("right", -0.2)):
            points[LAYOUT.index(f"{side}_{name}")] = [x, height, 3.0]
    return points


def store_of(tmp_path: Path, clips: list[tuple[str, np.ndarray[Any, Any]]], **info: Any) -> Store:
    """A store of clips (T, M, V, C) with their labels."""
    samples = (
        Sample(sample=f"s{i}", frames=frames.astype(np.float32), label=label)
        for i, (label, frames) in enumerate(clips)
    )
    described = {"channels": ("x", "y", "z"), "unit": "metre", **info}
    about = StoreInfo(name="bodies", layout=LAYOUT.to_dict(), synthetic=True, **described)
    write_store(tmp_path / "store", samples, about)
    return open_store(tmp_path / "store")


def waving(heights: list[float], turned: float = 0.0) -> np.ndarray[Any, Any]:
    """The body, its right hand raised in each frame, turned about the vertical: (T, 1, V, 3)."""
    frames = np.repeat(body()[None], len(heights), axis=0)
    frames[:, HAND, 1] += heights
    sine, cosine = np.sin(turned), np.cos(turned)
    rotation = np.array([[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]])
    return np.expand_dims(frames @ rotation.T, 1)


def test_the_moving_joint_has_the_weight_and_the_pose_its_height(tmp_path: Path) -> None:
    clips = [waving([0.0, 0.5, 1.0, 0.5, 0.0], turned) for turned in (0.0, 1.0, 2.0)]
    found = class_bodies(store_of(tmp_path, [("wave", clip) for clip in clips]), ["wave", "none"])
    assert list(found["classes"]) == ["wave"]
    weight = found["classes"]["wave"]["weight"]
    assert weight[HAND] == 1.0
    assert max(np.delete(weight, HAND)) == 0.0
    # Raised by 1 m from where it was, in torso lengths of 0.5 m, the hips at the origin.
    pose = np.array(found["classes"]["wave"]["pose"])
    assert pose.shape == (20, 3)
    assert pose[HAND, 1] == np.round((body()[HAND, 1] + 1.0 - 0.9) / 0.5, 3)
    # However the person stood, the left side comes to lie at +x.
    np.testing.assert_allclose(pose[LAYOUT.index("left_hip")], [0.4, 0, 0], atol=2e-3)
    assert found["bones"] == LAYOUT.bone_index.tolist()
    assert HAND in found["parts"]["right_arm"]
    assert (found["dims"], found["y_down"]) == (3, False)
    json.dumps(found, allow_nan=False)


def test_the_pose_is_that_of_most_recordings(tmp_path: Path) -> None:
    heights = [0.5, 0.52, 3.0]
    clips = [("raise", waving([0.0, height])) for height in heights]
    pose = class_bodies(store_of(tmp_path, clips), ["raise"])["classes"]["raise"]["pose"]
    assert pose[HAND][1] == np.round((body()[HAND, 1] + 0.52 - 0.9) / 0.5, 3)


def test_joints_in_pixels_that_were_not_seen_are_none(tmp_path: Path) -> None:
    flat = waving([0.0, 0.2, 0.4])
    flat[..., 2] = 1.0  # the confidence
    flat[:, :, LAYOUT.index("head")] = 0.0
    second = np.zeros_like(flat)  # a person who was never seen
    clips = [("wave", np.concatenate([second, flat], axis=1))]
    store = store_of(tmp_path, clips, channels=("x", "y", "confidence"), unit="pixel")
    found = class_bodies(store, ["wave"])
    shown = found["classes"]["wave"]
    assert shown["pose"][LAYOUT.index("head")] == [None, None]
    assert shown["weight"][LAYOUT.index("head")] == 0.0
    assert shown["weight"][HAND] == 1.0
    assert (found["dims"], found["y_down"]) == (2, True)


def test_a_recording_without_a_body_shows_nothing(tmp_path: Path) -> None:
    store = store_of(tmp_path, [("empty", np.zeros((4, 1, 20, 3)))])
    assert class_bodies(store, ["empty"])["classes"] == {}


@pytest.mark.slow
def test_families_hold_bodies_unless_the_data_are_gone(
    call: Callable[..., Any], action_recipe: Path, arms: Path, tmp_path: Path
) -> None:
    run, out = tmp_path / "run", tmp_path / "families.json"
    kept = tmp_path / "data"
    shutil.copytree(arms, kept)
    options = ["-s", "train.epochs=1", "-r", run]
    call("action", "train", "-c", action_recipe, "--data", kept, *options)
    call("action", "families", "-r", run, "--json", out)
    bodies = json.loads(out.read_text())["cells"]["bodies"]
    assert list(bodies["classes"]) == ["a", "b", "c", "d"]
    kept.rename(tmp_path / "elsewhere")
    call("action", "families", "-r", run, "--json", out)
    record = json.loads(out.read_text())
    assert "bodies" not in record["cells"]
    assert any(note.startswith("Without bodies:") for note in record["notes"])
