from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from aclnet.clips.input import ClipInput
from aclnet.clips.settings import AugmentSettings, ClipSettings
from aclnet.clips.transforms import mirror
from aclnet.data.sample import StoreInfo
from aclnet.data.store import Store
from aclnet.models import SkeletonNetwork, build_encoder
from aclnet.models.temporal_conv import TemporalConvSettings
from aclnet.runs.inference import embed
from aclnet.runs.settings import EmbedSettings
from aclnet.runs.windows import window_store
from aclnet.skeleton import load_layout

Clip = npt.NDArray[np.float32]
LAYOUT = load_layout("coco17")
CHANNELS = ("x", "y", "confidence")
INFO = StoreInfo(name="toy", layout=LAYOUT.to_dict(), channels=CHANNELS, unit="pixel")


def store_of(clips: list[Clip]) -> Store:
    return window_store(clips, INFO)


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


def clip_input(**chosen: Any) -> ClipInput:
    chosen = {"frames": 8, "augment": AugmentSettings(mirror=0)} | chosen
    return ClipInput(ClipSettings(**chosen), LAYOUT, CHANNELS)


def first_frames(count: int = 8) -> Tensor:
    return torch.from_numpy(np.stack([clip[:count].transpose(1, 0, 2, 3) for clip in walks()]))


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
            total: Tensor = torch.zeros(())
            count = 0
            for start in starts:
                window = clip[:, :, start : start + length]
                images = [window, mirror(window, LAYOUT)] if chosen.mirror else [window]
                for image in images:
                    output = net(made.prepare(image))
                    feature = output.embedding if chosen.feature == "embedding" else output.pooled
                    if chosen.feature == "posterior":
                        feature = output.logits.softmax(1).sqrt()
                    total = total + (unit(feature[0]) if chosen.normalise else feature[0])
                    count += 1
            rows.append(unit(total) if chosen.normalise else total / count)
    return torch.stack(rows)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"mirror": False},
        {"windows": "centre"},
        {"feature": "pooled"},
        {"stride": 40},
        {"normalise": False},
        {"normalise": False, "mirror": False},
        {"feature": "posterior"},
    ],
)
def test_embeddings_are_those_of_the_plain_loop(change: dict[str, Any]) -> None:
    made, store = clip_input(), store_of(walks())
    net, chosen = network(made), SMALL.model_copy(update=change)
    vectors = embed(net, store, made, chosen)
    assert vectors.shape == (5, 4 if chosen.feature == "posterior" else 16)
    assert vectors.dtype == np.float32
    if chosen.normalise:
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    wanted = plain_embedding(net, store, made, chosen).numpy()
    np.testing.assert_allclose(vectors, wanted, atol=1e-5)
    other = embed(net, store, made, SMALL)
    assert not change or other.shape != vectors.shape or np.abs(other - vectors).max() > 1e-3


def test_embeddings_depend_neither_on_batch_size_nor_on_order() -> None:
    made, store = clip_input(), store_of(walks())
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
    net, one, other = network(made), store_of(stored), store_of(images)
    np.testing.assert_allclose(
        embed(net, other, made, SMALL), embed(net, one, made, SMALL), atol=1e-4
    )
    alone = SMALL.model_copy(update={"mirror": False})
    assert np.abs(embed(net, other, made, alone) - embed(net, one, made, alone)).max() > 1e-2


def test_a_recording_shorter_than_a_window_is_embedded() -> None:
    made, (walk, *_) = clip_input(), walks((5,))
    there_and_back = walk[[0, 1, 2, 3, 4, 3, 2, 1]]
    net = network(made)
    vectors = embed(net, store_of([walk, there_and_back]), made, SMALL)
    np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-6)


def test_the_network_comes_back_as_it_was() -> None:
    made, store = clip_input(), store_of(walks())
    net = network(made)
    net.encoder.eval()  # a frozen part
    modes = {name: module.training for name, module in net.named_modules()}
    before = {name: value.clone() for name, value in net.state_dict().items()}

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    within = []
    net.register_forward_hook(lambda module, _, __: within.append(module.training))
    embed(net, store, made, SMALL)
    assert not any(within)
    assert {name: module.training for name, module in net.named_modules()} == modes
    net.register_forward_hook(stop)
    with pytest.raises(KeyboardInterrupt):
        embed(net, store, made, SMALL)
    assert {name: module.training for name, module in net.named_modules()} == modes
    assert modes[""]
    assert not modes["encoder"]
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_nothing_cannot_be_embedded() -> None:
    made = clip_input()
    with pytest.raises(ValueError, match="nothing to embed: toy holds no sample"):
        embed(network(made), store_of([]), made, SMALL)


@pytest.mark.parametrize("kept", [1, 2, 64])
def test_the_device_is_waited_for_once_for_several_batches(
    kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, waits, to_host = clip_input(), [0], Tensor.cpu
    settings = EmbedSettings(windows="all", stride=4, batch_size=5)
    net, store = network(made), store_of(walks())
    whole = embed(net, store, made, settings)

    def count(tensor: Tensor) -> Tensor:
        waits[0] += 1
        return to_host(tensor)

    monkeypatch.setattr("aclnet.runs.inference._at_once", lambda device: kept)
    monkeypatch.setattr(Tensor, "cpu", count)
    np.testing.assert_array_equal(embed(net, store, made, settings), whole)
    batches = -(-17 // 5)
    assert waits[0] == 3 * -(-batches // kept)  # probabilities, logits and feature
