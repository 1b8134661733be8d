"""Measures the parameters, FLOPs, throughput and memory of a network on random clips.

Throughput and memory also depend on the machine, so that `Conditions` and device are recorded.
"""

from __future__ import annotations

import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from aclnet.clips.input import ClipInput
from aclnet.models import SkeletonNetwork
from aclnet.runs.networks import build_network, weight_generator
from aclnet.skeleton import load_layout
from aclnet.training.batches import Batch
from aclnet.training.machine.launch import make_fabric
from aclnet.training.machine.speed import accelerated
from aclnet.training.stepper import Stepper
from aclnet.training.task import Trainable
from tasks.cost.clips import ClipKind
from tasks.run.environment import describe_environment
from tasks.settings import TaskSettings
from tasks.spec import find_task

_FEWEST_RUNS, _MOST_RUNS = 3, 50
_PICTURE_WIDTH = 640.0  # pixels; for clips that are mirrored about the middle of the picture


@dataclass(frozen=True)
class Conditions:
    """How a network is measured.

    Attributes:
        batch_size: clips per batch.
        threads: CPU threads.
        accelerator: "auto", "cpu" or "cuda".
        seconds: minimum total time of the runs for each median, of at least three runs.
    """

    batch_size: int = 4
    threads: int = 1
    accelerator: Literal["auto", "cpu", "cuda"] = "auto"
    seconds: float = 1.0


@dataclass(frozen=True)
class Cost:
    """The measured cost of a network.

    Attributes:
        metrics: `parameters` of the network, and `train_parameters`, with those of the objective,
            which only training needs; `flops` of one clip in matrix products and convolutions, 2
            for a multiply-add; `clips_per_second` in inference; `train_clips_per_second` of
            training steps: augmentation, forward, backward, update, without reading data;
            `peak_memory_bytes`.
        counts: axes of the clips, classes, batch size.
        device: name of the device.
        clock: "processor": CPU time of the thread, which hardly depends on other load on the
            machine; "wall": wall time, with several threads or on a GPU.
        memory: "device": peak allocated memory of the GPU; "process": peak growth of the process's
            resident memory since before the network was built.
        environment: versions and devices (`tasks.run.environment`).
    """

    metrics: dict[str, float]
    counts: dict[str, int]
    device: str
    clock: Literal["processor", "wall"]
    memory: Literal["device", "process"]
    environment: dict[str, Any]


def measure_cost(task: str, settings: TaskSettings, kind: ClipKind, conditions: Conditions) -> Cost:
    """Build a recipe's network and objective, and measure them on random clips.

    Memory is only correct in a fresh process (`tasks.cost.run` starts one for each network),
    because the peak of a process never decreases.

    Args:
        task: name of the task.
        settings: settings of the recipe.
        kind: shape of its clips.
        conditions: batch, threads, device.

    Raises:
        ValueError: the settings do not fit the clips, or CUDA is requested and unavailable.
    """
    with _threads(conditions.threads):
        _load_library()
        start = _peak_resident_bytes()
        train = settings.train.model_copy(update={"accelerator": conditions.accelerator})
        fabric = make_fabric(train)
        device = fabric.device
        clips = _RandomClips(settings, kind, conditions.batch_size)
        generator = weight_generator(train.seed)
        network = build_network(settings.network, kind.classes, clips.input, generator)
        network.to(device)
        blocks = [(clips.prepared, clips.batch.labels)]
        trainable = find_task(task).adapter.trainable(
            settings, network, clips.input, generator, lambda: blocks
        )
        # CPU time hardly depends on other processes, but adds up threads and excludes the GPU.
        own_time = device.type == "cpu" and conditions.threads == 1
        clock = time.process_time if own_time else _wall_clock(device)
        prepared = clips.prepared.to(device)
        network.eval()
        flops = _flops(network, prepared[:1])
        infer = torch.inference_mode()(partial(network, prepared))
        inference = _median_seconds(infer, clock, conditions.seconds)
        with accelerated(trainable, train, warnings.warn):
            stepper = Stepper(trainable, train, fabric)
            step = _training_step(trainable, settings, stepper, clips.batch)
            training = _median_seconds(step, clock, conditions.seconds)
        environment = describe_environment()
    metrics = {
        "parameters": _parameters(network),
        "train_parameters": _parameters(trainable),
        "flops": float(flops),
        "clips_per_second": conditions.batch_size / inference,
        "train_clips_per_second": conditions.batch_size / training,
    }
    peak = _peak_bytes(device, start)
    if peak is not None:
        metrics["peak_memory_bytes"] = float(peak)
    return Cost(
        metrics,
        clips.counts(network),
        _device_name(device),
        "processor" if own_time else "wall",
        "device" if device.type == "cuda" else "process",
        environment,
    )


class _RandomClips:
    """N normally distributed clips in the shape of a recipe's, as stored and as network input."""

    def __init__(self, settings: TaskSettings, kind: ClipKind, count: int) -> None:
        layout = load_layout(kind.layout)
        clip = settings.clip
        self.input = ClipInput(clip, layout, kind.channels)
        # Two clips per class, so that contrastive losses have positives.
        classes = kind.classes * self.input.bodies.count
        labels = torch.arange(count) // 2 % classes
        # The next frames of the recording are stored after each clip (`ClipInput.stored`).
        frames = clip.frames * (2 if clip.motion == "recording" else 1)
        shown = settings.windows * frames
        shape = (count, kind.persons, shown, layout.joint_count, len(kind.channels))
        stored = torch.randn(shape, generator=torch.Generator().manual_seed(0))
        widths = torch.full((count,), _PICTURE_WIDTH) if clip.augment.image_flip > 0 else None
        names = [f"random {number}" for number in range(count)]
        self.batch = Batch(stored, labels, names, widths)
        self.prepared: Tensor = self.input.prepare(stored[:, :, :frames])

    def counts(self, network: SkeletonNetwork) -> dict[str, int]:
        """The axes of the network's input, and its classes."""
        axes = ("batch_size", "persons", "frames", "joints", "channels")
        sizes = dict(zip(axes, self.prepared.shape, strict=True))
        return {**sizes, "classes": network.classifier.out_features}


def _training_step(
    task: Trainable, settings: TaskSettings, stepper: Stepper, batch: Batch
) -> Callable[[], None]:
    """One training step after the objective's start epoch, with its inter-class loss applied."""
    epoch = max(settings.objective.first_epoch(settings.train.epochs), 1)
    task.train()
    task.set_epoch(epoch)
    stepper.backward(batch, epoch, 0)  # counts mistakes, from which families are built
    stepper.apply()
    task.set_epoch(epoch + 1)

    def step() -> None:
        stepper.backward(batch, epoch + 1, 0)
        stepper.apply()

    return step


def _parameters(module: nn.Module) -> float:
    return float(sum(weight.numel() for weight in module.parameters()))


def _flops(network: nn.Module, clip: Tensor) -> int:
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        network(clip)
    return int(counter.get_total_flops())


def _median_seconds(run: Callable[[], object], clock: Callable[[], float], least: float) -> float:
    """Median time of a run, without the first one, which fills caches and selects kernels."""
    run()
    times: list[float] = []
    while len(times) < _FEWEST_RUNS or (sum(times) < least and len(times) < _MOST_RUNS):
        start = clock()
        run()
        times.append(clock() - start)
    return max(statistics.median(times), 1e-9)  # a coarse clock may measure 0


def _wall_clock(device: torch.device) -> Callable[[], float]:
    """A wall clock that waits for the work of the device."""

    def now() -> float:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter()

    return now


def _load_library() -> None:
    """Run a tiny training step, so that loading torch's code does not count as memory."""
    layers = nn.Sequential(nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 2))
    optimizer = torch.optim.AdamW(layers.parameters())
    layers(torch.ones(2, 2, 2, 2)).sum().backward()
    optimizer.step()


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _peak_bytes(device: torch.device, start: int | None) -> int | None:
    """Peak memory; None if the system does not report it."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    peak = _peak_resident_bytes()
    return None if peak is None or start is None else peak - start


def _peak_resident_bytes() -> int | None:
    """Peak resident memory of this process; None if the system does not report it."""
    try:
        import resource
    except ModuleNotFoundError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def _device_name(device: torch.device) -> str:
    """Name of the GPU or the processor."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    from platform import machine, processor

    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            names = [line.partition(":")[2].strip() for line in lines if "model name" in line]
    except OSError:
        names = []
    return next(filter(None, [*names[:1], processor(), machine()]), "cpu")
