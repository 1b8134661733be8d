"""Keypoint files that were read wrongly, and what is right (`cases/wrong_values`)."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aclnet.data.formats import read
from aclnet.data.sample import Sample, StoreInfo

Read = Callable[..., tuple[StoreInfo, list[Sample]]]


@pytest.fixture
def read_case(shared: Path, tmp_path: Path) -> Read:
    """Read a case without naming its format."""
    folder = shared / "cases" / "wrong_values"
    if not folder.is_dir():
        pytest.skip(f"there are no cases at {folder}")

    def opened(name: str, **options: Any) -> tuple[StoreInfo, list[Sample]]:
        path = folder / name
        if not path.exists():
            with tarfile.open(folder / f"{name}.tar.gz") as archive:
                archive.extractall(tmp_path, filter="data")
            path = tmp_path / name
        info, samples = read(path, **options)
        return info, list(samples)

    return opened


def nose(sample: Sample) -> list[float]:
    """x of the first person's nose, rounded to whole pixels."""
    assert not sample.frames[:, 1:].any()
    return np.rint(sample.frames[:, 0, 0, 0]).tolist()


@pytest.mark.parametrize(
    ("name", "empty", "first", "frames", "layout"),
    [
        ("mmpose_first_empty", 2, 304, 12, "coco17"),
        ("ul_25_empty", 25, 350, 40, "coco17"),
        ("op_ms", 0, 300, 12, "body25"),
        ("op_twice", 0, 300, 12, "body25"),
        ("mmpose_predictions_list", 0, 300, 12, "coco17"),
        ("alpha_grouped", 0, 300, 12, "coco17"),
    ],
)
def test_one_walker_in_pixels(
    name: str, empty: int, first: int, frames: int, layout: str, read_case: Read
) -> None:
    info, (sample,) = read_case(name)
    assert (info.layout["name"], info.unit) == (layout, "pixel")
    assert nose(sample) == [0] * empty + [first + 2 * t for t in range(frames - empty)]
    assert not sample.frames[:empty].any()


def test_a_persons_copies_are_counted(read_case: Read) -> None:
    info, _ = read_case("op_twice")
    assert info.dropped == {"people listed twice in a frame": 24}


def test_every_fifth_frame_is_a_video_of_its_own(read_case: Read) -> None:
    _, (sparse,) = read_case("pr_step5.json")
    _, (dense,) = read_case("pr_late.json")
    np.testing.assert_array_equal(sparse.frames, dense.frames)


def test_a_confidence_of_one_is_no_id(read_case: Read) -> None:
    _, (sample,) = read_case("ul_txt_conf1", people="apart")
    assert len(sample.frames) == 12
    assert sample.frames[..., 2].any(axis=(1, 2)).all()


def test_two_folders_of_images_are_two_recordings(read_case: Read) -> None:
    _, samples = read_case("alpha_multi")
    assert [(s.sample, len(s.frames)) for s in samples] == [
        ("alpha_multi/vidA", 24),
        ("alpha_multi/vidB", 24),
    ]
    # The first stands, the second walks.
    assert nose(samples[0])[-1] == 300
    assert nose(samples[1])[-1] == 346


def test_mediapipes_own_list_of_landmarks(read_case: Read) -> None:
    info, (sample,) = read_case("mp_landmark")
    assert (info.layout["name"], info.unit) == ("mediapipe33", "normalised")
    t, j = np.mgrid[:12, :33]
    right = np.stack([0.5 + 0.001 * t + 0.01 * j, 0.3 + 0.01 * j, 0 * j + 0.1, 0 * j + 0.9], axis=2)
    np.testing.assert_allclose(sample.frames[:, 0], right, atol=1e-6)


def test_kinetics_skeletons(read_case: Read) -> None:
    info, (sample,) = read_case("kin")
    assert (info.layout["name"], info.unit) == ("coco18", "normalised")
    assert (sample.label, sample.frames.shape) == ("jumping", (24, 2, 18, 3))
    assert not sample.frames[:3].any()
    np.testing.assert_allclose(sample.frames[3, 0, 0], [0.469, 0.415, 0.9], rtol=1e-6)
