"""One body for everybody: nothing of a bone's length is left, posture and movement are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor

from aclnet.clips.body import common_body
from aclnet.clips.joints import present
from aclnet.clips.settings import ClipSettings, NormaliseSettings
from aclnet.clips.streams import make_stream
from aclnet.clips.transforms import normalise
from aclnet.skeleton import Layout, layout_names, load_layout
from protocols.embeddings import Embeddings
from protocols.gait.evaluate import evaluate_gait
from protocols.gait.table import GaitTable

ROOM = load_layout("kgbd20")
COMMON = NormaliseSettings(body="common", scale="none", heading="frame")

quick = settings(max_examples=10, deadline=None)
seeds = st.integers(0, 2**31)


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def postures(layout: Layout, seed: int, persons: int = 1) -> tuple[Tensor, Tensor]:
    """Directions of the bones of 2 clips (2, M, 5, V, 3), and where their roots go.

    In float64: a heading is ill-conditioned where the line between the sides is nearly vertical.
    """
    shape, double = (2, persons, 5, layout.joint_count, 3), torch.float64
    bones = torch.randn(shape, generator=generator(seed), dtype=double)
    paths = torch.randn((*shape[:3], 1, 3), generator=generator(seed + 1), dtype=double) + 3
    return bones / bones.norm(dim=-1, keepdim=True), paths


def built(layout: Layout, bones: Tensor, paths: Tensor, lengths: Tensor) -> Tensor:
    """The joints of people with these bones, added up joint by joint from the root."""
    joints = paths.repeat(1, 1, 1, layout.joint_count, 1)
    for joint in range(layout.joint_count):
        above = joint
        while above != layout.centre_index:
            joints[..., joint, :] += bones[..., above, :] * lengths[above]
            above = int(layout.parents[above])
    return joints


def lengths(layout: Layout, seed: int) -> Tensor:
    return 0.1 + torch.rand(layout.joint_count, generator=generator(seed))


def bones_of(clips: Tensor, layout: Layout) -> Tensor:
    """(N, M, T, V - 1, C) from parent to child."""
    child, parent = torch.tensor(layout.bone_index).T
    return clips[:, :, :, child] - clips[:, :, :, parent]


@pytest.mark.parametrize("name", layout_names())
def test_people_who_differ_in_bone_lengths_alone_become_one(name: str) -> None:
    layout = load_layout(name)
    bones, paths = postures(layout, 0, persons=2)
    short, long = (built(layout, bones, paths, lengths(layout, seed)) for seed in (1, 2))
    same = built(layout, bones, paths, torch.full((layout.joint_count,), 0.25))
    for body in (short, long):
        torch.testing.assert_close(common_body(body, layout, 3, "none"), same, rtol=0, atol=1e-9)
    # Two cameras far away, of which one is nearer.
    chosen = NormaliseSettings(body="common")
    near, far = (
        normalise(factor * body[..., :2], layout, 2, chosen)
        for factor, body in ((60, short), (40, long))
    )
    torch.testing.assert_close(near, far, rtol=0, atol=1e-3)
    assert near.abs().max() > 0.1


@quick
@given(seeds, st.sampled_from(["frame", "joint", "clip", "people"]))
def test_so_do_two_people_and_the_way_they_go_stays(seed: int, per: str) -> None:
    bones, paths = postures(ROOM, seed, persons=2)
    chosen = NormaliseSettings.model_validate(
        {"body": "common", "scale": "none", "centre": per, "heading": "clip"}
    )
    first, second = (
        normalise(built(ROOM, bones, paths, lengths(ROOM, seed + k)), ROOM, 3, chosen)
        for k in (2, 3)
    )
    torch.testing.assert_close(first, second, rtol=0, atol=1e-8)


@quick
@given(seeds)
def test_every_bone_of_a_frame_is_a_quarter_of_a_metre_and_keeps_its_direction(seed: int) -> None:
    clips = torch.randn((2, 1, 4, 20, 3), generator=generator(seed)) + 5
    result = common_body(clips, ROOM, 3, "none")
    before, after = (bones_of(each, ROOM) for each in (clips, result))
    wanted = 0.25 * before / before.norm(dim=-1, keepdim=True)
    torch.testing.assert_close(after, wanted, rtol=0, atol=1e-5)


def test_a_picture_keeps_how_a_bone_shortens_over_time() -> None:
    flat = load_layout("coco17")
    clips = 50 * torch.randn((2, 1, 6, 17, 2), generator=generator(0))
    result = common_body(clips, flat, 2, "torso")
    before, after = (bones_of(each, flat) for each in (clips, result))
    size = before.square().sum(dim=-1, keepdim=True).mean(dim=2, keepdim=True).sqrt()
    torch.testing.assert_close(after, 0.5 * before / size, rtol=0, atol=1e-5)


@quick
@given(seeds)
def test_missing_joints_stay_missing_and_the_others_hang_from_what_is_above(seed: int) -> None:
    bones, paths = postures(ROOM, seed)
    clips = built(ROOM, bones, paths, lengths(ROOM, seed))
    whole = common_body(clips, ROOM, 3, "none")
    hidden = torch.rand(clips.shape[:-1], generator=generator(seed + 1)) < 0.3
    hidden[0] = False
    hidden[0, :, :, [ROOM.index("left_hand"), ROOM.index("head")]] = True
    hidden[0, :, 0] = True
    result = common_body(clips * ~hidden[..., None], ROOM, 3, "none")
    assert torch.equal(present(result, 3), ~hidden)
    # Nobody hangs from a head or a hand: the rest stays where it was.
    torch.testing.assert_close(result[0], (whole * ~hidden[..., None])[0], rtol=0, atol=1e-6)
    # Without its elbow a wrist hangs from the shoulder, at one bone's length.
    wrist, elbow, shoulder = (ROOM.index(f"left_{name}") for name in ("wrist", "elbow", "shoulder"))
    clips[:, :, :, elbow] = 0
    result = common_body(clips, ROOM, 3, "none")
    arm = result[..., wrist, :] - result[..., shoulder, :]
    torch.testing.assert_close(arm.norm(dim=-1), torch.full_like(arm[..., 0], 0.25))


def test_what_would_keep_a_persons_build_is_refused() -> None:
    with pytest.raises(ValidationError, match="the height of their hips: set centre to frame"):
        NormaliseSettings(body="common", centre="none")
    with pytest.raises(ValidationError, match=r"same common body: set normalise.body to own"):
        ClipSettings.model_validate(
            {"normalise": {"body": "common", "scale": "none"}, "bodies": {"sizes": [0.9, 1.0]}}
        )
    pictures = NormaliseSettings(body="common", scale="none")
    with pytest.raises(ValueError, match=r"set normalise.scale=torso, or normalise.body=own"):
        normalise(torch.ones(1, 1, 2, 17, 2), load_layout("coco17"), 2, pictures)


def test_bone_lengths_of_kgbd_say_nothing_any_more(shared: Path) -> None:
    with np.load(shared / "data" / "kgbd.npz") as file:
        starts, people, takes = (file[name] for name in ("offsets", "subject", "repetition"))
        rows = np.flatnonzero(people > 100)
        frames = starts[rows, None] + np.arange(100, 140)
        clips = torch.from_numpy(file["joints"][frames]).transpose(1, 2)

    def table(clips: Tensor) -> GaitTable:
        found = make_stream(clips, ROOM, "l", dims=3)[:, 0].median(dim=1).values.flatten(1)
        embeddings = Embeddings(found.numpy(), subject=people[rows], take=takes[rows])
        return evaluate_gait(embeddings, "kgbd_walks", metric="euclidean")

    # docs/motion.md quotes these; half a point is one probe of 190.
    assert table(clips).metrics["rank1"] == pytest.approx(0.437, abs=0.006)
    common = table(normalise(clips, ROOM, 3, COMMON))
    assert common.metrics["rank1"] == pytest.approx(0.026, abs=0.006)
    low, high = common.intervals(np.random.default_rng(0))["rank1"]
    assert low <= common.metrics["chance"] <= high < 0.1
