"""Training with the objective, as one rank of several or alone: OUT RANK WORLD STORE CASE...

A case is a variant, the name of a metric loss, or one of RIVALS.

`test_two_ranks.py` starts it twice and calls `train` for the run of one rank.
"""

from __future__ import annotations

import gc
import sys
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from aclnet.losses.objective import Objective
from aclnet.losses.settings import ObjectiveSettings, Sizes
from aclnet.models.batch_norm import synchronise_batch_norm

CLASSES = 7
VARIANTS = ("paper", "released")
RIVALS = {
    "fr_head": {"levels": [0.5], "projection_dim": 6},
    "skeleton_gcl": {"bank_size": 24, "positives": 2, "negatives": 3, "projection_dim": 5},
}
BATCHES = (16, 11, 16, 2, 5, 40, 16, 9)  # over two ranks: even, uneven, larger than the queue


class Trainee(nn.Module):
    """The smallest network with an objective inside, as `DistributedDataParallel` wants it."""

    def __init__(self, case: str) -> None:
        super().__init__()
        metric = {"name": case, "weight": 0.5} if case.endswith("Loss") else None
        rival = [{"name": case, "weight": 0.5, **RIVALS[case]}] if case in RIVALS else []
        self.encoder = nn.Linear(9, 6)
        self.classifier = nn.Linear(6, CLASSES)
        settings = ObjectiveSettings.model_validate(
            {
                "variant": case if case in VARIANTS else "paper",
                "metric": metric,
                "terms": rival,
                "start_epoch": 1,
                "queue_size": 24,
                "projection_dim": 5,
                "neighbours": 3,
                "overlap": 1,
                "inter_weight": 0.5,
                "intra_weight": 0.5,
            }
        )
        self.objective = Objective(settings, CLASSES, 6, sizes=Sizes(6, 6, ((1, 2, 3),)))

    def forward(self, clips: Tensor, labels: Tensor) -> dict[str, Tensor]:
        feature = torch.tanh(self.encoder(clips))
        parts = {"graph": feature, "stages": (feature.view(-1, 1, 2, 3),)}
        needed = {part: parts[part] for part in self.objective.settings.needs}
        logits = self.classifier(feature)
        result: dict[str, Tensor] = self.objective(logits, feature, labels, **needed)
        return result


def train(case: str, rank: int, world: int) -> dict[str, object]:
    """Train on this rank's share of each batch; returns the state and the losses of the steps."""
    torch.manual_seed(0)
    trainee = synchronise_batch_norm(Trainee(case).double())
    model = trainee if world == 1 else DistributedDataParallel(trainee, broadcast_buffers=False)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.3, momentum=0.9)
    generator = torch.Generator().manual_seed(1)
    losses, inter = [], []
    for step, rows in enumerate(BATCHES):
        trainee.objective.set_epoch(1 + step // 2)
        labels = torch.randint(0, CLASSES, (rows,), generator=generator)
        clips = torch.randn(rows, 9, generator=generator, dtype=torch.float64)
        mine = torch.arange(rows).tensor_split(world)[rank]
        parts = model(clips[mine], labels[mine])
        optimiser.zero_grad()
        parts["loss"].backward()
        optimiser.step()
        losses.append(float(parts["loss"].detach()))
        inter.append(float(parts["inter"]))
    return {"state": trainee.state_dict(), "losses": losses, "inter": inter}


def main(out: Path, rank: int, world: int, store: str, *cases: str) -> None:
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=world)
    runs = {case: train(case, rank, world) for case in cases}
    torch.save(runs, out / f"rank{rank}.pt")
    gc.collect()  # networks hold the group, which must not be freed with the interpreter
    dist.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:])
