from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from torch import Tensor

from aclnet.models import build_encoder
from aclnet.models.skate_former import Block, Relation, SkateFormerSettings, part_grid
from aclnet.skeleton import load_layout

SMALL = SkateFormerSettings(widths=(16,), blocks=1, heads=8, window=3, attention_dropout=0.0)


def plain_attention(relation: Relation, maps: Tensor, present: Tensor) -> Tensor:
    """One query at a time, as the paper words it."""
    B, T, P, L, width = maps.shape
    size, heads = width // 3, relation.heads
    query, key, value = maps.unflatten(4, (3, heads, size // heads)).unbind(4)  # type: ignore[no-untyped-call]
    windows = T // relation.window
    every = [(t, p, n) for t in range(T) for p in range(P) for n in range(L)]

    def window_of(t: int) -> int:
        return t % windows if relation.spread else t // relation.window

    def step(t: int) -> int:
        return t // windows if relation.spread else t % relation.window

    result = torch.zeros(B, T, P, L, size, dtype=maps.dtype)
    for b in range(B):
        for t, p, n in every:
            keys = [
                (u, q, m)
                for u, q, m in every
                if present[u, q, m]
                and window_of(u) == window_of(t)
                and (m == n if relation.distant else q == p)
            ]
            for h in range(heads):
                scores = []
                for u, q, m in keys:
                    later = step(u) - step(t) + relation.window - 1
                    place = (h, p, q, later) if relation.distant else (h, later)
                    product = query[b, t, p, n, h] @ key[b, u, q, m, h]
                    scores.append(product / math.sqrt(size // heads) + relation.table[place])
                weights = torch.stack(scores).softmax(dim=0)
                mean = sum(w * value[b, *at, h] for w, at in zip(weights, keys, strict=True))
                part = size // heads
                result[b, t, p, n, h * part : (h + 1) * part] = mean
    return result


@pytest.mark.parametrize("spread", [False, True])
@pytest.mark.parametrize("distant", [False, True])
def test_a_relation_is_attention_among_its_frames_and_joints(spread: bool, distant: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    relation = Relation(SMALL, 2, spread, distant).double().eval()
    with torch.no_grad():
        relation.table.normal_(generator=generator)
    maps = torch.randn(1, 6, 2, 3, 3 * 4, dtype=torch.float64, generator=generator)
    present = torch.ones(6, 2, 3, dtype=torch.bool)
    present[5] = False
    present[:, 1, 2] = False
    found = relation(maps, present)
    torch.testing.assert_close(
        found[:, present], plain_attention(relation, maps, present)[:, present]
    )


def test_what_fills_the_grid_up_is_not_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of other sizes, and a clip of four frames in windows of three."""
    grid = part_grid(load_layout("ntu25"))
    assert (grid < 0).any()
    block = Block(SMALL, 16, grid, 0.0).eval()
    x = torch.randn(1, 4, 25, 16, generator=torch.Generator().manual_seed(1))
    wanted = block(x)
    select = Tensor.index_select

    def spoil(values: Tensor, dim: int, index: Tensor) -> Tensor:
        filled = select(values, dim, index)
        if dim == 1:
            filled[:, 4:] = 1e3
        if dim == 2 and len(index) == grid.numel():
            filled[:, :, grid.flatten() < 0] = 1e3
        return filled

    monkeypatch.setattr(Tensor, "index_select", spoil)
    torch.testing.assert_close(block(x), wanted)


def test_joints_of_no_part_are_a_part() -> None:
    layout = load_layout("ntu25")
    fewer = dataclasses.replace(layout, parts={"left_arm": layout.parts["left_arm"]})
    rows = part_grid(fewer)
    assert rows.shape == (2, 19)
    assert sorted(joint for joint in rows.flatten().tolist() if joint >= 0) == list(range(25))


def test_a_layout_without_parts_is_refused() -> None:
    layout = dataclasses.replace(load_layout("ntu25"), parts={})
    with pytest.raises(ValueError, match="layout ntu25 has none"):
        build_encoder(SMALL, layout, 3)


@pytest.mark.parametrize(("change", "words"), [({"widths": (20,)}, "heads"), ({"heads": 12}, "8")])
def test_heads_share_the_channels(change: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        SkateFormerSettings.model_validate({"heads": 16, "widths": (32,)} | change)


def test_the_published_sizes_have_the_published_number_of_weights() -> None:
    """2.03 million, with a classifier of 60 actions and matrices of two people's 24 joints."""
    encoder = build_encoder(SkateFormerSettings(), load_layout("ntu25"), 3)
    count = sum(parameter.numel() for parameter in encoder.parameters())
    matrices = 8 * 8 * (48**2 - 25**2)
    assert count + matrices + 193 * 60 == pytest.approx(2.03e6, rel=0.02)


def test_clips_are_skipped_in_training_alone() -> None:
    block = Block(SMALL, 16, part_grid(load_layout("ntu25")), 0.5)
    x = torch.ones(400, 1, 1, 1)
    torch.manual_seed(0)
    assert set(block.train().skip(x).unique().tolist()) == {0.0, 2.0}
    assert torch.equal(block.eval().skip(x), x)
