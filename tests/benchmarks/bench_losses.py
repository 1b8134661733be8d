"""Time of the ACL terms and of their families: ours against the released code's steps, in one run.

    python tests/benchmarks/bench_losses.py [--rounds 5] [--device cuda]
        [--json results/benchmarks/losses.json]

Both forms (`released_losses.py` has the other) take the same training steps from the same weights
and counts in turn and must agree in loss, gradients and families. A step is forward and backward of
inter + intra, each with its projection, with the families built and the queue full. On the CPU the
processor time of one thread is the measure, on a GPU the clock between two synchronisations.

`bare products` are the two projections and the products with the centres and with the queue alone,
forward and backward: what is left of a step if all else were free. Of 10,000 classes the other form
builds the families of a hundred, and its time is multiplied.

How the released steps compare with the authors' code: that took 41.6 ms at 60 classes and 355 ms at
400 (batches of 64) where its plain backbone took 4.15 s for a training step of 4 clips
(`bench_backbone.py`), one thread, minima. Where that step takes 2.95 s, so 29.6 and 252 ms were to
be expected, the steps here take 26 and 138 ms, and families of 400 classes 0.08 s, not 2.6 s.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from ratios import ratio, write
from released_losses import ReleasedInter, ReleasedIntra
from torch import Tensor

from aclnet.losses.objective import Objective
from aclnet.losses.settings import ObjectiveSettings
from aclnet.models import SkeletonNetwork, build_encoder
from aclnet.models.affinity_gcn import AffinityGcnSettings
from aclnet.skeleton import load_layout

CASES = ((60, 512), (400, 2048), (2000, 2048), (10_000, 2048))  # classes, queue
STEPS = 5  # in a row, in each round
FEATURE_DIM = 625  # the joint graph of 25 joints
WEIGHTS = {"inter_weight": 0.1, "intra_weight": 0.1}
Batch = tuple[Tensor, Tensor, Tensor]
Clock = Callable[[], float]


def clock(device: torch.device) -> Clock:
    """What tells the time on a device."""

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

    def counts(self) -> Tensor:
        """(C, C) mistakes of earlier epochs: each class was taken for 14 of the next 24."""
        C = self.class_count
        drawn = torch.rand(C, 24, generator=self.generator).argsort(dim=1)[:, :14]
        near = (torch.arange(C)[:, None] + 1 + drawn) % C
        amounts = torch.randint(1, 50, near.shape, generator=self.generator)
        return torch.zeros(C, C, dtype=torch.int64).scatter_(1, near, amounts)


class Pair:
    """Both forms, with the same weights and memories, in the second epoch of the terms."""

    def __init__(self, class_count: int, queue_size: int, rows: int, device: torch.device) -> None:
        settings = ObjectiveSettings(
            variant="released", start_epoch=1, queue_size=queue_size, **WEIGHTS
        )
        generator = torch.Generator().manual_seed(1)
        self.objective = Objective(settings, class_count, FEATURE_DIM, generator).to(device)
        self.inter, self.intra = (self.objective.terms[name] for name in ("inter", "intra"))
        self.stream = Stream(class_count, rows, device)
        self.inter.confusion.counts.copy_(self.stream.counts())
        self.leaves = [
            tensor.detach().clone().requires_grad_()
            for layer in (self.inter.cl_fc, self.intra.cl_fc)
            for tensor in (layer.weight, layer.bias)
        ]
        centres, counts = self.inter.centres.centres, self.inter.confusion.counts
        self.released = (
            ReleasedInter(*self.leaves[:2], centres, counts),
            ReleasedIntra(*self.leaves[2:], queue_size),
        )
        self.released[0].families = {label: [label] for label in range(class_count)}
        steps = queue_size // rows + 1
        for step in range(steps):
            self.objective.set_epoch(1 if step < steps - 1 else 2)
            batch = self.stream.batch()
            self.ours(batch)
            self.theirs(batch)
        self.families(clock(device))

    def ours(self, batch: Batch) -> Tensor:
        logits, feature, labels = batch
        inter: Tensor = self.inter(logits, feature, labels)
        intra: Tensor = self.intra(feature, labels)
        return 0.1 * inter + 0.1 * intra

    def theirs(self, batch: Batch) -> Tensor:
        logits, feature, labels = batch
        inter, intra = self.released
        return 0.1 * inter.step(logits, feature, labels) + 0.1 * intra.step(feature, labels)

    def products(self, batch: Batch) -> Tensor:
        _, feature, _ = batch
        near = self.inter.cl_fc(feature) @ self.inter.centres.centres.t()
        past = self.intra.cl_fc(feature) @ self.intra.queue.features.t()
        return near.sum() + past.sum()

    def families(self, now: Clock) -> tuple[float, float]:
        """Seconds of ours and of the released code's families, which must be equal."""
        families, released = self.inter.families, self.released[0]
        start = now()
        families.rebuild(self.inter.confusion.counts, 2)
        seconds = now() - start
        nearest, count = families.nearest.tolist(), len(families.nearest)
        part = range(0, count, max(1, count // 100))
        start = now()
        lists = [released.nearest(label) for label in part]
        found = [released.family(label, nearest) for label in part]
        other = (now() - start) * count / len(part)
        members = [row.nonzero()[:, 0].tolist() for row in families.members]
        if lists != [nearest[row] for row in part] or found != [members[row] for row in part]:
            raise RuntimeError("the two forms build other families")
        released.families = dict(enumerate(members))
        return seconds, other


def timed(
    form: Callable[[Batch], Tensor],
    batches: Sequence[Batch],
    parameters: Sequence[Tensor],
    now: Clock,
) -> tuple[float, list[Tensor]]:
    """Seconds of a forward and backward; losses and gradients. Clearing is not counted."""
    leaves = [feature.clone().requires_grad_() for _, feature, _ in batches]
    found: list[Tensor] = []
    start = now()
    for leaf, (logits, _, labels) in zip(leaves, batches, strict=True):
        loss = form((logits, leaf, labels))
        found += [loss.detach(), *torch.autograd.grad(loss, [leaf, *parameters])]
    return (now() - start) / len(batches), found


def difference(ours: list[Tensor], theirs: list[Tensor]) -> float:
    """Largest, relative to the largest value of each tensor."""
    return max(
        float((a - b).abs().max() / b.abs().max().clamp(min=1e-30))
        for a, b in zip(ours, theirs, strict=True)
    )


def compare(class_count: int, queue_size: int, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Rows of one number of classes."""
    device = torch.device(options.device)
    now, pair = clock(device), Pair(class_count, queue_size, options.batch, device)
    parameters = list(pair.objective.parameters())
    times: dict[str, list[float]] = {}

    def keep(**seconds: float) -> None:
        for name, value in seconds.items():
            times.setdefault(name, []).append(value)

    for turn in range(options.rounds + 1):
        batches = [pair.stream.batch() for _ in range(STEPS)]
        ours, found = timed(pair.ours, batches, parameters, now)
        theirs, expected = timed(pair.theirs, batches, pair.leaves, now)
        bare, _ = timed(pair.products, batches, parameters, now)
        if difference(found, expected) > 1e-4:
            raise RuntimeError(f"the two forms differ by {difference(found, expected):.1e}")
        mine, other = pair.families(now)
        if turn:  # the first warms up
            keep(ours=ours, theirs=theirs, bare=bare, families=mine, sets=other)
    step = f"ACL terms, {class_count:,} classes, batch of {options.batch}, queue of {queue_size:,}"
    return [
        ratio(step, "in the released code's steps", times["ours"], times["theirs"]),
        ratio(step, "bare products", times["ours"], times["bare"]),
        ratio(
            f"Families of {class_count:,} classes",
            "sets, class by class, as released",
            times["families"],
            times["sets"],
        ),
    ]


def capped(rows: Sequence[dict[str, Any]]) -> str:
    """Which part of the released steps' time bare products alone take."""
    released, bare = (
        [row for row in rows if row["plain"] == plain]
        for plain in ("in the released code's steps", "bare products")
    )
    parts = (
        f"1/{theirs['ratio'] / ours['ratio']:.0f} at {ours['work'].split(', ')[1]}"
        for theirs, ours in zip(released, bare, strict=True)
    )
    return f"Bare products alone take {', '.join(parts)} of the released steps' time."


def _objective(terms: dict[str, float], stream: Stream) -> Objective:
    """An objective in its second epoch, with families built and the queue full."""
    settings = ObjectiveSettings.model_validate(
        {"variant": "released", "feature": "graph", "start_epoch": 1, "queue_size": 512} | terms
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
    now = clock(device)
    stream = Stream(60, arguments.share_batch, device)
    terms = {"ce": {"inter_weight": 0.0, "intra_weight": 0.0}, "acl": WEIGHTS}
    objectives = {name: _objective(terms[name], stream) for name in terms}
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
    """Measure, print, and write."""
    made = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    made.add_argument("--device", default="cpu")
    made.add_argument("--batch", type=int, default=64)
    made.add_argument("--rounds", type=int, default=5)
    made.add_argument("--largest", type=int, default=10_000, help="most classes to measure")
    made.add_argument("--share-batch", type=int, help="default: 4 on the CPU, 64 on a GPU")
    made.add_argument("--share-rounds", type=int, default=3)
    made.add_argument("--frames", type=int, default=100)
    made.add_argument("--json", type=Path)
    options = made.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    if options.share_batch is None:
        options.share_batch = 4 if options.device == "cpu" else 64
    cases = [case for case in CASES if case[0] <= options.largest]
    rows = [row for case in cases for row in compare(*case, options)]
    about = {"device": options.device, "share_of_training_step": share(options)}
    about["notes"] = [capped(rows)]
    write("losses", rows, options.json, **about)


if __name__ == "__main__":
    main()
