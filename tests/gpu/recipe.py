"""The full-size recipe action/ntu60_xsub on made-up data of NTU's shape: what an epoch takes.

Some hundred steps are timed within the command's own loop, prefetching included, and extrapolated
to the 40,091 training clips of the cross-subject split.
"""

from __future__ import annotations

import math
import pickle
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from report import CUDA, DEVICE, SMALL, WORK, close, command, holds, say, wait

import aclnet.training.batches as batches
import aclnet.training.engine as engine

CLIPS = 40_091
PROFILED, FIRST = range(8, 11), 1 if SMALL else 12
TINY = (
    "network.encoder={name: affinity_gcn, width: 12, blocks: 2, widen_at: [2], stride_at: [2]}",
)


def made_up(count: int) -> Path:
    """PYSKL's pickle: mean length 84 frames, two people in every fourth clip."""
    generator = np.random.default_rng(0)
    annotations: list[dict[str, Any]] = []
    for number in range(count):
        frames = int(np.clip(generator.normal(84, 35), 30, 300))
        shape = (2 if number % 4 == 0 else 1, frames, 25, 3)
        name = (
            f"S001C001P{(1, 3)[number // 60 % 2]:03d}R{1 + number // 120:03d}A{1 + number % 60:03d}"
        )
        points = (0.3 * generator.standard_normal(shape)).astype(np.float16)
        annotations.append(
            {"frame_dir": name, "label": number % 60, "keypoint": points, "total_frames": frames}
        )
    names = [one["frame_dir"] for one in annotations]
    split = {"xsub_train": names[: count * 9 // 10], "xsub_val": names[count * 9 // 10 :]}
    path = WORK / "ntu.pkl"
    path.write_bytes(pickle.dumps({"split": split, "annotations": annotations}))
    return path


class Clock:
    """Times the steps of an epoch after the first, without waits between them.

    Attributes:
        steps: how many.
        seconds: of all of them.
        waits: seconds of waiting for a batch.
        busy: the card's share of the time of each profiled step.
    """

    def __init__(self) -> None:
        self.steps, self.seconds, self.waits = 0, 0.0, 0.0
        self.busy: list[float] = []

    def install(self) -> None:
        whole, get = engine._Loop._train_step, batches.Prefetcher.get

        def timed_get(source: Any, *position: Any) -> Any:
            start = time.perf_counter()
            found = get(source, *position)
            self.waits += time.perf_counter() - start
            return found

        def timed_step(loop: Any, epoch: int, number: int) -> bool:
            if number == FIRST:
                wait()
                self.waits, self.seconds = 0.0, -time.perf_counter()
            if CUDA and number in PROFILED:
                stop = self._profile(lambda: bool(whole(loop, epoch, number)))
            else:
                stop = bool(whole(loop, epoch, number))
            self.steps += number >= FIRST
            if number == loop.steps - 1:
                wait()
                self.seconds += time.perf_counter()
            return stop

        engine._Loop._train_step = timed_step  # type: ignore[method-assign]
        batches.Prefetcher.get = timed_get  # type: ignore[method-assign]

    def _profile(self, step: Any) -> bool:
        from torch.profiler import ProfilerActivity, profile

        with profile(activities=[ProfilerActivity.CUDA]) as found:
            start = time.perf_counter()
            stop = bool(step())
            wait()
            took = time.perf_counter() - start
        busy = sum(each.self_device_time_total for each in found.key_averages()) / 1e6
        self.busy.append(busy / took)
        return stop


def timed(name: str, data: Path, batch: int, *settings: str) -> None:
    clock = Clock()
    originals = engine._Loop._train_step, batches.Prefetcher.get
    clock.install()
    if CUDA:
        torch.cuda.reset_peak_memory_stats()
    changes = (
        *("train.epochs=1", "objective.start_epoch=0", f"train.accelerator={DEVICE.type}"),
        *("hold_out.people=0", "select=last", "test.clips=1", f"sampler.batch_size={batch}"),
        *(TINY if SMALL else ()),
        *settings,
    )
    options = [part for one in changes for part in ("-s", one)]
    run = ("--run", str(WORK / "recipe"), "--overwrite", "--cache", str(WORK / "stores"))
    recipe = ("action", "train", "--config", "action/ntu60_xsub", "--data", str(data))
    code, _ = command(*recipe, *run, *options)
    engine._Loop._train_step, batches.Prefetcher.get = originals  # type: ignore[method-assign]
    holds(f"{name}: the command ends well", not code, code=code)
    if code or not clock.steps:
        return
    step = clock.seconds / clock.steps
    say(
        f"action/ntu60_xsub, {name}",
        batch=batch,
        steps=clock.steps,
        clips_a_second=round(batch / step, 1),
        epoch_seconds=round(step * math.ceil(CLIPS / batch), 1),
        waiting_for_data=round(clock.waits / clock.seconds, 4),
        busy_share=[round(each, 3) for each in clock.busy],
        peak_mib=round(torch.cuda.max_memory_allocated() / 2**20) if CUDA else None,
    )


def main() -> None:
    WORK.mkdir(parents=True, exist_ok=True)
    data = made_up(130 if SMALL else 4000)
    if SMALL:
        timed("float32", data, 32)
    else:
        timed("float32", data, 16)
        timed("bf16", data, 16, "train.precision=bf16-mixed")
        timed("bf16, batch 64", data, 64, "train.precision=bf16-mixed")
    close()


if __name__ == "__main__":
    main()
