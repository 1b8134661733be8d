from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor

from aclnet.clips.input import BodyVariants
from aclnet.clips.settings import BodySettings
from aclnet.clips.streams import make_stream
from aclnet.clips.transforms import mirror
from aclnet.skeleton import load_layout

LAYOUT = load_layout("coco17")
SIZES = (0.5, 1.0, 2.0)


def clips(count: int = 6, channels: int = 3, seed: int = 0) -> Tensor:
    made = torch.rand((count, 2, 4, 17, channels), generator=torch.Generator().manual_seed(seed))
    made[:, :, 1, 3:5] = 0  # not found by the detector
    return made


def variants(
    sizes: tuple[float, ...] = SIZES, mirrored: bool = True, dims: int = 2
) -> BodyVariants:
    return BodyVariants(BodySettings(sizes=sizes, mirrored=mirrored), LAYOUT, dims)


@given(st.integers(1, 4), st.booleans(), st.lists(st.integers(0, 20), max_size=8))
def test_each_person_becomes_as_many_as_there_are_bodies(
    sizes: int, mirrored: bool, people: list[int]
) -> None:
    bodies = variants(tuple(1 + 0.1 * i for i in range(sizes)), mirrored)
    assert bodies.count == sizes * (2 if mirrored else 1)
    labels = bodies.expand(np.array(people, dtype=np.int64))
    assert labels.dtype == np.int64
    assert labels.shape == (len(people) * bodies.count,)
    # Sample `row * count + variant` has class `person * count + variant`.
    row, variant = np.divmod(np.arange(len(labels)), bodies.count)
    person = np.array(people, dtype=np.int64)[row]
    np.testing.assert_array_equal(labels // bodies.count, person)
    np.testing.assert_array_equal(labels % bodies.count, variant)
    assert len(set(labels.tolist())) == len(set(people)) * bodies.count


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_sizes_scale_bone_lengths(seed: int) -> None:
    stored = clips(3, seed=seed)
    grown = variants(mirrored=False).apply(stored, torch.tensor([0, 1, 2]))
    before, after = (make_stream(x, LAYOUT, "l", dims=2) for x in (stored, grown))
    factor = torch.tensor(SIZES)[:, None, None, None, None]
    torch.testing.assert_close(after, before * factor)
    assert torch.equal(grown[..., 2], stored[..., 2])
    assert torch.equal(grown[1], stored[1])


def test_a_mirrored_body_is_the_mirror_image() -> None:
    stored = clips()
    result = variants().apply(stored, torch.arange(6))
    for variant in range(6):
        wanted = stored[variant : variant + 1].clone()
        wanted[..., :2] *= SIZES[variant % 3]
        if variant >= 3:
            wanted = mirror(wanted, LAYOUT)
        assert torch.equal(result[variant], wanted[0])


def test_the_recorded_body_alone_changes_nothing() -> None:
    bodies = BodyVariants(BodySettings(), LAYOUT, 2)
    stored = clips()
    assert bodies.count == 1
    assert bodies.expand(np.array([3, 1])).tolist() == [3, 1]
    assert torch.equal(bodies.apply(stored, torch.zeros(6, dtype=torch.int64)), stored)


def test_a_single_other_size_is_applied_too() -> None:
    stored, variant = clips(1), torch.zeros(1, dtype=torch.int64)
    for dims in (2, 3):
        grown = variants((1.5,), mirrored=False, dims=dims).apply(stored, variant)
        torch.testing.assert_close(grown[..., :dims], 1.5 * stored[..., :dims])


@pytest.mark.parametrize("sizes", [(), (0.0,), (-1.0, 1.0), (1.0, float("inf")), (1.0, 2.0, 1.0)])
def test_senseless_sizes_are_refused(sizes: tuple[float, ...]) -> None:
    with pytest.raises(ValidationError, match="sizes"):
        BodySettings(sizes=sizes)
