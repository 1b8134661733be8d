from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import torch
from torch import Tensor

from aclnet.clips.input import ClipInput
from aclnet.clips.settings import AugmentSettings, BodySettings, ClipSettings, NormaliseSettings
from aclnet.clips.streams import make_streams
from aclnet.clips.transforms import mirror, normalise
from aclnet.config import load_settings
from aclnet.data.sample import COLUMNS, StoreInfo
from aclnet.data.store import Store
from aclnet.skeleton import load_layout
from aclnet.training.batches import Batch
from aclnet.training.samplers import IdentitySampler
from aclnet.training.task import TrainingTask
from tasks.samples.batches import ClipSource

Clip = npt.NDArray[np.float32]
LAYOUT = load_layout("coco17")
CHANNELS = ("x", "y", "confidence")
PLAIN = AugmentSettings(mirror=0)
UNSCALED = NormaliseSettings(scale="none")
PICTURES = "normalise={centre: none, scale: none, heading: none}\naugment.image_flip=0.5"


def make_store(clips: Sequence[Clip]) -> Store:
    """A store in memory of clips (T, M, V, C)."""
    lengths = np.array([len(clip) for clip in clips], dtype=np.int64)
    index = pd.DataFrame("", index=range(len(clips)), columns=list(COLUMNS))
    index["sample"] = [f"walk-{i}" for i in range(len(clips))]
    index["length"] = lengths
    index["start"] = np.cumsum(lengths) - lengths
    info = StoreInfo(name="toy", layout=LAYOUT.to_dict(), channels=CHANNELS, unit="pixel")
    frames = np.concatenate(clips) if clips else np.zeros((0, 1, 17, 3), dtype=np.float32)
    return Store(info, index, frames)


def numbered_store(lengths: Sequence[int]) -> Store:
    """Every x is the sample's number from 1, every y the frame's."""
    clips = []
    for number, length in enumerate(lengths, start=1):
        clip = np.ones((length, 1, 17, 3), dtype=np.float32)
        clip[..., 0] = number
        clip[..., 1] = 100 + np.arange(length)[:, None, None]
        clips.append(clip)
    return make_store(clips)


def walks(lengths: Sequence[int] = (12, 30, 9, 17, 25)) -> list[Clip]:
    """Random poses with a torso and some joints not found."""
    made = []
    for number, length in enumerate(lengths):
        generator = np.random.default_rng(number)
        points = generator.normal(200, 30, (length, 1, 17, 2))
        points[..., 11:13, 1] += 120
        found = generator.random((length, 1, 17, 1)) > 0.1
        made.append(np.concatenate([points * found, found], axis=-1).astype(np.float32))
    return made


# --- settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ("bodies={sizes: [0.9, 1.0]}", "several sizes cannot be told apart .* normalise.scale"),
        ("bodies={mirrored: true}", "mirror image cannot be told apart .* augment.mirror to 0"),
        ("augment.image_flip=0.5", "pixel positions.* set normalise.centre"),
        (PICTURES.replace("heading: none", "heading: clip"), "pixel positions"),
        ("motion=recording\nsampling=resize", "positions between frames do not have: set motion"),
        ("motion=recording\nnormalise.heading=shoulders", "smoothed heading is not known"),
        (PICTURES.replace("scale: none", "scale: torso"), "pixel positions"),
        (PICTURES + "\nbodies={sizes: [2.0]}", "give no other bodies"),
        ("streams=[j, ipm]", "stream ipm .*centre: frame removes: set it to people"),
        (
            "normalise={centre: joint, heading: people}",
            "centre: joint removes: set centre to people",
        ),
        ("streams=[]", "`streams`"),
        ("streams=[joint]", "must be 'j', 'b', 'k'"),
        ("frames=0", "`frames` = 0"),
        ("frame=9", "did you mean|nearest known name `frames`"),
    ],
)
def test_senseless_clips_are_refused(wrong: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        load_settings(ClipSettings, None, wrong.split("\n"))


def test_pictures_that_stay_pictures_are_taken() -> None:
    assert load_settings(ClipSettings, None, PICTURES.split("\n")).augment.image_flip == 0.5


def test_bodies_that_can_be_told_apart_are_taken() -> None:
    bodies = BodySettings(sizes=(0.9, 1.0), mirrored=True)
    chosen = ClipSettings(normalise=UNSCALED, augment=PLAIN, bodies=bodies)
    assert chosen.bodies == bodies


# --- the network's input --------------------------------------------------------------------------


def clip_input(**chosen: Any) -> ClipInput:
    chosen = {"frames": 8, "augment": PLAIN} | chosen
    return ClipInput(ClipSettings(**chosen), LAYOUT, CHANNELS)


def first_frames(count: int = 8) -> Tensor:
    return torch.from_numpy(np.stack([clip[:count].transpose(1, 0, 2, 3) for clip in walks()]))


def test_motions_jump_only_where_missing_joints_stay_at_zero() -> None:
    clips = first_frames()
    clips[:, :, 4] = 0
    for missing, jumps in (("zero", True), ("estimated", False)):
        motions = clip_input(streams=("jm",), missing=missing).streams(clips)
        assert motions[:, :, 3, :, :2].any() == jumps


def test_input_is_normalised_and_made_into_streams() -> None:
    prepared = clip_input(streams=("b", "l", "jm"))
    clips = first_frames()
    result = prepared.prepare(clips)
    assert result.shape == (5, 1, 8, 17, 7)
    assert prepared.channels == 7
    normal = normalise(clips, LAYOUT, 2, NormaliseSettings())
    assert torch.equal(result, make_streams(normal, LAYOUT, ("b", "l", "jm"), 2))


def test_augmented_input_without_changes_is_the_prepared_one() -> None:
    generator = torch.Generator().manual_seed(0)
    clips = first_frames()
    made = clip_input()
    assert torch.equal(made.augmented(clips, generator), made.prepare(clips))
    noisy = clip_input(augment=AugmentSettings(point_noise=0.1))
    assert not torch.allclose(noisy.augmented(clips, generator), made.prepare(clips))


def test_mirrored_input_is_the_input_of_the_mirror_image() -> None:
    made, clips = clip_input(), first_frames()
    images = made.prepare(clips, mirrored=True)
    torch.testing.assert_close(images, made.prepare(mirror(clips, LAYOUT)), rtol=0, atol=1e-4)
    chosen = torch.tensor([True, False, False, True, False])
    some = made.prepare(clips, chosen)
    assert torch.equal(some[chosen], images[chosen])
    assert torch.equal(some[~chosen], made.prepare(clips)[~chosen])


def pairs() -> Tensor:
    return torch.randn((6, 2, 4, 15, 3), generator=torch.Generator().manual_seed(3))


def pair_input(**changes: float) -> ClipInput:
    chosen = ClipSettings(
        streams=("j", "ip"),
        normalise=NormaliseSettings(centre="people", scale="none", heading="people"),
        augment=AugmentSettings(**{"mirror": 0, **changes}),
    )
    return ClipInput(chosen, load_layout("sbu15"), ("x", "y", "z"))


def test_exchanged_people_are_prepared_as_if_recorded_so() -> None:
    clips, made = pairs(), pair_input()
    exchanged = pair_input(exchange_people=1).augmented(clips, torch.Generator())
    assert torch.equal(exchanged, made.prepare(clips.flip(1)))
    some = pair_input(exchange_people=0.5).augmented(clips, torch.Generator().manual_seed(0))
    as_they_are = (some == made.prepare(clips)).flatten(1).all(dim=1)
    assert as_they_are.any()
    assert torch.equal(some[~as_they_are], exchanged[~as_they_are])


def test_mirrored_people_are_prepared_as_if_recorded_so() -> None:
    clips, made, layout = pairs(), pair_input(), load_layout("sbu15")
    wanted = made.prepare(mirror(clips, layout))
    torch.testing.assert_close(made.prepare(clips, mirrored=True), wanted)
    augmented = pair_input(mirror=1).augmented(clips, torch.Generator())
    torch.testing.assert_close(augmented, wanted)


def test_distances_are_of_the_changed_bodies() -> None:
    noisy = pair_input(point_noise=0.5, joint_noise=0.3).augmented(pairs(), torch.Generator())
    between = make_streams(noisy[..., :3], load_layout("sbu15"), ("ip",), 3)
    torch.testing.assert_close(noisy[..., 3:], between)


# --- training batches -----------------------------------------------------------------------------

LENGTHS = (5, 20, 31, 8, 40, 13, 22, 9)
PEOPLE = np.array([0, 0, 0, 1, 1, 2, 2, 2], dtype=np.int64)
BODIES = BodySettings(sizes=(1.0, 2.0), mirrored=True)


def source(bodies: BodySettings = BODIES, seed: int = 3, step: int = 1) -> ClipSource:
    made = clip_input(normalise=UNSCALED, bodies=bodies, step=step)
    sampler = IdentitySampler(made.bodies.expand(PEOPLE), 3, 2, seed, steps_per_epoch=6)
    return ClipSource(numbered_store(LENGTHS), PEOPLE, sampler, made, seed)


def same(one: Batch, other: Batch) -> bool:
    return (
        torch.equal(one.clips, other.clips)
        and torch.equal(one.labels, other.labels)
        and one.samples == other.samples
    )


def test_a_batch_depends_on_epoch_and_step_alone() -> None:
    asked = source()
    places = [(1, 0), (1, 1), (2, 0), (2, 5)]
    in_order = [asked.batch(epoch, step, 0, 1) for epoch, step in places]
    backwards = [asked.batch(epoch, step, 0, 1) for epoch, step in reversed(places)][::-1]
    anew = [source().batch(epoch, step, 0, 1) for epoch, step in places]
    for first, again, other in zip(in_order, backwards, anew, strict=True):
        assert same(first, again)
        assert same(first, other)
    assert not any(
        torch.equal(one.clips, other.clips)
        for i, one in enumerate(in_order)
        for other in in_order[:i]
    )
    assert not same(source(seed=4).batch(1, 0, 0, 1), in_order[0])
    assert asked.steps_per_epoch == 6


def test_every_batch_draws_windows_of_its_own() -> None:
    made = clip_input(normalise=UNSCALED)
    sampler = IdentitySampler(PEOPLE, 3, 2, 0, steps_per_epoch=2)
    store = numbered_store([500] * len(PEOPLE))
    starts = [
        tuple(asked.batch(epoch, step, 0, 1).clips[:, 0, 0, 0, 1].tolist())
        for asked in (ClipSource(store, PEOPLE, sampler, made, seed) for seed in (0, 1))
        for epoch in (1, 2)
        for step in (0, 1)
    ]
    assert len(set(starts)) == 8
    assert all(len(set(some)) > 1 for some in starts)


@pytest.mark.parametrize("world", [2, 3])
def test_ranks_share_the_global_batch(world: int) -> None:
    asked = source()
    for step in range(asked.steps_per_epoch):
        whole = asked.batch(2, step, 0, 1)
        shares = [source().batch(2, step, rank, world) for rank in range(world)]
        assert torch.equal(torch.cat([share.clips for share in shares]), whole.clips)
        assert torch.equal(torch.cat([share.labels for share in shares]), whole.labels)
        assert [name for share in shares for name in share.samples] == whole.samples
        people = [set(share.labels.tolist()) for share in shares]
        assert sum(map(len, people)) == len(set.union(*people))  # no identity cut in two


def test_clips_labels_and_names_belong_together() -> None:
    asked = source()
    count = asked.clip_input.bodies.count
    met = set()
    for step in range(asked.steps_per_epoch):
        batch = asked.batch(1, step, 0, 1)
        assert batch.clips.shape == (6, 1, 8, 17, 3)
        assert batch.clips.dtype == torch.float32
        assert batch.labels.dtype == torch.int64
        for clip, label, name in zip(batch.clips, batch.labels, batch.samples, strict=True):
            row = int(name.removeprefix("walk-"))
            person, variant = divmod(int(label), count)
            met.add(variant)
            assert person == PEOPLE[row]
            size = (1.0, 2.0)[variant % 2]
            x = (row + 1) * size * (-1 if variant >= 2 else 1)
            assert (clip[..., 0] == x).all()
            frames = clip[0, :, 0, 1] / size - 100
            assert frames.min() >= 0
            assert frames.max() < LENGTHS[row]
            assert (frames.diff().abs() == 1).all()
    assert met == {0, 1, 2, 3}


# --- mirrored pictures ----------------------------------------------------------------------------

AS_FILMED = NormaliseSettings(centre="none", scale="none")


def pictures(flip: float = 1.0, **info: Any) -> ClipSource:
    """Recordings of videos that are 100, 200, ... pixels wide."""
    store = make_store(walks([12] * 8))
    store.index["image_size"] = [f"{100 * (row + 1)}x240" for row in range(8)]
    store.info = store.info.model_copy(update=info)
    augment = AugmentSettings(mirror=0, image_flip=flip)
    made = clip_input(normalise=AS_FILMED, augment=augment, streams=("j",))
    return ClipSource(store, PEOPLE, IdentitySampler(PEOPLE, 3, 2, 0), made, 0)


def test_batches_bring_the_widths_by_which_pictures_are_mirrored() -> None:
    asked = pictures()
    for step in range(asked.steps_per_epoch):
        batch = asked.batch(1, step, 0, 1)
        widths = [100.0 * (int(name.removeprefix("walk-")) + 1) for name in batch.samples]
        assert batch.widths is not None
        assert batch.widths.tolist() == widths
        shares = [pictures().batch(1, step, rank, 3).widths for rank in range(3)]
        assert torch.equal(
            torch.cat([share for share in shares if share is not None]), batch.widths
        )
        task = TrainingTask(torch.nn.Identity(), None, asked.clip_input.augmented)  # type: ignore[arg-type]
        made = task.augmented(batch.clips, torch.Generator(), batch.widths)
        for clip, flipped, width in zip(batch.clips, made, widths, strict=True):
            nose, found = clip[0, :, 0, 0], clip[0, :, 0, 2] > 0
            assert torch.equal(flipped[0, :, 0, 0], torch.where(found, width - nose, nose))
    assert pictures(flip=0.0).batch(1, 0, 0, 1).widths is None


def test_a_store_may_say_one_width_for_all() -> None:
    made = pictures(image_size=(500, 240))
    made.store.index["image_size"] = ""
    again = ClipSource(made.store, PEOPLE, made.sampler, made.clip_input, 0)
    assert torch.equal(again.batch(1, 0, 0, 1).widths, torch.full((6,), 500.0))


@pytest.mark.parametrize(
    ("info", "sentence"),
    [
        ({"unit": "normalised"}, "toy: .* the joints are 2-D in normalised: set it to 0"),
        ({"channels": ("x", "y", "z")}, "toy: .* the joints are 3-D in pixel: set it to 0"),
        ({"settings": {"prepare": "main_person"}}, "centred on the main person: set it to 0"),
    ],
)
def test_what_is_no_picture_is_not_mirrored(info: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        pictures(**info)
    pictures(flip=0.0, **info)


def test_a_width_that_is_not_known_is_asked_for() -> None:
    made = pictures()
    made.store.index.loc[[2, 5], "image_size"] = ""
    with pytest.raises(
        ValueError, match=r"2 of 8 videos .* sample 'walk-2': set it to 0, or .* --image-size WID"
    ):
        ClipSource(made.store, PEOPLE, made.sampler, made.clip_input, 0)


def test_one_body_leaves_labels_as_they_are() -> None:
    asked = source(BodySettings(), step=2)
    batch = asked.batch(1, 0, 0, 1)
    rows = [int(name.removeprefix("walk-")) for name in batch.samples]
    assert batch.labels.tolist() == PEOPLE[rows].tolist()
    long = [row for row in range(len(rows)) if LENGTHS[rows[row]] >= 15]
    assert (batch.clips[long, 0, :, 0, 1].diff(dim=1) == 2).all()
