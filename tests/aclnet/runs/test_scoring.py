from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from aclnet.clips.input import ClipInput
from aclnet.clips.settings import ClipSettings
from aclnet.clips.stored import with_people_exchanged
from aclnet.clips.transforms import exchange_people
from aclnet.data.sample import StoreInfo
from aclnet.models import SkeletonNetwork, build_encoder
from aclnet.models.temporal_conv import TemporalConvSettings
from aclnet.runs.averages import scoring_frames
from aclnet.runs.inference import score
from aclnet.runs.settings import ScoringSettings
from aclnet.runs.windows import window_store
from aclnet.skeleton import load_layout


@pytest.mark.parametrize("sampling", ["window", "uniform", "stretch"])
def test_test_clips_lie_in_the_recording_and_do_not_depend_on_others(sampling: Any) -> None:
    clip = ClipSettings(frames=8, sampling=sampling)
    lengths = np.array([1, 3, 8, 40])
    frames = scoring_frames(lengths, clip, ScoringSettings(clips=4))
    assert frames.shape == (4, 4, 8)
    assert (frames >= 0).all()
    assert (frames < lengths[:, None, None]).all()
    np.testing.assert_array_equal(
        scoring_frames(lengths[2:], clip, ScoringSettings(clips=4)), frames[2:]
    )


@pytest.mark.parametrize("sampling", ["window", "uniform", "stretch"])
def test_the_test_clips_of_a_long_recording_are_all_different(sampling: Any) -> None:
    clip = ClipSettings(frames=8, sampling=sampling)
    frames = scoring_frames(np.array([100]), clip, ScoringSettings(clips=10))[0]
    assert len(np.unique(frames, axis=0)) == 10


@pytest.mark.parametrize("sampling", ["stretch", "resize"])
def test_clips_cover_the_whole_and_parts_in_turn(sampling: Any) -> None:
    clip = ClipSettings(frames=50, sampling=sampling)
    test = ScoringSettings(clips=10, least_share=0.8)
    frames = scoring_frames(np.array([100, 1]), clip, test)
    ends = np.round(frames[0][:, [0, -1]] / 10).astype(int).tolist()
    parts = [[0, 10], [0, 8], [2, 10], [1, 9]]
    assert ends == [part for part in (*parts, parts[0]) for _ in (0, 1)]
    assert not frames[1].any()


def test_parts_need_clips_that_span_a_recording() -> None:
    clip = ClipSettings(frames=8, sampling="window")
    with pytest.raises(
        ValueError, match=r"least_share cuts .* not with clip.sampling: window: set it"
    ):
        scoring_frames(np.array([40]), clip, ScoringSettings(least_share=0.5))


def test_every_second_clip_has_the_people_exchanged_where_all_are_seen() -> None:
    clips = np.random.default_rng(0).normal(size=(6, 2, 3, 5, 3)).astype(np.float32)
    clips[3, 1] = 0
    made = with_people_exchanged(clips, np.arange(6) % 2 == 1)
    np.testing.assert_array_equal(made[[0, 2, 3, 4]], clips[[0, 2, 3, 4]])
    np.testing.assert_array_equal(made[[1, 5]], clips[[1, 5]][:, ::-1])
    every = with_people_exchanged(clips, np.ones(6, dtype=np.bool_))
    np.testing.assert_array_equal(every, exchange_people(torch.from_numpy(clips)).numpy())


def test_exchanged_clips_do_not_depend_on_the_batch() -> None:
    settings = ClipSettings(frames=4, sampling="stretch", normalise={"centre": "people"})
    layout = load_layout("kgbd20")
    info = StoreInfo(name="toy", layout=layout.to_dict(), channels=("x", "y", "z"), unit="metre")
    random = np.random.default_rng(0)
    store = window_store(
        [random.normal(size=(9, 2, 20, 3)).astype(np.float32) for _ in range(4)], info
    )
    made, generator = ClipInput(settings, layout, info.channels), torch.Generator().manual_seed(0)
    encoder = build_encoder(
        TemporalConvSettings(width=8, blocks=1, persons=2), layout, made.channels, generator
    )
    network = SkeletonNetwork(encoder, 5, "none", 0.0, generator)
    found = [
        score(network, store, made, ScoringSettings(clips=3, exchange_people=True, batch_size=size))
        for size in (1, 100)
    ]
    np.testing.assert_allclose(found[0].logits, found[1].logits, atol=1e-5)
    plain = score(network, store, made, ScoringSettings(clips=3))
    assert np.abs(plain.logits - found[0].logits).max() > 1e-3


@pytest.mark.parametrize("batch_size", [1, 7, 100])
def test_scores_are_means_over_the_clips(batch_size: int) -> None:
    settings = ClipSettings(
        frames=4, sampling="stretch", normalise={"centre": "none", "scale": "none"}
    )
    layout = load_layout("kgbd20")
    info = StoreInfo(name="toy", layout=layout.to_dict(), channels=("x", "y", "z"), unit="metre")
    random = np.random.default_rng(0)
    clips = [random.normal(size=(n, 1, 20, 3)).astype(np.float32) for n in (40, 9, 25)]
    store, made = window_store(clips, info), ClipInput(settings, layout, info.channels)
    generator = torch.Generator().manual_seed(0)
    encoder = build_encoder(
        TemporalConvSettings(width=8, blocks=1), layout, made.channels, generator
    )
    network = SkeletonNetwork(encoder, 5, "none", 0.0, generator)
    test = ScoringSettings(clips=3, batch_size=batch_size)
    found, frames = score(network, store, made, test), scoring_frames(store.lengths, settings, test)
    network.eval()
    for row, clip in enumerate(clips):
        seen = torch.from_numpy(clip[frames[row]]).transpose(1, 2)  # (clips, M, T, V, C)
        with torch.no_grad():
            output = network(made.prepare(seen))
        for one, each in (
            (found.probabilities, output.logits.softmax(dim=1)),
            (found.logits, output.logits),
            (found.embedding, output.embedding),
        ):
            np.testing.assert_allclose(one[row], each.mean(dim=0), atol=1e-5)
            assert each.std(dim=0).max() > 1e-4  # the clips differ


def test_motion_of_joined_clips_leads_to_the_next_clip() -> None:
    settings = ClipSettings(
        frames=4, sampling="uniform", streams=("jm",), motion="joined",
        normalise={"centre": "none", "scale": "none"},
    )  # fmt: skip
    layout = load_layout("kgbd20")
    info = StoreInfo(name="toy", layout=layout.to_dict(), channels=("x", "y", "z"), unit="metre")
    frames = np.random.default_rng(0).normal(size=(2, 9, 1, 20, 3)).astype(np.float32)
    store = window_store(list(frames), info)
    clip_input = ClipInput(settings, store.layout, store.info.channels)
    frames = scoring_frames(store.lengths[:2], settings, ScoringSettings(clips=3))
    made = clip_input.prepare(torch.from_numpy(clip_input.for_network(store, np.arange(2), frames)))
    assert made.shape == (6, 1, 4, 20, 3)
    joints = store.gather(np.arange(2), frames.reshape(2, -1))
    want = np.zeros_like(joints)
    want[:, :, :-1] = np.diff(joints, axis=2)
    np.testing.assert_allclose(
        made.numpy(), want.reshape(2, 1, 3, 4, 20, 3).swapaxes(1, 2).reshape(6, 1, 4, 20, 3),
        atol=1e-6,
    )  # fmt: skip
