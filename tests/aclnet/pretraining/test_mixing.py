from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from aclnet.pretraining.body import Body, body_of
from aclnet.pretraining.mixing import (
    CUT,
    MIXUP,
    RESIZE,
    Mix,
    blend,
    draw_mix,
    key_weights,
    upscale,
)
from aclnet.pretraining.transfer import partners, transfer
from aclnet.pretraining.views.settings import MixSettings
from aclnet.skeleton import layout_names, load_layout

Golden = Callable[[str], dict[str, Any]]
ClipOf = Callable[[Any], Tensor]
Numbers = Callable[[Any], list[Any]]
BODY = body_of(load_layout("ntu25"), 3, torch.device("cpu"))


def mix_of(
    body: Body, count: int, kind: int, shift: int, parts: list[int], units: tuple[int, int],
    share: float = 0.0,
) -> Mix:  # fmt: skip
    length, start = units
    return Mix(
        kind=torch.tensor([kind]).expand(count),
        partner=partners(count, shift),
        joints=body.parts[parts].any(dim=0).expand(count, -1),
        start=torch.tensor([4 * start]).expand(count),
        length=torch.tensor([4 * length]).expand(count),
        share=torch.tensor([share], dtype=torch.float64).expand(count),
    )


def recorded_mix(draws: list[Any]) -> tuple[Mix, list[Any]]:
    """A recorded mix and the draws after it."""
    shift, count, parts, length, start, choice, *rest = draws
    assert len(parts) == count
    kind = CUT if choice > 0.5 else RESIZE if choice > 0.25 else MIXUP
    share = rest.pop(0) if kind == MIXUP else 0.0
    return mix_of(BODY, 4, kind, shift, parts, (length, start), share), rest


@pytest.mark.parametrize("step", ["step0", "step1", "step2"])
def test_golden_steps(step: str, golden: Golden, clip_of: ClipOf, numbers: Numbers) -> None:
    data = golden("step")
    _, shift, *draws = numbers(data[f"{step}/draws_json"])
    weak = clip_of(data["view/weak"])
    moved = transfer(weak, weak[partners(4, shift)], "j", BODY)
    if step == "step0":
        torch.testing.assert_close(moved, clip_of(data["step0/transferred"]), rtol=0, atol=1e-6)
    second, draws = recorded_mix(draws)
    third, _ = recorded_mix(draws)
    kinds = ["mix", "resize", "cut"]
    assert [kinds[int(mix.kind[0])] for mix in (second, third)] == data[f"{step}/branches"].tolist()
    expected = clip_of(data[f"{step}/mixed_input"])
    torch.testing.assert_close(third.apply(moved), expected, rtol=0, atol=1e-6)
    mask = torch.from_numpy(data[f"{step}/mask_weak"]).double().view(4, 2, 13, 25)
    made = torch.stack(key_weights(mask, third, 50))
    torch.testing.assert_close(made, torch.from_numpy(data[f"{step}/p_c"]).double(), **KEPT)


KEPT = {"rtol": 0.0, "atol": 1e-6}


@pytest.mark.parametrize(("name", "kind"), [("cut", CUT), ("resize", RESIZE), ("mix", MIXUP)])
def test_golden_key_weights(name: str, kind: int, golden: Golden) -> None:
    data = golden("loss")
    mask = torch.from_numpy(data["target/act_mask"]).double().squeeze(2)
    mix = mix_of(BODY, 6, kind, 2, [2, 4], (4, 3), float(data["target/mix_lambda"]))
    assert mix.partner.tolist() == data["target/randidx"].tolist()
    if kind == CUT:
        region = np.broadcast_to(data["target/cut_mask"], (6, 13, 25)).astype(bool)
        for made in mix.regions(50, 13):
            np.testing.assert_array_equal(made.bool(), region)
    other, own = key_weights(mask, mix, 50)
    np.testing.assert_allclose(other, data[f"target/{name}_p"], rtol=0, atol=1e-6)
    np.testing.assert_allclose(own, data[f"target/{name}_c"], rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["eval", "train"])
def test_golden_masks_at_the_clips_size(name: str, golden: Golden, clip_of: ClipOf) -> None:
    data = golden("actionlet_mask")
    mask = torch.from_numpy(data[f"{name}/mask"]).double().view(4, 2, 13, 25)
    made = upscale(mask, 50, 25).view(8, 1, 50, 25)
    np.testing.assert_allclose(made, data[f"{name}/mask_up"], rtol=0, atol=1e-6)
    if name == "eval":
        x = clip_of(golden("encoder")["x"])
        blended = blend(x, clip_of(data["swap_other"]), mask)
        torch.testing.assert_close(blended, clip_of(data["eval/swap_out"]), **KEPT)


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("name", layout_names())
def test_drawn_mixes_keep_to_the_settings(name: str, late: bool) -> None:
    layout, settings = load_layout(name), MixSettings()
    body = body_of(layout, 3, torch.device("cpu"))
    clips = torch.randn(5, 2, 50, layout.joint_count, 3)
    generator = torch.Generator().manual_seed(0)
    parts, units = (
        (settings.late_parts, settings.late_units) if late else (settings.parts, settings.units)
    )
    seen = set()
    for _ in range(60):
        mix = draw_mix(clips, body, settings, generator, late=late)
        covered = [bool(mix.joints[0][part].all()) for part in body.parts]
        assert torch.equal(body.parts[covered].any(dim=0), mix.joints[0])
        assert parts[0] <= sum(covered) <= parts[1]
        assert units[0] <= int(mix.length[0]) // 4 <= units[1]
        assert 0 <= int(mix.start[0]) <= 48 - int(mix.length[0])
        seen.add((int(mix.kind[0]), sum(covered), int(mix.length[0])))
        made = mix.apply(clips)
        if int(mix.kind[0]) == CUT:
            others = clips[mix.partner]
            changed = (made == others).all(-1) & (made != clips).any(-1)
            assert int(changed[0, 0].sum()) == int(mix.length[0] * mix.joints[0].sum())
            assert ((made == others) | (made == clips)).all()
    assert {kind for kind, _, _ in seen} == {MIXUP, RESIZE, CUT}
    assert {count for _, count, _ in seen} == set(range(parts[0], parts[1] + 1))
    assert {length for _, _, length in seen} == set(range(4 * units[0], 4 * units[1] + 1, 4))


def test_a_mix_is_of_each_clip_and_may_differ() -> None:
    clips = torch.randn(3, 2, 16, 25, 3, dtype=torch.float64)
    single = [
        mix_of(BODY, 3, kind, 1, parts, (2, start), 0.3)
        for kind, parts, start in ((MIXUP, [0], 0), (RESIZE, [1, 2], 1), (CUT, [3], 2))
    ]
    fields = list(Mix.__dataclass_fields__)
    joint = Mix(*(torch.stack([getattr(m, f)[n] for n, m in enumerate(single)]) for f in fields))
    made, (given, got) = joint.apply(clips), joint.regions(16, 4)
    for n, mix in enumerate(single):
        assert torch.equal(made[n], mix.apply(clips)[n])
        for mine, alone in zip((given, got), mix.regions(16, 4), strict=True):
            assert torch.equal(mine[n], alone[n])


@pytest.mark.parametrize("frames", [1, 3, 8])
def test_short_clips_are_mixed_too(frames: int) -> None:
    clips = torch.randn(1, 1, frames, 25, 3)
    for seed in range(20):
        mix = draw_mix(clips, BODY, MixSettings(), torch.Generator().manual_seed(seed))
        assert torch.allclose(mix.apply(clips)[..., 0, :], clips[..., 0, :]) or frames > 1
        weights = key_weights(torch.rand(1, 1, frames, 25), mix, frames)
        torch.testing.assert_close(sum(weights), torch.ones(1))
