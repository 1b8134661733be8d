"""No training step waits for the device: shown without one, on torch's meta device.

Meta tensors have shapes and no numbers, so that torch itself refuses what needs one on the host
(`item`, `bool`, `nonzero`, a boolean index). What it allows, and waits for on a GPU, is refused
here: copies between the host and the device that are not asynchronous, and numbers of the host that
are made tensors of the device, as a list in an index is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from aclnet.runs.networks import build_network, weight_generator
from aclnet.training.stepper import Stepper
from aclnet.training.watch import FiniteWatch, RunningMeans
from tasks.cost.measure import _RandomClips
from tasks.cost.run import CostPlan, plan_costs
from tasks.recipes import recipe_names
from tasks.spec import find_task

META = torch.device("meta")
# Bases have no data; the others differ in numbers only from one that is tested: those of NTU-60
# (cross-subject), FineGym, MSR Action3D, BIWI, CASIA-B and KGBD.
LIKE_OTHERS = (
    *("/released", "ntu120", "xview", "pku", "xsub_semi", "k400", "nwucla"),
    *("pretrain/utkinect", "reid/ias", "reid/ks20", "reid/walkers", "transg_f40"),
)
RECIPES = [name for name in recipe_names() if not any(part in name for part in LIKE_OTHERS)]
# One of each backbone, objective and kind of batch.
ALWAYS = (
    *("action/ntu60_xsub", "action/sbu", "gait/casia_b", "gait/gaitgraph", "gait/kgbd"),
    *("pretrain/msr_action3d", "pretrain/msr_action3d_masked", "pretrain/ntu60_xsub_actclr"),
    *("reid/kgbd", "reid/kgbd_selfsup", "reid/kgbd_transg"),
)
CHANGES = {
    "frames, headings and noise": (
        "gait/kgbd",
        "clip.normalise={centre: frame, scale: torso, heading: frame}",
        "clip.augment={mirror: 0.5, reverse: 0.5, scale: 0.1, joint_noise: 0.1, point_noise: 0.1,"
        " drop_joints: 0.1}",
    ),
    "clips, shoulders and limbs": (
        "gait/kgbd",
        "clip.normalise={centre: clip, scale: torso, heading: shoulders}",
        "clip.augment={rotate: 0.3, exchange_sides: 0.5, drop_part: 0.5}",
    ),
    "pictures": ("action/k400", "clip.augment.image_flip=0.5", "clip.streams=[j, b, k, jm, l]"),
    "clipped gradients": ("gait/casia_b", "train.gradient_clip=1", "train.accumulate_steps=2"),
    "every class": ("gait/casia_b", "objective.variant=paper", "objective.queue_size=0"),
}


class Waits(TorchFunctionMode):
    """Refuses that the host's numbers become tensors of the device, unless asynchronously."""

    _MADE = (torch.tensor, torch.as_tensor, Tensor.new_tensor)

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if name in ("__getitem__", "__setitem__") and args[0].device == META:
            for part in args[1] if isinstance(args[1], tuple) else (args[1],):
                host = isinstance(part, list | np.ndarray)
                if host or (isinstance(part, Tensor) and part.device != META and part.ndim):
                    raise AssertionError(f"an index of the host's numbers waits: {part}")
        made = func(*args, **kwargs)
        moved = isinstance(args[-1], Tensor) and args[-1].device == META
        if func in self._MADE and made.device == META and not moved:
            raise AssertionError(f"numbers of the host, made a tensor of the device: {args}")
        return made


class Copies(TorchDispatchMode):
    """Refuses copies between the host and the device that are not asynchronous."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        made = func(*args, **kwargs)
        if func._schema.name in ("aten::_to_copy", "aten::copy_"):
            devices = {
                each.device for each in tree_leaves((made, args)) if isinstance(each, Tensor)
            }
            if len(devices) > 1 and not (kwargs.get("non_blocking") or True in args[2:]):
                raise AssertionError(f"a copy between host and device waits: {args}")
        return made


class Generator(torch.Generator):
    """A generator of the host that says that it is the device's."""

    device = META


@contextmanager
def on_meta(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(torch, "Generator", lambda *_: Generator())
    # Its meta form knows no generator.
    monkeypatch.setattr(Tensor, "exponential_", lambda tensor, generator: tensor)
    yield
    monkeypatch.undo()


def fabric() -> Fabric:
    """One rank on the device."""

    def clip(module: nn.Module, _: object, *, max_norm: float, error_if_nonfinite: bool) -> Tensor:
        return nn.utils.clip_grad_norm_(
            module.parameters(), max_norm, error_if_nonfinite=error_if_nonfinite
        )

    made = SimpleNamespace(
        device=META,
        global_rank=0,
        world_size=1,
        setup=lambda *both: both,
        backward=Tensor.backward,
        no_backward_sync=lambda *_, **__: nullcontext(),
        clip_gradients=clip,
    )
    return cast(Fabric, made)


def train_two_steps(plan: CostPlan, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first may make index tensors and the optimizer's state; the second may not wait."""
    settings, train = plan.settings, plan.settings.train
    clips = _RandomClips(settings, plan.kind, 4)
    network = build_network(settings.network, plan.kind.classes, clips.input, weight_generator(0))
    task = find_task(plan.task).adapter.trainable(
        settings, network, clips.input, weight_generator(0), list
    )
    epochs, task = train.epochs, task.to(META)
    monkeypatch.setattr("aclnet.losses.inter.InterClassLoss.reread_schedule", lambda self: None)
    with on_meta(monkeypatch):
        stepper, watch, means = Stepper(task, train, fabric()), FiniteWatch(META), RunningMeans()

        def step(number: int) -> None:
            losses, total, norm = stepper.backward(clips.batch, epochs, number)
            watch.watch(total, norm, number)
            stepper.apply()
            means.merge(losses)

        for each in task.modules():
            if hasattr(each, "_families_due"):
                each._epoch, each._families_due = epochs, False
        task.train()
        step(0)
        with Copies(), Waits():
            step(1)


@pytest.mark.parametrize(
    "name",
    [
        name if name in ALWAYS else pytest.param(name, marks=pytest.mark.thorough)
        for name in RECIPES
    ],
)
def test_no_step_of_a_recipe_waits_for_the_device(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (plan,) = plan_costs([name])
    train_two_steps(plan, monkeypatch)


def test_recipes_left_out_differ_from_a_tested_one_in_numbers_alone() -> None:
    parts = ("network", "clip", "objective", "method", "sampler")

    def without_numbers(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: without_numbers(one) for name, one in value.items()}
        if isinstance(value, list) and any(isinstance(one, str | dict) for one in value):
            return [without_numbers(one) for one in value]
        return value if isinstance(value, bool | str | None) else "a number"

    def step_of(name: str) -> str:
        (plan,) = plan_costs([name])
        settings = plan.settings.model_dump(mode="json")
        return str([plan.task, *(without_numbers(settings.get(part)) for part in parts)])

    tested = {step_of(name) for name in RECIPES}
    others = {*recipe_names()} - {*RECIPES}
    assert {n for n in others if "/released" not in n and step_of(n) not in tested} == set()


@pytest.mark.parametrize("name", CHANGES)
def test_no_setting_makes_a_step_wait(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe, *overrides = CHANGES[name]
    (plan,) = plan_costs([recipe], (), overrides)
    train_two_steps(plan, monkeypatch)


@pytest.mark.parametrize(
    "wait",
    [
        lambda x: x.sum().item(),
        lambda x: bool((x > 0).any()),
        lambda x: x[x > 0],
        lambda x: x[..., [0, 2]],
        lambda x: x[torch.tensor([0, 2])],
        lambda x: x.nonzero(),
        lambda x: x.cpu(),
        lambda x: torch.tensor([1.0], device=x.device),
        lambda x: torch.ones(3).to(x.device),
        lambda x: x.copy_(torch.ones(3, 3)),
    ],
)
def test_what_waits_is_seen(wait: Any) -> None:
    x = torch.empty(3, 3, device=META)
    with pytest.raises((AssertionError, RuntimeError)), Copies(), Waits():
        wait(x)


def test_what_does_not_wait_passes() -> None:
    x = torch.empty(3, 3, device=META)
    with Copies(), Waits():
        x[torch.arange(3, device=META), :2] = 0.0
        torch.ones(3).to(META, non_blocking=True)
