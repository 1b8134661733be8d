"""Measures the networks of recipes, each in its own process, and makes their records."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import forkserver
from multiprocessing.context import BaseContext
from pathlib import Path

from aclnet.config import load_settings
from aclnet.data.formats.keypoints.files import natural_order
from aclnet.progress import counting
from aclnet.skeleton import load_layout
from protocols.records import COST, DatasetReference, ResultRecord, now
from tasks.cost.clips import ClipKind, clip_kind
from tasks.cost.measure import Conditions, Cost, measure_cost
from tasks.plugins import load_plugins, plugins
from tasks.recipes import find_recipe, recipe_folder, recipe_names
from tasks.settings import TaskSettings
from tasks.spec import Report, all_tasks, find_task, silent


@dataclass(frozen=True)
class CostPlan:
    """A network to measure.

    Attributes:
        task: name of its task.
        recipe: name of its recipe.
        settings: settings of the recipe.
        kind: shape of its clips.
        known: whether the recipe's data set is known, so that the shape is not a guess.
        alike: further recipes with this network, up to the number of classes.
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
    report: Report = silent,
) -> list[CostPlan]:
    """List the networks of recipes.

    Args:
        recipes: names or files; None: the shipped recipes with known data and distinct networks.
        frames: numbers of frames per clip, each measured; empty: the recipe's.
        overrides: overrides of every recipe, such as `network.encoder.width=32`.
        task: task of recipes whose folder is not named after one.
        report: called with the shipped recipes that are skipped because their task is unknown.

    Raises:
        ValueError: there is no such recipe, an override does not fit it, or its task is unknown.
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
                f"recipe {name}: its folder {path.parent.name!r} is not one of the tasks "
                f"{', '.join(tasks)}: give the task with --task"
            )
        if chosen is None:
            report(f"skipped {name}: its task is none of {', '.join(tasks)}")
            continue
        settings = load_settings(tasks[chosen].settings, path, list(overrides))
        kind, known = clip_kind(settings)
        if not known and not recipes:  # a base for other recipes, without data of its own
            continue
        for one in [_with_frames(settings, count) for count in frames] or [settings]:
            plans.append(CostPlan(chosen, _recipe_name(path), one, kind, known))
    return plans if recipes else _distinct(plans)


def measure_costs(
    plans: Sequence[CostPlan],
    conditions: Conditions,
    command: str,
    report: Report = silent,
) -> Iterator[ResultRecord]:
    """Measure networks one after another, each in its own process.

    The peak memory of a process never decreases, and freed memory is reused: in a shared process
    the second network would seem to need none.

    Args:
        plans: the networks.
        conditions: how to measure.
        command: command line, for the records.
        report: called with a message per network.

    Yields:
        One record per network, in the same order.

    Raises:
        ValueError: a recipe's settings do not fit its clips.
    """
    busy = _busy()
    with ProcessPoolExecutor(1, mp_context=_context(), max_tasks_per_child=1) as processes:
        for plan in plans:
            report(f"measuring {plan.recipe} ({plan.settings.network.encoder.name})")
            start = time.perf_counter()
            text = plan.settings.model_dump_json()
            job = processes.submit(_measure, plan.task, text, plan.kind, conditions, plugins())
            try:
                with counting(report, "measuring"):
                    cost = job.result()
            except KeyboardInterrupt:
                for child in multiprocessing.active_children():
                    child.kill()
                raise
            yield cost_record(plan, cost, conditions, command, time.perf_counter() - start, busy)


def _context() -> BaseContext:
    """How child processes start: from a server that has already imported torch, where possible."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tasks.cost.measure"])
    # The server would look for modules in the working folder first, which may have a tasks.py.
    before = os.environ.get("PYTHONSAFEPATH")
    os.environ["PYTHONSAFEPATH"] = "1"
    try:
        forkserver.ensure_running()
    finally:
        if before is None:
            del os.environ["PYTHONSAFEPATH"]
        else:
            os.environ["PYTHONSAFEPATH"] = before
    return context


def _measure(
    task: str, settings: str, kind: ClipKind, conditions: Conditions, files: Sequence[Path]
) -> Cost:
    """Call `measure_cost` in a child process, after loading the plug-ins."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent's to answer
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
    """Make a record of a measurement: its protocol is the recipe, its rule the device.

    Args:
        plan: the network.
        cost: its cost.
        conditions: how it was measured.
        command: the command line.
        seconds: duration of the measurement.
        busy: a note on other load on the machine.
    """
    clip, network = plan.settings.clip, plan.settings.network
    device = f"{cost.device}, {conditions.threads} thread" + "s" * (conditions.threads > 1)
    if cost.memory == "device":
        device = cost.device
    measured = {
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
        settings={**plan.settings.model_dump(mode="json"), "cost": measured},
        environment={**cost.environment, "devices": [device]},
        seconds=seconds,
        command=command,
        notes=tuple(_notes(plan, cost, conditions, device, busy)),
        created=now(),
    )


def record_name(plan: CostPlan, with_frames: bool = False) -> str:
    """File name of a network's record: recipe, backbone and, if requested, frames."""
    parts = [plan.recipe.replace("/", "-"), plan.settings.network.encoder.name]
    parts += [f"f{plan.settings.clip.frames}"] if with_frames else []
    return f"{'-'.join(parts)}.json"


def _notes(
    plan: CostPlan, cost: Cost, conditions: Conditions, device: str, busy: str
) -> Iterator[str]:
    yield (
        "FLOPs are of one clip in inference, in matrix products and convolutions; a multiply-add "
        "counts as 2."
    )
    clock = "CPU time" if cost.clock == "processor" else "wall time"
    yield (
        f"Throughput and memory were measured on {device}, with batches of "
        f"{conditions.batch_size} random clips; medians over at least three runs, in {clock}. "
        "Training is augmentation, forward, backward and update, without reading data."
    )
    yield (
        "Peak memory is the allocated memory of the GPU, training included."
        if cost.memory == "device"
        else "Peak memory is the growth of the process's resident memory, training included."
    )
    if busy:
        yield busy
    if plan.alike:
        names = ", ".join(plan.alike)
        yield f"{plan.recipe} also represents {names}: equal up to the number of classes."
    if not plan.known:
        yield (
            f"The data of {plan.recipe} are unknown: clips of {plan.kind.layout} with "
            f"{plan.kind.classes} classes were assumed."
        )


def _busy() -> str:
    """A note if the machine has more load than processors; else empty."""
    if not hasattr(os, "getloadavg"):  # Windows
        return ""
    load, processors = os.getloadavg()[0], os.cpu_count() or 1
    if load <= processors:
        return ""
    return (
        f"The machine was busy with other work (load {load:.0f} on {processors} processors), which "
        "lowers the throughput."
    )


def _recipe_name(path: Path) -> str:
    """Name of a shipped recipe, or of a file."""
    try:
        return path.resolve().relative_to(recipe_folder()).with_suffix("").as_posix()
    except ValueError:
        return path.stem


def _with_frames(settings: TaskSettings, count: int) -> TaskSettings:
    """The settings with another clip length, also in encoders that are built for one length."""
    clip = settings.clip.model_copy(update={"frames": count})
    network = settings.network
    if hasattr(network.encoder, "frames"):
        encoder = network.encoder.model_copy(update={"frames": count})
        network = network.model_copy(update={"encoder": encoder})
    return settings.model_copy(update={"clip": clip, "network": network})


def _distinct(plans: Sequence[CostPlan]) -> list[CostPlan]:
    """The first of the plans whose networks are equal up to the number of classes."""
    first: dict[str, CostPlan] = {}
    for plan in plans:
        key = _identity(plan)
        same = first.get(key)
        first[key] = replace(same, alike=(*same.alike, plan.recipe)) if same else plan
    return list(first.values())


def _identity(plan: CostPlan) -> str:
    """What the cost of a network depends on, except the number of classes."""
    clip, kind = plan.settings.clip, plan.kind
    joints, channels = load_layout(kind.layout).joint_count, len(kind.channels)
    network = plan.settings.network.model_dump(mode="json")
    shape = [kind.persons, clip.frames, joints, channels, len(clip.streams)]
    return json.dumps([network, shape], sort_keys=True)
