"""Several ranks: NCCL on the card (gloo on the CPU) with one process, and two where there are two.

`ranks.py` starts `ranks.py --rank FOLDER` by torchrun: every rank trains a few steps on its share
of the same batches, and the weights must be those of one process without ranks.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import torch
import torch.distributed as dist
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning_fabric.strategies.ddp import DDPStrategy
from report import CUDA, DEVICE, SMALL, WORK, close, holds, say
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.run import main as torchrun

from aclnet.distributed import all_gather_rows, row_counts, sum_over_ranks
from aclnet.runs.networks import build_network, weight_generator
from aclnet.training.machine.launch import make_fabric
from aclnet.training.stepper import Stepper
from tasks.cost.measure import _RandomClips
from tasks.cost.run import plan_costs
from tasks.spec import find_task

STEPS, CLIPS = 4, 8
CHANGES = (
    "clip.frames=16",
    "clip.augment={mirror: 0, reverse: 0, scale: 0, joint_noise: 0, point_noise: 0}",
    "network.encoder={name: temporal_conv, width: 16, blocks: 1, dropout: 0}",
    "network.dropout=0",
    "objective.start_epoch=0",
    f"train.accelerator={DEVICE.type}",
    "train.sync_batch_norm=true",
    "train.optimizer=sgd",
    "train.learning_rate=0.01",
)


def trained(make: type[Fabric] | None, rank: int, world: int) -> dict[str, torch.Tensor]:
    """Weights after a few steps on this rank's share of the batch."""
    torch.backends.cudnn.allow_tf32 = False  # its rounding depends on a rank's share
    (plan,) = plan_costs(["gait/kgbd"], (), CHANGES)
    settings = plan.settings
    clips = _RandomClips(settings, plan.kind, CLIPS)
    network = build_network(settings.network, plan.kind.classes, clips.input, weight_generator(0))
    task = find_task(plan.task).adapter.trainable(
        settings, network, clips.input, weight_generator(0), list
    )
    fabric = make_fabric(settings.train) if make is None else grouped()
    stepper = Stepper(task, settings.train, fabric)
    task.train()
    mine = slice(rank * CLIPS // world, (rank + 1) * CLIPS // world)
    batch = clips.batch
    batch = replace(
        batch, clips=batch.clips[mine], labels=batch.labels[mine], samples=batch.samples[mine]
    )
    for step in range(STEPS):
        task.set_epoch(1 + step // 2)
        stepper.backward(batch, 1 + step // 2, step)
        stepper.apply()
    return {name: tensor.cpu() for name, tensor in task.state_dict().items()}


def grouped() -> Fabric:
    """As `make_fabric`, with a process group for a single process too."""
    fabric = Fabric(
        accelerator=DEVICE.type,
        strategy=DDPStrategy(),
        devices=1,
        plugins=[TorchElasticEnvironment()],
    )
    fabric.launch()
    return fabric


def collectives(device: torch.device) -> bool:
    """Sums and joined rows of the types that the losses send."""
    rank, world = dist.get_rank(), dist.get_world_size()
    right = (
        float(sum_over_ranks(torch.tensor([rank + 1.0], device=device))) == world * (world + 1) / 2
    )
    for dtype in (torch.float32, torch.int64, torch.bool):
        rows = torch.ones(rank + 1, 2, device=device).to(dtype)
        joined = all_gather_rows(rows, row_counts(rows))
        right &= joined.shape == (world * (world + 1) // 2, 2) and bool(joined.all())
    return right


def worker(folder: Path) -> None:
    rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    weights = trained(Fabric if world == 1 else None, rank, world)
    device = torch.device("cuda", rank) if CUDA else DEVICE
    right = collectives(device)
    if rank == 0:
        torch.save(
            {"weights": weights, "right": right, "backend": dist.get_backend()}, folder / "rank0.pt"
        )


def main() -> None:
    if "--rank" in sys.argv:
        worker(Path(sys.argv[-1]))
        return
    WORK.mkdir(parents=True, exist_ok=True)
    alone = trained(None, 0, 1)
    counts = [1] if SMALL else [1, 2]
    if CUDA and torch.cuda.device_count() < 2:
        say("skipped", processes=2, reason="there is one card")
        counts = [1]
    for count in counts:
        # As torchrun starts them; there is no network.
        os.environ |= {"NCCL_SOCKET_IFNAME": "lo", "GLOO_SOCKET_IFNAME": "lo"}
        launch = ["--standalone", "--nproc-per-node", str(count), __file__, "--rank", str(WORK)]
        try:
            torchrun(launch)
        except ChildFailedError as error:
            holds(f"{count} by torchrun ends well", fact=False, error=str(error)[-400:])
            continue
        found = torch.load(WORK / "rank0.pt", weights_only=True)
        holds("sums and joined rows are right", found["right"], backend=found["backend"])
        errors = {
            name: float((found["weights"][name] - tensor).abs().max())
            for name, tensor in alone.items()
            if tensor.is_floating_point() and tensor.numel()
        }
        worst = max(errors, key=lambda name: errors[name])
        same = errors[worst] < 1e-4  # of weights and means of about 1
        holds(f"{count} as one without ranks", same, worst=worst, error=errors[worst])
    close()


if __name__ == "__main__":
    main()
