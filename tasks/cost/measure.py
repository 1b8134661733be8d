"""What a network costs: parameters, operations, throughput and memory, on random clips.

Parameters and operations belong to the network; throughput and memory to the machine as well, so
`Conditions` and the device stand beside them.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from aclnet.clips.input import ClipInput
from aclnet.models import SkeletonNetwork
from aclnet.runs.networks import build_network, weight_generator
from aclnet.skeleton import load_layout
from aclnet.training.batches import Batch
from aclnet.training.launch import make_fabric
from aclnet.training.stepper import Stepper
from aclnet.training.task import Trainable
from tasks.cost.clips import ClipKind
from tasks.run.environment import describe_environment
from tasks.settings import TaskSettings
from tasks.spec import find_task

_FEWEST_RUNS, _MOST_RUNS = 3, 50
_PICTURE_WIDTH = 640.0  # pixels; of clips that are mirrored about their picture's middle


@dataclass(frozen=True)
class Conditions:
    """How a network is measured.

    Attributes:
        batch_size: clips at a time.
        threads: of the processor.
        accelerator: "auto", "cpu" or "cuda".
        seconds: each median is over runs of at least so long together, three at least.
    """

    batch_size: int = 4
    threads: int = 1
    accelerator: Literal["auto", "cpu", "cuda"] = "auto"
    seconds: float = 1.0


@dataclass(frozen=True)
class Cost:
    """What was measured.

    Attributes:
        metrics: `parameters`; `flops` of one clip, 2 for a multiplication with its addition, of
            products of matrices and convolutions only; `clips_per_second` of the network alone;
            `train_clips_per_second` of whole training steps: augmentation, forward, backward,
            update, without reading data; `peak_memory_bytes`.
        counts: the clips' axes, the classes, the batch.
        device: name of the device.
        clock: "processor": times are of the thread's work, which what else runs on the machine
            disturbs little; "wall": with several threads or on a GPU.
        memory: "device": what was allocated at most on the GPU; "process": by how much the
            process's resident memory grew at most, from before the network was made.
        environment: versions and devices (`tasks.run.environment`).
    """

    metrics: dict[str, float]
    counts: dict[str, int]
    device: str
    clock: Literal["processor", "wall"]
    memory: Literal["device", "process"]
    environment: dict[str, Any]


def measure_cost(
    task: str,
    settings: TaskSettings,
    kind: ClipKind,
    conditions: Conditions,
) -> Cost:
    """Build a recipe's network and its training, and measure them on random clips.

    Memory is right only in a process that did nothing large before (`tasks.cost.run` starts one
    for each network), for a process's peak is never forgotten.

    Args:
        task: name of the task.
        settings: a recipe's.
        kind: what its clips look like.
        conditions: batch, threads, device.

    Raises:
        ValueError: the settings do not fit the clips, or CUDA is asked for and not there.
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
        # Only in the thread's own time do others on the machine not count.
        alone = device.type == "cpu" and conditions.threads == 1
        clock = time.process_time if alone else _wall_clock(device)
        flops = _operations(network, clips.prepared[:1].to(device))
        seen = clips.prepared.to(device)
        inference = _median_seconds(_inference(network, seen), clock, conditions.seconds)
        step = _training_step(trainable, settings, Stepper(trainable, train, fabric), clips.batch)
        training = _median_seconds(step, clock, conditions.seconds)
        environment = describe_environment()
    metrics = {
        "parameters": float(sum(weight.numel() for weight in network.parameters())),
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
        "processor" if alone else "wall",
        "device" if device.type == "cuda" else "process",
        environment,
    )


class _RandomClips:
    """Clips of normal numbers in the shape of a recipe's, as stored and as the network sees them.

    Args:
        settings: the recipe's.
        kind: its data's shape.
        count: N.
    """

    def __init__(self, settings: TaskSettings, kind: ClipKind, count: int) -> None:
        layout = load_layout(kind.layout)
        clip = settings.clip
        self.input = ClipInput(clip, layout, kind.channels)
        # Two clips a class, so that a contrast has its positives.
        classes = kind.classes * self.input.bodies.count
        labels = torch.arange(count) // 2 % classes
        # The recording's next frame is stored behind each clip (`ClipInput.stored`).
        frames = clip.frames * (2 if clip.motion == "recording" else 1)
        shape = (count, kind.persons, frames, layout.joint_count, len(kind.channels))
        stored = torch.randn(shape, generator=torch.Generator().manual_seed(0))
        widths = torch.full((count,), _PICTURE_WIDTH) if clip.augment.image_flip > 0 else None
        names = [f"random {number}" for number in range(count)]
        self.batch = Batch(stored, labels, names, widths)
        self.prepared: Tensor = self.input.prepare(stored)

    def counts(self, network: SkeletonNetwork) -> dict[str, int]:
        """The axes of the network's input, its classes, the batch."""
        axes = dict(
            zip(
                ("batch_size", "persons", "frames", "joints", "channels"),
                self.prepared.shape,
                strict=True,
            )
        )
        return {**axes, "classes": network.classifier.out_features}


def _training_step(
    task: Trainable, settings: TaskSettings, stepper: Stepper, batch: Batch
) -> Callable[[], None]:
    """One step of training after the objective's start epoch, when its inter-class term acts."""
    epoch = max(settings.objective.start_epoch, 1)
    task.train()
    task.set_epoch(epoch)
    stepper.backward(batch, epoch, 0)  # mistakes are counted one epoch before families are made
    stepper.apply()
    task.set_epoch(epoch + 1)

    def step() -> None:
        stepper.backward(batch, epoch + 1, 0)
        stepper.apply()

    return step


def _inference(network: nn.Module, clips: Tensor) -> Callable[[], None]:
    network.eval()

    def run() -> None:
        with torch.inference_mode():
            network(clips)

    return run


def _operations(network: nn.Module, clip: Tensor) -> int:
    """Operations of one clip in inference."""
    network.eval()
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        network(clip)
    return int(counter.get_total_flops())


def _median_seconds(run: Callable[[], None], clock: Callable[[], float], least: float) -> float:
    """Median time of a run, the first one left out: it fills caches and chooses kernels."""
    run()
    times: list[float] = []
    while len(times) < _FEWEST_RUNS or (sum(times) < least and len(times) < _MOST_RUNS):
        start = clock()
        run()
        times.append(clock() - start)
    return max(statistics.median(times), 1e-9)  # a coarse clock may see no time pass


def _wall_clock(device: torch.device) -> Callable[[], float]:
    """Time when all work given to the device is done."""

    def now() -> float:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter()

    return now


def _load_library() -> None:
    """A step of next to nothing, so that torch's own code does not count as a network's memory."""
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
    """Peak memory; None where the system does not tell it."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    peak = _peak_resident_bytes()
    return None if peak is None or start is None else peak - start


def _peak_resident_bytes() -> int | None:
    """Largest resident memory that this process has had; None on systems without it."""
    try:
        import resource
    except ModuleNotFoundError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def _device_name(device: torch.device) -> str:
    """The GPU's or the processor's name."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    from platform import machine, processor

    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            names = [line.partition(":")[2].strip() for line in lines if "model name" in line]
    except OSError:
        names = []
    return next(filter(None, [*names[:1], processor(), machine()]), "cpu")
