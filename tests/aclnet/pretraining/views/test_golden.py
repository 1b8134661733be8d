"""Every change and chain of the golden file, from its recorded draws."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from aclnet.clips.input import ClipInput
from aclnet.clips.settings import ClipSettings, NormaliseSettings
from aclnet.clips.streams import make_stream
from aclnet.data.sample import StoreInfo
from aclnet.data.store import Store
from aclnet.pretraining.body import body_of
from aclnet.pretraining.views.recipe import Change, apply_changes
from aclnet.pretraining.views.spatial import (
    AxisMask,
    ExchangeSides,
    Noise,
    RescaleBones,
    Rotate,
    Shear,
)
from aclnet.pretraining.views.temporal import Blur, Crop, RescaleTime, Reverse
from aclnet.runs.averages import scoring_frames
from aclnet.runs.settings import ScoringSettings
from aclnet.skeleton import load_layout

LAYOUT = load_layout("ntu25")
BODY = body_of(LAYOUT, 3, torch.device("cpu"))

BONES = (20, 1, 2, 8, 4, 0, 3, 5, 6, 7, *range(9, 20), 22, 21, 24, 23)
"""The joints in the order in which the factors of their bones were drawn."""

Draws = Iterator[Any]


def _is(chosen: bool) -> Tensor:
    return torch.tensor([chosen])


def _shear(draws: Draws, keep_centre: bool = True) -> Shear:
    a, b, c, d, e, f = (next(draws) for _ in range(6))
    matrix = [[1, a, d], [b, 1, e], [c, f, 1]]
    return Shear(torch.tensor([matrix], dtype=torch.float64), keep_centre)


def _crop(draws: Draws) -> Crop:
    return Crop(torch.tensor([next(draws)]), padding=8)


def _rotate(draws: Draws) -> Rotate:
    next(draws)  # the main axis; the angles say it
    return Rotate(torch.tensor([[math.radians(next(draws)) for _ in range(3)]]).double())


def _blur(draws: Draws) -> Blur:
    deviation = torch.tensor([next(draws)], dtype=torch.float64)
    return Blur(deviation, _is(next(draws) < 0.5))


def _axis_mask(draws: Draws) -> AxisMask:
    chosen = next(draws) < 0.5
    return AxisMask(torch.tensor([next(draws) if chosen else 0]), _is(chosen))


def _rescale_time(draws: Draws) -> RescaleTime:
    chosen = next(draws) < 0.5
    return RescaleTime(torch.tensor([int(50 * (next(draws) + 0.5)) if chosen else 50]), _is(chosen))


def _rescale_bones(draws: Draws) -> RescaleBones:
    factors = torch.zeros(1, 25, dtype=torch.float64)
    for joint in BONES:
        factors[0, joint] = 0.5 * next(draws)
    return RescaleBones(factors)


def _noise(draws: Draws, values: Tensor) -> Noise:
    if next(draws) >= 0.5:
        return Noise(torch.zeros_like(values))
    next(draws)
    return Noise(values)


CASES: dict[str, Callable[[Draws], Change]] = {
    "shear": _shear,
    "shear_offcentre": _shear,
    "shear_stage1": lambda draws: _shear(draws, keep_centre=False),
    "temporal_crop": _crop,
    "spatial_flip": lambda draws: ExchangeSides(_is(next(draws) < 0.5)),
    "time_flip": lambda draws: Reverse(_is(next(draws) < 0.5)),
    "rotate": _rotate,
    "gauss_filter": _blur,
    "axis_mask": _axis_mask,
    "interpolate_shrink": _rescale_time,
    "interpolate_stretch": _rescale_time,
    "bone_rescale": _rescale_bones,
    "rescale_offcentre": _rescale_bones,
}

Golden = Callable[[str], dict[str, Any]]
ClipOf = Callable[[Any], Tensor]
Numbers = Callable[[Any], list[Any]]


def _near(made: Tensor, expected: Tensor) -> None:
    # The golden clips are kept in single precision.
    torch.testing.assert_close(made, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("case", CASES)
def test_each_change(case: str, golden: Golden, clip_of: ClipOf, numbers: Numbers) -> None:
    data = golden("augment")
    clips = clip_of(data["x_offcentre" if case.endswith("_offcentre") else "x"])
    given = clips.clone()
    made = CASES[case](iter(numbers(data[f"{case}/draws"]))).apply(clips, BODY)
    _near(made, clip_of(data[f"{case}/out"]))
    assert torch.equal(clips, given)


def test_noise(golden: Golden, clip_of: ClipOf, numbers: Numbers) -> None:
    data = golden("augment")
    draws = iter(numbers(data["gauss_noise_normal/draws"]))
    made = _noise(draws, clip_of(data["gauss_noise_normal/array0"])).apply(clip_of(data["x"]), BODY)
    _near(made, clip_of(data["gauss_noise_normal/out"]))


@pytest.mark.parametrize("view", ["weak", "normal", "strong"])
def test_whole_chains(view: str, golden: Golden, clip_of: ClipOf, numbers: Numbers) -> None:
    data = golden("augment")
    draws = iter(numbers(data[f"recipe_{view}/draws"]))
    changes: list[Change] = [_crop(draws), _shear(draws)]
    if view != "weak":
        values = data.get(f"recipe_{view}/array0")
        changes.append(ExchangeSides(_is(next(draws) < 0.5)))
        changes.append(_rotate(draws))
        changes.append(_noise(draws, clip_of(data["x"] if values is None else values)))
        changes += [_blur(draws), _axis_mask(draws)]
    if view == "strong":
        changes += [_rescale_time(draws), _rescale_bones(draws)]
    assert next(draws, None) is None
    _near(apply_changes(clip_of(data["x"]), changes, BODY), clip_of(data[f"recipe_{view}/out"]))


@pytest.mark.parametrize(("stream", "name"), [("b", "bone"), ("jm", "motion")])
def test_streams(stream: str, name: str, golden: Golden, clip_of: ClipOf) -> None:
    data = golden("augment")
    made = make_stream(clip_of(data["x"]), LAYOUT, stream, dims=3)
    _near(made, clip_of(data[f"stream/{name}"]))


@pytest.mark.parametrize(
    ("heading", "name"), [("none", "position_norot"), ("shoulders", "position")]
)
def test_the_input_of_a_recording(
    heading: Literal["none", "shoulders"], name: str, golden: Golden, clip_of: ClipOf
) -> None:
    data = golden("augment")
    frames = clip_of(data["pre/raw"])[0].transpose(0, 1)[:71]  # the rest is padding
    info = StoreInfo(name="ntu", layout=LAYOUT.to_dict(), channels=("x", "y", "z"), unit="metre")
    index = pd.DataFrame({"sample": ["a"], "start": [0], "length": [71]})
    store = Store(info, index, frames.numpy().astype(np.float32))
    normalise = NormaliseSettings(centre="joint", scale="none", heading=heading)
    chosen = ClipSettings(frames=50, sampling="resize", streams=("j",), normalise=normalise)
    given = ClipInput(chosen, LAYOUT, info.channels)
    expected = clip_of(data[f"pre/{name}"])
    tested = scoring_frames(store.lengths, chosen, ScoringSettings(clips=1))[:, 0]
    trained = given.training_frames(store.lengths, np.random.default_rng(0))
    for places in (tested, trained):
        made = given.prepare(given.stored(store, np.array([0]), places))
        torch.testing.assert_close(made.to(expected), expected, rtol=1e-5, atol=2e-6)
