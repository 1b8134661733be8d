"""Time of the ACL terms: vectorised against a plain per-sample reading, and within a whole step.

    python tests/benchmarks/bench_losses.py [--variant paper] [--device cuda] [--json OUT]

Both forms take the same steps from the same weights in one process, in turn, and must agree in
loss and gradient; a step is forward and backward of inter + intra with the families built and the
queue full. On the CPU one thread's process time is the measure, on a GPU the wall clock between
two synchronisations. The share is taken within training steps of the released backbone.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor

from aclnet.losses.objective import Objective
from aclnet.losses.settings import ObjectiveSettings
from aclnet.models import SkeletonNetwork, build_encoder
from aclnet.models.affinity_gcn import AffinityGcnSettings
from aclnet.skeleton import load_layout

CASES = ((60, 512), (400, 2048))  # classes, queue
FEATURE_DIM = 625  # the joint graph of 25 joints
WEIGHTS = {"inter_weight": 0.1, "intra_weight": 0.1}
Batch = tuple[Tensor, Tensor, Tensor]


def _plain_losses() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "plain_losses", Path(__file__).with_name("plain_losses.py")
    )
    if spec is None or spec.loader is None:
        raise FileNotFoundError("plain_losses.py is not beside this script")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _timer(device: torch.device) -> Callable[[], float]:
    def wall() -> float:
        torch.cuda.synchronize(device)
        return time.perf_counter()

    return wall if device.type == "cuda" else time.process_time


class Stream:
    """Batches of a half-trained classifier: most right, mistakes among neighbouring classes."""

    def __init__(self, class_count: int, rows: int, device: torch.device) -> None:
        self.generator = torch.Generator().manual_seed(0)
        self.prototypes = torch.randn(class_count, FEATURE_DIM, generator=self.generator)
        self.class_count, self.rows, self.device = class_count, rows, device

    def batch(self) -> Batch:
        labels = torch.randint(0, self.class_count, (self.rows,), generator=self.generator)
        shift = torch.randint(1, 13, (self.rows,), generator=self.generator)
        wrong = torch.rand(self.rows, generator=self.generator) < 0.3
        guess = torch.where(wrong, (labels + shift) % self.class_count, labels)
        logits = torch.nn.functional.one_hot(guess, self.class_count).float()
        noise = torch.randn(self.rows, FEATURE_DIM, generator=self.generator)
        feature = self.prototypes[labels] + noise
        return logits.to(self.device), feature.to(self.device), labels.to(self.device)


class Plain:
    """The plain losses with the objective's weights and start."""

    def __init__(self, objective: Objective, plain: ModuleType) -> None:
        inter, intra = objective.terms["inter"], objective.terms["intra"]
        settings = objective.settings
        released = settings.variant == "released"
        self.leaves = [
            tensor.detach().clone().requires_grad_()
            for layer in (inter.cl_fc, intra.cl_fc)
            for tensor in (layer.weight, layer.bias)
        ]
        self.inter = plain.PlainInterClass(
            *self.leaves[:2],
            objective.class_count,
            variant=settings.variant,
            start_epoch=settings.start_epoch,
            centres=inter.centres.centres.clone() if released else None,
        )
        self.intra = plain.PlainIntraClass(
            *self.leaves[2:], variant=settings.variant, memory=settings.queue_size
        )

    def step(self, batch: Batch, epoch: int) -> Tensor:
        logits, feature, labels = batch
        inter: Tensor = self.inter.step(logits, feature, labels, epoch)
        intra: Tensor = self.intra.step(feature, labels)
        return 0.1 * inter + 0.1 * intra


def _ours(objective: Objective, batch: Batch) -> Tensor:
    """Inter + intra alone, weighted, without the cross-entropy."""
    logits, feature, labels = batch
    inter: Tensor = objective.terms["inter"](logits, feature, labels)
    intra: Tensor = objective.terms["intra"](feature, labels)
    return 0.1 * inter + 0.1 * intra


def compare(
    class_count: int, queue_size: int, arguments: argparse.Namespace
) -> dict[str, float | int]:
    """Time both forms of one case in turn."""
    device = torch.device(arguments.device)
    settings = ObjectiveSettings(
        variant=arguments.variant, start_epoch=1, queue_size=queue_size, **WEIGHTS
    )
    generator = torch.Generator().manual_seed(1)
    objective = Objective(settings, class_count, FEATURE_DIM, generator).to(device)
    plain = Plain(objective, _plain_losses())
    stream = Stream(class_count, arguments.batch, device)
    warm_up = queue_size // arguments.batch + 3
    for step in range(warm_up):
        epoch = 1 if step < warm_up - 2 else 2
        objective.set_epoch(epoch)
        batch = stream.batch()
        _ours(objective, batch)
        plain.step(batch, epoch)
    ours, theirs = list(objective.parameters()), plain.leaves
    times: dict[str, list[float]] = {"ours": [], "plain": []}
    difference = 0.0
    for _ in range(arguments.rounds):
        batch = stream.batch()
        seconds, found = _timed(lambda b: _ours(objective, b), batch, ours, _timer(device))
        times["ours"].append(seconds)
        seconds, expected = _timed(lambda b: plain.step(b, 2), batch, theirs, _timer(device))
        times["plain"].append(seconds)
        difference = max(difference, _difference(found, expected))
    if difference > 1e-4:
        raise ValueError(f"the two forms differ by {difference:.1e} of the largest value")
    report: dict[str, float | int] = {"classes": class_count, "queue": queue_size}
    report["batch"] = arguments.batch
    for name, values in times.items():
        report[f"{name}_ms"] = round(1000 * min(values), 3)
        report[f"{name}_median_ms"] = round(1000 * statistics.median(values), 3)
    report["ratio"] = round(min(times["plain"]) / min(times["ours"]), 1)
    report["largest_relative_difference"] = difference
    return report


def _timed(
    form: Callable[[Batch], Tensor],
    batch: Batch,
    parameters: Sequence[Tensor],
    now: Callable[[], float],
) -> tuple[float, list[Tensor]]:
    """Seconds of one forward and backward; its loss and gradients. Clearing is not counted."""
    logits, feature, labels = batch
    leaf = feature.clone().requires_grad_()
    start = now()
    loss = form((logits, leaf, labels))
    gradients = torch.autograd.grad(loss, [leaf, *parameters])
    return now() - start, [loss.detach(), *gradients]


def _difference(ours: list[Tensor], theirs: list[Tensor]) -> float:
    return max(
        float((a - b).abs().max() / b.abs().max().clamp(min=1e-30))
        for a, b in zip(ours, theirs, strict=True)
    )


def _objective(variant: str, terms: dict[str, float], stream: Stream) -> Objective:
    """An objective in its second epoch, with families built and the queue full."""
    settings = ObjectiveSettings.model_validate(
        {"variant": variant, "feature": "graph", "start_epoch": 1, "queue_size": 512} | terms
    )
    objective = Objective(settings, stream.class_count, FEATURE_DIM).to(stream.device)
    for epoch in (1, 2):
        objective.set_epoch(epoch)
        for _ in range(512 // stream.rows + 1):
            objective(*stream.batch())
    return objective


def share(arguments: argparse.Namespace) -> dict[str, float | int]:
    """Time of the ACL terms within training steps of the released backbone."""
    device = torch.device(arguments.device)
    now = _timer(device)
    stream = Stream(60, arguments.share_batch, device)
    terms = {"ce": {"inter_weight": 0.0, "intra_weight": 0.0}, "acl": WEIGHTS}
    objectives = {name: _objective(arguments.variant, terms[name], stream) for name in terms}
    encoder = build_encoder(AffinityGcnSettings(), load_layout("ntu25"), 3)
    network = SkeletonNetwork(encoder, 60).to(device)
    optimiser = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, nesterov=True)
    clips = torch.randn(stream.rows, 2, arguments.frames, 25, 3, device=device)
    spent: dict[str, list[float]] = {"ce": [], "acl": [], "rest": []}
    for _ in range(arguments.share_rounds + 1):
        labels = stream.batch()[2]
        start = now()
        output = network(clips)
        leaves = [output.logits.detach().requires_grad_(), output.graph.detach().requires_grad_()]
        rest = now() - start
        for name, objective in objectives.items():
            start = now()
            loss = objective(*leaves, labels)["loss"]
            gradients = torch.autograd.grad(
                loss, [*leaves, *objective.parameters()], allow_unused=True
            )
            spent[name].append(now() - start)
        start = now()
        optimiser.zero_grad()
        torch.autograd.backward([output.logits, output.graph], list(gradients[:2]))
        optimiser.step()
        spent["rest"].append(rest + now() - start)
    best = {name: 1000 * min(values[1:]) for name, values in spent.items()}  # without warm-up
    terms_ms, whole_ms = best["acl"] - best["ce"], best["rest"] + best["acl"]
    return {
        "batch": stream.rows,
        "frames": arguments.frames,
        "acl_terms_ms": round(terms_ms, 3),
        "whole_step_ms": round(whole_ms, 3),
        "share": round(terms_ms / whole_ms, 5),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="The ACL terms, timed.")
    parser.add_argument("--variant", choices=("paper", "released"), default="released")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--share-batch", type=int, help="default: 4 on the CPU, 64 on a GPU")
    parser.add_argument("--share-rounds", type=int, default=3)
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    if arguments.share_batch is None:
        arguments.share_batch = 4 if arguments.device == "cpu" else 64
    report = {
        "variant": arguments.variant,
        "device": arguments.device,
        "torch": torch.__version__,
        "inter_intra_step": [compare(*case, arguments) for case in CASES],
        "share_of_training_step": share(arguments),
    }
    print(json.dumps(report, indent=2))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
