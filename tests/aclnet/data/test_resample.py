"""Recordings at another frame rate, beside a plain, slow way in fractions."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aclnet.data.convert import convert
from aclnet.data.resample import resample, resample_samples, to_be_resampled
from aclnet.data.sample import Sample, StoreInfo
from aclnet.data.store import open_store, write_store
from aclnet.skeleton import load_layout

LAYOUT = load_layout("ntu25").to_dict()


def plain(frames: Any, numbers: list[int], rate: int, fps: int) -> tuple[list[int], list[Any]]:
    """Frame by frame, joint by joint."""
    ratio = Fraction(rate, fps)
    gaps = sorted(b - a for a, b in pairwise(numbers)) or [1]
    middle = len(gaps) // 2
    step = gaps[middle] if len(gaps) % 2 else (gaps[middle - 1] + gaps[middle]) // 2
    made: dict[int, Any] = {}
    for k in range(ceil(numbers[0] / ratio), floor(numbers[-1] / ratio) + 1):
        place = k * ratio
        after = next(i for i, number in enumerate(numbers) if number >= place)
        if numbers[after] == place:
            made[k] = frames[after]
        elif numbers[after] - numbers[after - 1] <= max(ratio, step):
            share = Fraction(place - numbers[after - 1], numbers[after] - numbers[after - 1])
            frame = np.zeros_like(frames[0])
            for person, joint in np.ndindex(frame.shape[:2]):
                one, other = frames[after - 1][person, joint], frames[after][person, joint]
                if one[3] > 0 and other[3] > 0:
                    frame[person, joint] = one + float(share) * (other - one)
            made[k] = frame
    if not made:
        made[round(numbers[0] / ratio)] = frames[0]
    return list(made), list(made.values())


@given(
    st.sets(st.integers(0, 60), min_size=1, max_size=40).map(sorted),
    st.sampled_from([(120, 30), (100, 30), (30, 25), (60, 50), (50, 120), (120, 120)]),
    st.integers(0, 1000),
)
def test_as_the_plain_way(numbers: list[int], rates: tuple[int, int], seed: int) -> None:
    random = np.random.default_rng(seed)
    frames = random.normal(size=(len(numbers), 2, 3, 4)).astype(np.float32)
    frames[..., 3] = random.random((len(numbers), 2, 3)) * (random.random(3) < 0.8)
    frames *= random.random((len(numbers), 2, 3, 1)) < 0.8
    made, at = resample(frames, np.array(numbers), *rates)
    wanted, theirs = plain(frames.astype(np.float64), numbers, *rates)
    assert at.tolist() == wanted
    assert made.dtype == np.float32
    np.testing.assert_allclose(made, np.array(theirs), rtol=2e-6, atol=1e-6)
    np.testing.assert_array_equal(made == 0, np.array(theirs) == 0)


def test_frames_that_are_far_apart_make_none() -> None:
    frames = np.ones((3, 1, 1, 3))
    made, numbers = resample(frames, np.array([0, 4, 10**15]), 120, 30)
    assert (len(made), numbers.tolist()) == (3, [0, 1, 250_000_000_000_000])


def samples_of(*rates: float | None) -> list[Sample]:
    frames = np.random.default_rng(0).normal(size=(12, 1, 25, 3)).astype(np.float32)
    return [Sample(f"s{i}", frames, label="a", fps=rate) for i, rate in enumerate(rates)]


def changed(
    samples: list[Sample], fps: float | None = None, upsample: bool = False
) -> tuple[StoreInfo, list[Sample]]:
    about: dict[str, Any] = {"name": "x", "layout": LAYOUT, "channels": tuple("xyz")}
    info = StoreInfo(**about, unit="metre", fps=fps)
    made, each = resample_samples(info, iter(samples), 30, upsample=upsample)
    return made, list(each)


def test_what_is_changed_and_what_is_said() -> None:
    info, samples = changed(samples_of(120.0, 30.0, 29.97, 15.0, None))
    assert [len(one.frames) for one in samples] == [3, 12, 12, 12, 12]
    assert [one.fps for one in samples] == [30, 30, 29.97, 15, None]
    assert [one.sample for one in samples] == ["s0", "s1", "s2", "s3", "s4"]
    assert (info.fps, info.settings["resample_fps"]) == (None, 30)
    assert info.notes == {
        "resampled from 120 to 30 frames per second": 1,
        "has 15 frames per second: not resampled to 30 (upsample)": 1,
        "frames per second are not known (fps): not resampled to 30": 1,
    }


def test_the_rate_of_the_whole_store_follows() -> None:
    info, samples = changed(samples_of(None, 15.0), fps=120.0)
    assert (info.fps, [one.fps for one in samples]) == (30, [None, 15])
    info, samples = changed(samples_of(None), fps=15.0)
    assert (info.fps, [one.fps for one in samples]) == (15, [None])


def test_upsampling_is_asked_for() -> None:
    info, (sample,) = changed(samples_of(None), fps=15.0, upsample=True)
    assert (info.fps, len(sample.frames)) == (30, 23)
    sparse = [replace(samples_of(15.0)[0], frame_numbers=np.arange(12) * 10**9)]
    with pytest.raises(ValueError, match=r"sample 's0': .* choose a lower rate \(resample_fps\)"):
        changed(sparse, upsample=True)


def test_every_fourth_frame_of_120_is_30_already() -> None:
    every = replace(samples_of(120.0)[0], frame_numbers=np.arange(12) * 4)
    info, (sample,) = changed([every])
    assert (info.notes, sample.fps, sample.numbers[-1]) == ({}, 120, 44)


def test_a_file_becomes_a_store_at_the_rate(shared: Path, tmp_path: Path) -> None:
    folder = shared / "data" / "raw_samples" / "hdm05_asf_amc"
    whole = convert(folder, tmp_path / "whole")
    store = convert(folder, tmp_path / "store", resample_fps=30)
    np.testing.assert_array_equal(store.clip(0), whole.clip(0)[::4])
    assert store.fps(0) == 30
    assert store.index["sample"].tolist() == whole.index["sample"].tolist()
    assert list(store.info.notes) == ["resampled from 120 to 30 frames per second"]
    assert to_be_resampled(whole, 30)
    assert not to_be_resampled(store, 30)
    assert not to_be_resampled(store, 60)
    assert to_be_resampled(store, 60, upsample=True)


def test_numbers_of_a_store_count(tmp_path: Path) -> None:
    (sample,) = samples_of(120.0)
    about: dict[str, Any] = {"name": "x", "layout": LAYOUT, "channels": tuple("xyz")}
    every = replace(sample, frame_numbers=np.arange(12) * 4)
    write_store(tmp_path / "s", [every], StoreInfo(**about, unit="metre"))
    assert not to_be_resampled(open_store(tmp_path / "s"), 30)
