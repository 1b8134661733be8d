"""TensorBoard events: what they hold is what the log holds."""

from __future__ import annotations

import math
import stat
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest

from aclnet.training.engine import LOG, fit
from aclnet.training.events import EVENTS, EventLog, is_events_folder
from aclnet.training.log import read_log
from aclnet.training.machine.interrupts import Interrupted

from .test_engine import Source, Toy, interrupt_at, score, settings

accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")

Scalars = dict[str, list[tuple[int, float]]]


def scalars(run: Path) -> Scalars:
    """Step and value of every scalar, as TensorBoard reads them."""
    found = accumulator.EventAccumulator(str(run / EVENTS), size_guidance={"scalars": 0})
    found.Reload()
    return {
        tag: [(one.step, one.value) for one in found.Scalars(tag)]
        for tag in found.Tags()["scalars"]
    }


def logged(run: Path) -> Scalars:
    """The same from the log; the seconds are those of each epoch."""
    found: Scalars = {}
    before = 0.0
    for line in read_log(run / LOG):
        kind, _, step = (line.pop(name) for name in ("kind", "epoch", "step"))
        if kind == "epoch":
            before, line["seconds"] = line["seconds"], line["seconds"] - before
        for name, value in line.items():
            found.setdefault(f"{kind}/{name}", []).append((step, float(np.float32(value))))
    return found


def train(run: Path, interrupt: int | None = None, **options: Any) -> Toy:
    task = Toy()
    if interrupt is not None:
        task.before_forward = interrupt_at(interrupt)
    resume = options.pop("resume", False)
    options = {"tensorboard": True, **options}
    fit(task, Source(), settings(**options), run, evaluate=score, resume=resume)
    return task


def test_events_are_the_log(tmp_path: Path) -> None:
    train(tmp_path)
    found = scalars(tmp_path)
    assert found == logged(tmp_path)
    assert {"step/loss", "step/learning_rate", "epoch/train/loss", "epoch/seconds",
            "evaluation/rank1"} <= found.keys()  # fmt: skip
    assert [step for step, _ in found["epoch/seconds"]] == [4, 8, 12, 16]
    assert stat.S_IMODE((tmp_path / EVENTS).stat().st_mode) == 0o700
    (file,) = (tmp_path / EVENTS).iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("before", [True, False])
def test_a_resumed_run_has_every_step_once(tmp_path: Path, before: bool) -> None:
    whole, run = tmp_path / "whole", tmp_path / "run"
    train(whole)
    with pytest.raises(Interrupted):
        train(run, interrupt=10, tensorboard=before)
    if before:  # killed after its checkpoint, in the middle of an event
        with EventLog(run / EVENTS, None) as events:
            events.write("step", epoch=3, step=12, values={"loss": 7.0})
        (file,) = (run / EVENTS).iterdir()
        with file.open("ab") as torn:
            torn.write(b"\x20\0\0")
    assert (run / EVENTS).exists() == before
    train(run, resume=True)
    found = scalars(run)
    assert found == logged(run)
    same = {tag: values for tag, values in scalars(whole).items() if tag != "epoch/seconds"}
    del found["epoch/seconds"]
    assert found == same


def test_later_values_are_added(tmp_path: Path) -> None:
    train(tmp_path)
    before = scalars(tmp_path)
    with EventLog(tmp_path / EVENTS, None) as events:
        events.write("test", epoch=4, step=16, values={"rank1": 0.5, "eer": None})
    found = scalars(tmp_path)
    assert found.pop("test/rank1") == [(16, 0.5)]
    ((_, missing),) = found.pop("test/eer")
    assert math.isnan(missing)
    assert found == before


@pytest.mark.ddp
def test_one_rank_writes(ranks: Any, tmp_path: Path) -> None:
    ranks(Path(__file__).with_name("toy_training.py"), tmp_path, "--tensorboard")
    assert len(list((tmp_path / EVENTS).iterdir())) == 1
    assert scalars(tmp_path) == logged(tmp_path)


def test_without_the_setting_there_are_no_events_and_no_import(ready: Any, tmp_path: Path) -> None:
    code = (
        "import sys, tests.aclnet.training.test_engine as toy; from pathlib import Path\n"
        "from aclnet.training.engine import fit\n"
        "fit(toy.Toy(), toy.Source(), toy.settings(), Path(sys.argv[1]))\n"
        "assert not any(name.startswith('tensorboard') for name in sys.modules)\n"
        "assert 'torch.utils.tensorboard' not in sys.modules\n"
    )
    process = ready("-c", code, tmp_path / "run", cwd=Path(__file__).parents[3])
    _, err = process.communicate()
    assert process.returncode == 0, err
    assert not (tmp_path / "run" / EVENTS).exists()


def test_without_tensorboard_the_extra_is_named(tmp_path: Path) -> None:
    hidden: Mapping[str, Any] = {"tensorboard.compat.proto.event_pb2": None}
    with (
        mock.patch.dict(sys.modules, hidden),
        pytest.raises(ValueError, match=r"pip install 'aclnet\[tensorboard\]'"),
    ):
        train(tmp_path)


@pytest.mark.parametrize(
    ("prepare", "own"),
    [
        (lambda folder: None, True),
        (lambda folder: (folder / "events.out.tfevents.000001").write_text(""), True),
        (lambda folder: (folder / "notes.txt").write_text(""), False),
        (lambda folder: (folder / "events.out.tfevents.1700000000.host.1.0").write_text(""), False),
    ],
)
def test_whose_folder_it_is(tmp_path: Path, prepare: Callable[[Path], Any], own: bool) -> None:
    (tmp_path / EVENTS).mkdir()
    prepare(tmp_path / EVENTS)
    assert is_events_folder(tmp_path / EVENTS) == own
