"""What a step of ActCLR's second stage costs beside the bare passes of the encoder that it needs.

The bare passes: of the slow encoder the anchor and the keys, of the trained one two views without
and three with gradient, and their backward passes. The rest is the views' changes, the actionlets,
mixing, the comparison with the queue, and its update.

    python tests/benchmarks/bench_pretraining.py --batch 8
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable

import torch

from aclnet.clips.input import ClipInput
from aclnet.models import SkeletonNetwork
from aclnet.pretraining.actclr import ActionletContrast
from aclnet.pretraining.embedder import Embedder, Projector
from aclnet.pretraining.settings import ActionletSettings
from aclnet.pretraining.views.curriculum import stage2_plan
from aclnet.skeleton import load_layout
from aclnet.training.pretraining import ViewTraining
from tasks.pretrain.settings import PretrainSettings


def main() -> None:
    parser = argparse.ArgumentParser(description="A step of pre-training and its bare passes.")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--persons", type=int, default=2)
    parser.add_argument("--queue", type=int, default=8192)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    recipe, layout = PretrainSettings(method="actclr"), load_layout("ntu25")
    settings = ActionletSettings(queue_size=arguments.queue)
    clip_input = ClipInput(recipe.clip, layout, ("x", "y", "z"))
    encoder = recipe.network.encoder.build(layout, 3, None)
    embedder = Embedder(encoder, Projector(encoder.feature_dim, settings.projection_dim))
    objective = ActionletContrast(embedder, settings, 350, layout, 3)
    training = ViewTraining(
        SkeletonNetwork(encoder, 60),
        objective,
        clip_input,
        lambda epoch: stage2_plan(settings.views, epoch, 350, 0),
        settings.views.changes,
    ).train()
    clips = torch.randn(arguments.batch, arguments.persons, recipe.clip.frames, 25, 3)
    generator, labels = torch.Generator().manual_seed(0), torch.zeros(arguments.batch)

    def step() -> None:
        with torch.no_grad():
            views = training.augmented(clips, generator)
        training(views, labels)["loss"].backward()

    def passes() -> None:
        with torch.no_grad():
            objective.slow.network(clips[:1])
            objective.slow.network(clips)
            for _ in range(2):
                embedder(clips)
        torch.stack([embedder(clips).raw.square().mean() for _ in range(3)]).sum().backward()

    times: dict[str, list[float]] = {"step": [], "passes": []}
    for turn in range(arguments.rounds + 1):
        for name, act in (("step", step), ("passes", passes)):
            training.zero_grad()
            seconds = _seconds(act)
            if turn:
                times[name].append(seconds)
    medians = {name: statistics.median(values) for name, values in times.items()}
    report = {
        "batch": list(clips.shape),
        "cpu_seconds_median": {name: round(value, 4) for name, value in medians.items()},
        "ratio": round(medians["step"] / medians["passes"], 3),
    }
    print(json.dumps(report, indent=2))


def _seconds(act: Callable[[], None]) -> float:
    start = time.process_time()
    act()
    return time.process_time() - start


if __name__ == "__main__":
    main()
