"""The released backbone on the card: errors of TF32 and bf16, and what each setting gains.

Against the plain transcription of the released code in float32 (tests/benchmarks), on clips of
NTU's shape. The share of the card's bandwidth is that of a copy: bytes that the step's operations
read and write, each by itself, in the step's time; compiled they are fewer.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from bench_backbone import PlainNetwork
from report import CUDA, DEVICE, SMALL, bandwidth, close, compare, difference, holds, say, seconds
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from aclnet.models import SkeletonNetwork
from aclnet.models.affinity_gcn import AffinityGcn, AffinityGcnSettings
from aclnet.models.official import import_official
from aclnet.training.batches import Batch
from aclnet.training.machine.launch import make_fabric
from aclnet.training.machine.speed import accelerated
from aclnet.training.settings import TrainSettings
from aclnet.training.stepper import Stepper
from aclnet.training.task import Trainable

CLASSES = 60
BF16 = {"precision": "bf16-mixed"}
AGAIN = "bf16, activation checkpointing"
# Compiling takes longest, so it comes last, the wanted one first.
SETTINGS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("float32", {}),
    ("as torch sets it, TF32 in convolutions", {}),
    ("bf16", BF16),
    ("TF32", {"tf32": True}),
    ("channels last", {"channels_last": True}),
    ("bf16, channels last, TF32", {**BF16, "channels_last": True, "tf32": True}),
    ("bf16, fused optimizer", {**BF16, "fused_optimizer": True}),
    (AGAIN, {**BF16, "activation_checkpointing": True}),
    ("bf16, compiled", {**BF16, "compile": True}),
    ("bf16, compiled, channels last", {**BF16, "compile": True, "channels_last": True}),
    ("compiled", {"compile": True}),
)
TO_COMPILE = 45
"""Seconds of the check's time after which nothing more is compiled."""


class Task(Trainable):
    """A network and a loss of its logits and graph."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, clips: Tensor, labels: Tensor) -> dict[str, Tensor]:
        output = self.network(clips)
        plain = not hasattr(output, "logits")
        logits, graph = output if plain else (output.logits, output.graph)
        entropy = nn.functional.cross_entropy(logits.float(), labels)
        return {"loss": entropy + 0.1 * graph.float().mean()}


class BytesMoved(TorchDispatchMode):
    """Adds up the bytes that operations read and write; views move none."""

    total = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        if not func.is_view:
            tensors = [each for each in tree_leaves((args, made)) if isinstance(each, Tensor)]
            self.total += sum(each.numel() * each.element_size() for each in tensors)
        return made


def networks() -> tuple[nn.Module, SkeletonNetwork]:
    """The plain one and ours, with the same weights."""
    torch.manual_seed(0)
    settings = AffinityGcnSettings()
    if SMALL:
        settings = AffinityGcnSettings(width=12, blocks=2, widen_at=(2,), stride_at=(2,))
    plain = PlainNetwork(settings, 25, 3, CLASSES)
    ours = SkeletonNetwork(AffinityGcn(settings, 25, 3), CLASSES)
    ours.load_state_dict(import_official(plain.state_dict()))
    return plain.to(DEVICE), ours.to(DEVICE)


def precisions(plain: nn.Module, ours: SkeletonNetwork, clips: Tensor) -> None:
    """Errors of TF32 and bf16, in evaluation mode."""

    def infer(tf32: bool) -> Any:
        torch.backends.cudnn.allow_tf32 = tf32
        with torch.no_grad():
            return ours.eval()(clips)

    exact = infer(tf32=False)
    with torch.no_grad():
        logits, graph = plain.eval()(clips)
    error = max(difference(exact.logits, logits), difference(exact.graph, graph))
    holds("the backbone equals the plain one in float32", error < 1e-3, error=error)
    rounded = infer(tf32=True)
    say("TF32 against float32", error=difference(rounded.logits, exact.logits))
    with torch.autocast(DEVICE.type, torch.bfloat16):
        rounded = infer(tf32=True)
    error = difference(rounded.logits, exact.logits)
    holds("bf16 is near float32", error < 0.1, error=error)


@contextmanager
def stepper_of(network: nn.Module, changes: Mapping[str, Any]) -> Iterator[Stepper]:
    settings = TrainSettings(accelerator=DEVICE.type, learning_rate=1e-3, **changes)
    task = Task(network).train()
    with accelerated(task, settings, lambda remark: holds(remark, fact=not CUDA)):
        yield Stepper(task, settings, make_fabric(settings))


def steps(batch: Batch) -> None:
    """Time and memory of a training step, setting by setting."""
    started, plain = time.perf_counter(), networks()[0]
    torch.backends.cudnn.allow_tf32 = False
    with stepper_of(plain, {}) as stepper:
        theirs = seconds(step_of(stepper, batch), 5)
    compiled, moved = 0, dict.fromkeys(("bf16", AGAIN), 0)
    for name, changes in SETTINGS:
        if "compile" in changes:
            late = time.perf_counter() - started > TO_COMPILE
            if SMALL or (compiled and late):
                say("skipped", setting=name, reason="compiling takes too long")
                continue
            compiled += 1
        torch.backends.cudnn.allow_tf32 = name != "float32"
        try:
            with stepper_of(networks()[1], changes) as stepper:
                step = step_of(stepper, batch)
                moved[name] = measure(name, changes, step, len(batch.labels), theirs)
        except Exception as error:
            holds(f"a training step: {name}", fact=False, error=repr(error)[:300])
    holds("the settings act: what is not kept is computed again", moved[AGAIN] > moved["bf16"])


def measure(
    name: str,
    changes: Mapping[str, Any],
    step: Callable[[], None],
    clips: int,
    theirs: Sequence[float],
) -> int:
    """Print the time, memory and share of the card's bandwidth of one setting's step.

    Returns:
        Bytes that it moves; 0 where it is compiled.
    """
    if CUDA:
        torch.cuda.reset_peak_memory_stats()
    ours = seconds(step, 5, warm=4)
    peak = round(torch.cuda.max_memory_allocated() / 2**20) if CUDA else None
    median = statistics.median(ours)
    say("step", setting=name, clips_a_second=round(clips / median), peak_mib=peak)
    work = f"training step of {clips} clips, on the GPU: {name}"
    compare(work, "the released code in float32, transcribed", ours, theirs)
    if "compile" in changes:
        return 0
    with BytesMoved() as moved:
        step()
    share = moved.total / median / bandwidth()
    gigabytes = round(moved.total / 1e9, 3)
    say("bandwidth", setting=name, gigabytes=gigabytes, share=round(share, 3))
    return moved.total


def step_of(stepper: Stepper, batch: Batch) -> Callable[[], None]:
    def step() -> None:
        stepper.backward(batch, 1, 0)
        stepper.apply()

    return step


def main() -> None:
    frames, count = (20, 2) if SMALL else (100, 64)
    clips = torch.randn(count, 2, frames, 25, 3)
    labels = torch.arange(count) % CLASSES
    precisions(*networks(), clips[:8].to(DEVICE))
    steps(Batch(clips.to(DEVICE), labels.to(DEVICE), ["random"] * count))
    close()


if __name__ == "__main__":
    main()
