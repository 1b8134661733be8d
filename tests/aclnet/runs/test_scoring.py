from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from aclnet.clips.input import ClipInput
from aclnet.clips.settings import ClipSettings
from aclnet.data.sample import StoreInfo
from aclnet.runs.scoring import _test_clips, scoring_frames
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
    made = _test_clips(store, np.arange(2), frames, clip_input, "cpu", None)  # type: ignore[arg-type]
    assert made.shape == (6, 1, 4, 20, 3)
    joints = store.gather(np.arange(2), frames.reshape(2, -1))
    want = np.zeros_like(joints)
    want[:, :, :-1] = np.diff(joints, axis=2)
    np.testing.assert_allclose(
        made.numpy(), want.reshape(2, 1, 3, 4, 20, 3).swapaxes(1, 2).reshape(6, 1, 4, 20, 3),
        atol=1e-6,
    )  # fmt: skip
