"""One rank of `test_turns.py`: OUT RANK WORLD STORE."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist

from aclnet.clips.input import ClipInput
from aclnet.clips.settings import AugmentSettings, ClipSettings
from aclnet.data.sample import StoreInfo
from aclnet.distributed import every_rank, in_agreement, require_same
from aclnet.models import SkeletonNetwork, build_encoder
from aclnet.models.temporal_conv import TemporalConvSettings
from aclnet.runs.inference import embed, score
from aclnet.runs.settings import EmbedSettings, ScoringSettings
from aclnet.runs.windows import window_store
from aclnet.skeleton import load_layout
from aclnet.training.machine.interrupts import Signalled, StopRequest

LAYOUT = load_layout("coco17")
CHANNELS = ("x", "y", "confidence")


def outputs(seed: int = 0) -> tuple[np.ndarray, ...]:
    """Embeddings and scores of five recordings by a network of random weights."""
    draw = np.random.default_rng(0)
    clips = [draw.normal(200, 30, (n, 1, 17, 3)).astype(np.float32) for n in (12, 30, 9, 17, 25)]
    info = StoreInfo(name="toy", layout=LAYOUT.to_dict(), channels=CHANNELS, unit="pixel")
    store = window_store(clips, info)
    made = ClipInput(ClipSettings(frames=8, augment=AugmentSettings(mirror=0)), LAYOUT, CHANNELS)
    generator = torch.Generator().manual_seed(seed)
    small = TemporalConvSettings(width=8, blocks=2)
    encoder = build_encoder(small, LAYOUT, made.channels, generator)
    network = SkeletonNetwork(encoder, 4, "bn", 0.5, generator)
    chosen = EmbedSettings(windows="all", stride=2, batch_size=7, mirror=True)
    test = ScoringSettings(clips=2, batch_size=4)
    return embed(network, store, made, chosen), *score(network, store, made, test)


def main(out: Path, rank: int, world: int, store: str) -> None:
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=world)
    found = dict(zip("esab", map(torch.from_numpy, outputs()), strict=True)) if rank == 0 else {}
    with every_rank():  # what is drawn on rank 1 does not count
        for name, values in zip("ESAB", outputs(seed=rank), strict=True):
            found[name] = torch.from_numpy(values)
    with StopRequest() as stop, stop.together(), every_rank():
        stop.number = signal.SIGHUP if rank == 1 else None
        try:
            outputs()
        except Signalled as signalled:
            found["signal"] = torch.tensor(signalled.number)

    def fails() -> int:
        if rank == 1:
            raise OSError("the disk of this machine is full")
        return 3

    for work in (lambda: in_agreement(fails), lambda: require_same(rank, "they differ")):
        try:
            work()
        except ValueError as error:
            found[str(error)] = torch.tensor(1)
    torch.save(found, out / f"rank{rank}.pt")
    dist.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
