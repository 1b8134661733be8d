"""Pre-training as one rank of several or alone: OUT RANK WORLD STORE CASE...

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

from aclnet.models.encoder import Encoder, EncoderOutput
from aclnet.models.joint_transformer import JointTransformerSettings
from aclnet.pretraining.actclr import ActionletContrast, StepDraws
from aclnet.pretraining.aimclr import ExtremeContrast
from aclnet.pretraining.body import body_of
from aclnet.pretraining.embedder import Embedder, Projector
from aclnet.pretraining.masked import MaskedMotion, masking_order
from aclnet.pretraining.mixing import Mix, draw_mix
from aclnet.pretraining.settings import (
    ActionletSettings,
    ExtremeSettings,
    MaskedSettings,
    MixSettings,
)
from aclnet.skeleton import load_layout

BATCHES = (12, 9, 12, 12)  # over two ranks: even, uneven, around the queue's end
LAYOUT = load_layout("coco17")


class PlainEncoder(Encoder):
    """One layer a joint, without normalisation over the batch."""

    has_map = True

    def __init__(self) -> None:
        super().__init__(17, 2)
        self.feature_dim, self.graph_dim = 8, None
        self.layer = nn.Linear(2, 8)

    def forward(self, clips: Tensor) -> EncoderOutput:
        bodies = torch.tanh(self.layer(clips)).flatten(0, 1).permute(0, 3, 1, 2)
        return self.mean_output(bodies.mean(dim=(2, 3)), clips, bodies)


def make(case: str) -> ExtremeContrast | ActionletContrast:
    embedder = Embedder(PlainEncoder(), Projector(8, 4))
    sizes = {"queue_size": 32, "projection_dim": 4}
    if case == "aimclr":
        return ExtremeContrast(embedder, ExtremeSettings(**sizes, mine_from=0.5), 4)
    return ActionletContrast(embedder, ActionletSettings(**sizes), 4, LAYOUT, 2)


def draw(rows: int, world: int, rank: int) -> StepDraws:
    """A rank's share of a batch's draws; partners are of the same share."""
    generator = torch.Generator().manual_seed(rows)
    clips = torch.zeros(rows, 1, 16, 17, 2, dtype=torch.float64)
    body = body_of(LAYOUT, 2, clips.device)
    mixes = [draw_mix(clips, body, MixSettings(), generator) for _ in range(2)]
    shares = torch.arange(rows).tensor_split(2)
    partner = torch.cat([share.flip(0) for share in shares])
    mine = torch.arange(rows).tensor_split(world)[rank]
    local = partner[mine] - mine[0]

    def of(mix: Mix) -> Mix:
        rest = (mix.joints, mix.start, mix.length, mix.share)
        return Mix(mix.kind[mine], local, *(part[mine] for part in rest))

    return StepDraws(local, *map(of, mixes))


def train(case: str, rank: int, world: int) -> dict[str, object]:
    """Train on this rank's share of each batch; returns the state and the losses of the steps."""
    if case == "masked":
        return train_masked(rank, world)
    torch.manual_seed(0)
    contrast = make(case).double()
    model = contrast if world == 1 else DistributedDataParallel(contrast, broadcast_buffers=False)
    optimiser = torch.optim.SGD(contrast.online.parameters(), lr=0.3, momentum=0.9)
    generator = torch.Generator().manual_seed(1)
    losses = []
    for step, rows in enumerate(BATCHES):
        contrast.set_epoch(1 + step)
        names = ("query", "extreme", "strong", "normal", "weak", "key")
        shape = (rows, 1, 16, 17, 2)
        views = {n: torch.randn(shape, generator=generator, dtype=torch.float64) for n in names}
        mine = torch.arange(rows).tensor_split(world)[rank]
        draws = draw(rows, world, rank)
        contrast.__dict__["draw"] = lambda clips, generator, draws=draws: draws
        parts = model({name: view[mine] for name, view in views.items()}, generator)
        optimiser.zero_grad()
        parts["loss"].backward()
        optimiser.step()
        losses.append([float(part.detach()) for part in parts.values()])
    return {"state": contrast.state_dict(), "losses": torch.tensor(losses)}


def train_masked(rank: int, world: int) -> dict[str, object]:
    """As `train`, of masked motion prediction; a rank's masks are its share of the batch's."""
    torch.manual_seed(0)
    settings = JointTransformerSettings(width=8, blocks=1, heads=2, positions=3)
    encoder = settings.build(LAYOUT, 2, None)
    objective = MaskedMotion(encoder, MaskedSettings(width=8, blocks=1, heads=2), 2).double()
    model = objective if world == 1 else DistributedDataParallel(objective)
    optimiser = torch.optim.AdamW(objective.parameters(), lr=0.01)
    generator = torch.Generator().manual_seed(1)
    losses = []
    for rows in BATCHES:
        clips = torch.randn(rows, 2, 16, 17, 2, generator=generator, dtype=torch.float64)
        clips[: rows // 4, 1] = 0  # absent
        order = masking_order(objective.motion(clips).steps, 0.8, generator).view(rows, 2, -1)
        mine = torch.arange(rows).tensor_split(world)[rank]
        own = order[mine].flatten(0, 1)
        objective.__dict__["draw"] = lambda motion, generator, own=own: own
        loss = model(clips[mine], generator)["loss"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append([float(loss.detach())])
    return {"state": objective.state_dict(), "losses": torch.tensor(losses)}


def main(out: Path, rank: int, world: int, store: str, *cases: str) -> None:
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=world)
    runs = {case: train(case, rank, world) for case in cases}
    torch.save(runs, out / f"rank{rank}.pt")
    gc.collect()  # networks hold the group, which must not be freed with the interpreter
    dist.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:])
