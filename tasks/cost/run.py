"""The cost of many recipes: which networks are distinct, each in a process of its own, records."""

from __future__ import annotations

import json
import multiprocessing
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from aclnet.config import load_settings
from aclnet.data.formats.keypoints.files import natural_order
from aclnet.skeleton import load_layout
from protocols.records import COST, DatasetReference, ResultRecord
from tasks.cost.clips import ClipKind, clip_kind
from tasks.cost.measure import Conditions, Cost, measure_cost
from tasks.plugins import load_plugins, plugins
from tasks.recipes import find_recipe, recipe_folder, recipe_names
from tasks.run.adapter import Report
from tasks.settings import TaskSettings
from tasks.spec import all_tasks, find_task


@dataclass(frozen=True)
class CostPlan:
    """One network to measure.

    Attributes:
        task: name of its task.
        recipe: name of its recipe.
        settings: the recipe's settings.
        kind: what its clips look like.
        known: whether the clips are those of the recipe's data set, and not a guess.
        alike: further recipes that have this network, but perhaps for the number of classes.
    """

    task: str
    recipe: str
    settings: TaskSettings
    kind: ClipKind
    known: bool
    alike: tuple[str, ...] = ()


def plan_costs(
    recipes: Sequence[str] | None = None,
    frames: Sequence[int] = (),
    overrides: Sequence[str] = (),
    task: str | None = None,
    report: Report | None = None,
) -> list[CostPlan]:
    """The networks of recipes.

    Args:
        recipes: names or files; None: the shipped ones that name their data, of those with equal
            networks the first.
        frames: frames of a clip, each measured; none: the recipe's.
        overrides: changes of every recipe, such as `network.encoder.width=32`.
        task: of recipes that lie in no folder named after their task.
        report: told which shipped recipes are passed over, as of no task that is known here.

    Raises:
        ValueError: there is no such recipe, a change does not fit it, or its task is not told.
    """
    tasks = all_tasks()
    if task is not None:
        find_task(task)
    plans: list[CostPlan] = []
    for name in recipes or sorted(recipe_names(), key=natural_order):
        path = find_recipe(name)
        chosen = task if path.parent.name not in tasks else path.parent.name
        if chosen is None and recipes:
            raise ValueError(
                f"recipe {name}: whose settings it holds is told by its folder, and "
                f"{path.parent.name!r} is none of {', '.join(tasks)}: name one with --task"
            )
        if chosen is None:
            if report is not None:
                report(f"passed over {name}: its task is none of {', '.join(tasks)}")
            continue
        settings = load_settings(tasks[chosen].settings, path, list(overrides))
        kind, known = clip_kind(settings)
        if not known and not recipes:  # what other recipes begin from, without data of its own
            continue
        for one in [_with_frames(settings, count) for count in frames] or [settings]:
            plans.append(CostPlan(chosen, _shown(path), one, kind, known))
    return plans if recipes else _distinct(plans)


def measure_costs(
    plans: Sequence[CostPlan],
    conditions: Conditions,
    command: str,
    report: Report | None = None,
) -> Iterator[ResultRecord]:
    """Measure networks one after another, each in a process of its own.

    A process's peak of memory is never forgotten, and freed memory is used again: in one process
    the second network would seem to need none.

    Args:
        plans: the networks.
        conditions: how.
        command: the command line, for the records.
        report: takes a sentence a network.

    Yields:
        A record a network, in their order.

    Raises:
        ValueError: a recipe's settings do not fit its clips.
    """
    busy = _busy()
    methods = multiprocessing.get_all_start_methods()
    # A server that has imported everything and computed nothing begets each process at once.
    context = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
    if "forkserver" in methods:
        context.set_forkserver_preload(["tasks.cost.measure"])
    with ProcessPoolExecutor(1, mp_context=context, max_tasks_per_child=1) as processes:
        for plan in plans:
            if report is not None:
                report(f"measuring {plan.recipe} ({plan.settings.network.encoder.name})")
            begun = time.perf_counter()
            text = plan.settings.model_dump_json()
            job = processes.submit(_measure, plan.task, text, plan.kind, conditions, plugins())
            cost = job.result()
            yield cost_record(plan, cost, conditions, command, time.perf_counter() - begun, busy)


def _measure(
    task: str, settings: str, kind: ClipKind, conditions: Conditions, files: Sequence[Path]
) -> Cost:
    """`measure_cost` in a process that knows no plug-ins yet, and so no settings of theirs."""
    load_plugins(files)
    own = find_task(task).settings.model_validate_json(settings)
    return measure_cost(task, own, kind, conditions)


def cost_record(
    plan: CostPlan,
    cost: Cost,
    conditions: Conditions,
    command: str,
    seconds: float,
    busy: str = "",
) -> ResultRecord:
    """What was measured as a record: its protocol is the recipe, its rule the device.

    Args:
        plan: the network.
        cost: what was measured.
        conditions: how.
        command: the command line.
        seconds: how long it took.
        busy: a sentence on what else the machine did.
    """
    clip, network = plan.settings.clip, plan.settings.network
    device = f"{cost.device}, {conditions.threads} thread" + "s" * (conditions.threads > 1)
    if cost.memory == "device":
        device = cost.device
    told = {
        "layout": plan.kind.layout,
        "batch_size": conditions.batch_size,
        "threads": conditions.threads,
        "clock": cost.clock,
        "memory": cost.memory,
    }
    return ResultRecord(
        task=COST,
        kind=COST,
        dataset=DatasetReference(name="random clips", fingerprint="", synthetic=True),
        protocol=plan.recipe,
        rule=device,
        objective=network.encoder.name,
        stream="+".join(clip.streams),
        seed=plan.settings.train.seed,
        metrics=cost.metrics,
        intervals={},
        counts=cost.counts,
        settings={**plan.settings.model_dump(mode="json"), "cost": told},
        environment={**cost.environment, "devices": [device]},
        seconds=seconds,
        command=command,
        notes=tuple(_notes(plan, cost, conditions, device, busy)),
    )


def record_name(plan: CostPlan, with_frames: bool = False) -> str:
    """File name of a network's record: recipe and backbone, and the frames where they are asked."""
    parts = [plan.recipe.replace("/", "-"), plan.settings.network.encoder.name]
    parts += [f"f{plan.settings.clip.frames}"] if with_frames else []
    return f"{'-'.join(parts)}.json"


def _notes(
    plan: CostPlan, cost: Cost, conditions: Conditions, device: str, busy: str
) -> Iterator[str]:
    """What must stand beside the figures."""
    yield (
        "Operations are of one clip in inference, 2 for a multiplication with its addition, in "
        "products of matrices and in convolutions."
    )
    clock = "the thread's own processor time" if cost.clock == "processor" else "wall time"
    yield (
        f"Throughput and memory are this machine's ({device}), with batches of "
        f"{conditions.batch_size} random clips; medians over at least three runs, in {clock}. "
        "Training is augmentation, forward, backward and update, without reading data."
    )
    yield (
        "Peak memory is what was allocated on the GPU, training included."
        if cost.memory == "device"
        else "Peak memory is by how much the process's resident memory grew, training included."
    )
    if busy:
        yield busy
    if plan.alike:
        names = ", ".join(plan.alike)
        yield f"{plan.recipe} stands also for {names}: equal but for the number of classes."
    if not plan.known:
        yield (
            f"The data of {plan.recipe} are not known here: clips of {plan.kind.layout} with "
            f"{plan.kind.classes} classes were taken."
        )


def _busy() -> str:
    """A sentence where the machine has more to do than it has processors; else empty."""
    if not hasattr(os, "getloadavg"):  # Windows
        return ""
    load, processors = os.getloadavg()[0], os.cpu_count() or 1
    if load <= processors:
        return ""
    return (
        f"The machine was busy with other work (load {load:.0f} on {processors} processors), which "
        "lowers throughput."
    )


def _shown(path: Path) -> str:
    """A shipped recipe's name, or a file's."""
    try:
        return path.resolve().relative_to(recipe_folder()).with_suffix("").as_posix()
    except ValueError:
        return path.stem


def _with_frames(settings: TaskSettings, count: int) -> TaskSettings:
    """The settings for clips of another length, also where the encoder is made for one length."""
    clip = settings.clip.model_copy(update={"frames": count})
    network = settings.network
    if hasattr(network.encoder, "frames"):
        encoder = network.encoder.model_copy(update={"frames": count})
        network = network.model_copy(update={"encoder": encoder})
    return settings.model_copy(update={"clip": clip, "network": network})


def _distinct(plans: Sequence[CostPlan]) -> list[CostPlan]:
    """Of plans that differ in nothing that costs but the number of classes, the first."""
    first: dict[str, CostPlan] = {}
    for plan in plans:
        key = _identity(plan)
        known = first.get(key)
        if known is None:
            first[key] = plan
        else:
            first[key] = replace(known, alike=(*known.alike, plan.recipe))
    return list(first.values())


def _identity(plan: CostPlan) -> str:
    """What the cost of a network depends on, but for the number of classes."""
    clip, kind = plan.settings.clip, plan.kind
    joints, channels = load_layout(kind.layout).joint_count, len(kind.channels)
    network = plan.settings.network.model_dump(mode="json")
    shape = [kind.persons, clip.frames, joints, channels, len(clip.streams)]
    return json.dumps([network, shape], sort_keys=True)


__all__ = ["CostPlan", "cost_record", "measure_costs", "plan_costs", "record_name"]
