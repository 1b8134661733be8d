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
from aclnet.models import SkeletonNetwork, build_encoder
from aclnet.models.temporal_conv import TemporalConvSettings
from aclnet.runs.embedding import embed
from aclnet.runs.settings import EmbedSettings
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
        ("augment.image_flip=0.5", "places in pixels.* set normalise.centre"),
        (PICTURES.replace("heading: none", "heading: clip"), "places in pixels"),
        (PICTURES.replace("scale: none", "scale: torso"), "places in pixels"),
        (PICTURES + "\nbodies={sizes: [2.0]}", "give no other bodies"),
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
    torch.testing.assert_close(
        made.prepare_mirrored(clips), made.prepare(mirror(clips, LAYOUT)), rtol=0, atol=1e-4
    )


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
        ({"unit": "normalised"}, "toy: .* its joints are 2-D in normalised: set it to 0"),
        ({"channels": ("x", "y", "z")}, "toy: .* its joints are 3-D in pixel: set it to 0"),
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


# --- embeddings -----------------------------------------------------------------------------------


def network(made: ClipInput, dropout: float = 0.5) -> SkeletonNetwork:
    """A small network whose normalisation layers have seen something."""
    generator = torch.Generator().manual_seed(0)
    small = TemporalConvSettings(width=8, blocks=2, pooling="mean_std", dropout=dropout)
    encoder = build_encoder(small, LAYOUT, made.channels, generator)
    net = SkeletonNetwork(encoder, 4, "bn", dropout, generator)
    net.train()
    with torch.no_grad(), torch.random.fork_rng():
        for _ in range(3):
            net(made.prepare(first_frames()))
    return net


SMALL = EmbedSettings(stride=3, mirror=True, batch_size=4)


def unit(vectors: Tensor) -> Tensor:
    length: Tensor = vectors.norm(dim=-1, keepdim=True)
    return vectors / length


def plain_embedding(
    net: SkeletonNetwork, store: Store, made: ClipInput, chosen: EmbedSettings
) -> Tensor:
    """One sample, one window, one image after the other."""
    net.eval()
    rows = []
    length = made.settings.frames
    with torch.no_grad():
        for i in range(len(store)):
            clip = torch.from_numpy(store.clip(i)).transpose(0, 1)[None]
            frames = clip.shape[2]
            starts = list(range(0, max(frames - length, 0) + 1, chosen.stride))
            if chosen.windows == "centre":
                starts = [(frames - length) // 2]
            total = torch.zeros(net.classifier.in_features)
            for start in starts:
                window = clip[:, :, start : start + length]
                images = [window, mirror(window, LAYOUT)] if chosen.mirror else [window]
                for image in images:
                    output = net(made.prepare(image))
                    feature = output.embedding if chosen.feature == "embedding" else output.pooled
                    total += unit(feature[0])
            rows.append(unit(total))
    return torch.stack(rows)


@pytest.mark.parametrize(
    "change", [{}, {"mirror": False}, {"windows": "centre"}, {"feature": "pooled"}, {"stride": 40}]
)
def test_embeddings_are_those_of_the_plain_loop(change: dict[str, Any]) -> None:
    made, store = clip_input(), make_store(walks())
    net, chosen = network(made), SMALL.model_copy(update=change)
    vectors = embed(net, store, made, chosen)
    assert vectors.shape == (5, 16)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    wanted = plain_embedding(net, store, made, chosen).numpy()
    np.testing.assert_allclose(vectors, wanted, atol=1e-5)


def test_each_setting_matters() -> None:
    made, store = clip_input(), make_store(walks())
    net = network(made)
    plain = embed(net, store, made, SMALL)
    for change in ({"mirror": False}, {"windows": "centre"}, {"feature": "pooled"}, {"stride": 40}):
        assert np.abs(embed(net, store, made, SMALL.model_copy(update=change)) - plain).max() > 1e-3


def test_embeddings_depend_neither_on_batch_size_nor_on_order() -> None:
    made, store = clip_input(), make_store(walks())
    net = network(made)
    vectors = embed(net, store, made, SMALL)
    for size in (1, 3, 1000):
        other = embed(net, store, made, SMALL.model_copy(update={"batch_size": size}))
        np.testing.assert_allclose(other, vectors, atol=1e-5)
    order = [3, 0, 4, 2, 1]
    np.testing.assert_allclose(
        embed(net, store.select(order), made, SMALL), vectors[order], atol=1e-5
    )
    np.testing.assert_allclose(embed(net, store.select([2]), made, SMALL), vectors[[2]], atol=1e-5)


def test_with_its_mirror_image_a_walk_is_its_mirror_image() -> None:
    made, stored = clip_input(), walks()
    images = [
        mirror(torch.from_numpy(clip).transpose(0, 1)[None], LAYOUT)[0].transpose(0, 1).numpy()
        for clip in stored
    ]
    net, one, other = network(made), make_store(stored), make_store(images)
    np.testing.assert_allclose(
        embed(net, other, made, SMALL), embed(net, one, made, SMALL), atol=1e-4
    )
    alone = SMALL.model_copy(update={"mirror": False})
    assert np.abs(embed(net, other, made, alone) - embed(net, one, made, alone)).max() > 1e-2


def test_a_recording_shorter_than_a_window_is_embedded() -> None:
    made, (walk, *_) = clip_input(), walks((5,))
    there_and_back = walk[[0, 1, 2, 3, 4, 3, 2, 1]]
    net = network(made)
    vectors = embed(net, make_store([walk, there_and_back]), made, SMALL)
    np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-6)


def test_the_network_comes_back_as_it_was() -> None:
    made, store = clip_input(), make_store(walks())
    net = network(made)
    net.encoder.eval()  # a frozen part
    modes = {name: module.training for name, module in net.named_modules()}
    before = {name: value.clone() for name, value in net.state_dict().items()}

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    embed(net, store, made, SMALL)
    assert {name: module.training for name, module in net.named_modules()} == modes
    net.register_forward_hook(stop)
    with pytest.raises(KeyboardInterrupt):
        embed(net, store, made, SMALL)
    assert {name: module.training for name, module in net.named_modules()} == modes
    assert modes[""]
    assert not modes["encoder"]
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_the_network_is_in_evaluation_mode_within() -> None:
    made, store = clip_input(), make_store(walks())
    net = network(made)
    seen: list[tuple[bool, bool]] = []
    net.register_forward_hook(
        lambda module, _, output: seen.append((module.training, output.pooled.requires_grad))
    )
    embed(net, store, made, SMALL)
    assert seen
    assert set(seen) == {(False, False)}


def test_nothing_cannot_be_embedded() -> None:
    made = clip_input()
    with pytest.raises(ValueError, match="nothing to embed: toy holds no sample"):
        embed(network(made), make_store([]), made, SMALL)
