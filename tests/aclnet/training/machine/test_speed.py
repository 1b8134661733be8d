from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from aclnet.losses.objective import Objective
from aclnet.losses.settings import ObjectiveSettings
from aclnet.models import SkeletonNetwork, build_encoder
from aclnet.models.settings import EncoderSettings
from aclnet.skeleton import load_layout
from aclnet.training.batches import Batch
from aclnet.training.checkpoint import load_checkpoint
from aclnet.training.engine import CHECKPOINT, fit
from aclnet.training.machine import speed
from aclnet.training.machine.speed import accelerated
from aclnet.training.samplers import ShuffleSampler, rank_slice
from aclnet.training.settings import TrainSettings
from aclnet.training.task import TrainingTask

STAGES: dict[str, Any] = {"width": 12, "blocks": 2, "widen_at": (2,), "stride_at": (2,)}
ENCODERS: dict[str, dict[str, Any]] = {
    "affinity_gcn": STAGES | {"subsets": 4},
    "ctr_gcn": STAGES | {"width": 16},
    "joint_transformer": {
        "width": 16,
        "blocks": 2,
        "heads": 2,
        "segment": 3,
        "positions": 4,
        "dropout": 0.2,
    },
    "resgcn": {"graph": "bones"},
    "st_gcn": STAGES | {"dropout": 0.2},
    "temporal_conv": {"width": 12},
}


def make_task(name: str = "st_gcn", **changes: Any) -> TrainingTask:
    torch.manual_seed(0)
    settings = EncoderSettings.model_validate({"name": name, **ENCODERS.get(name, {}), **changes})
    encoder = build_encoder(settings, load_layout("sbu15"), 3)
    network = SkeletonNetwork(encoder, 3)
    return TrainingTask(network, Objective(ObjectiveSettings(), 3, encoder.feature_dim))


class Source:
    def __init__(self) -> None:
        generator = np.random.default_rng(1)
        self.clips = torch.from_numpy(generator.normal(size=(12, 1, 8, 15, 3))).float()
        self.labels = torch.from_numpy(generator.integers(3, size=12))
        self.sampler = ShuffleSampler(12, 6, seed=0)
        self.steps_per_epoch = self.sampler.steps_per_epoch

    def batch(self, epoch: int, step: int, rank: int, world: int) -> Batch:
        rows = torch.from_numpy(rank_slice(self.sampler.batches(epoch)[step], rank, world))
        return Batch(self.clips[rows], self.labels[rows], [f"clip{row}" for row in rows.tolist()])


def settings(**changes: Any) -> TrainSettings:
    values: dict[str, Any] = {"epochs": 2, "accelerator": "cpu", "learning_rate": 0.05}
    return TrainSettings(**values | changes)


def no_remark(sentence: str) -> None:
    raise AssertionError(sentence)


def one_step(task: TrainingTask, given: TrainSettings) -> tuple[dict[str, Tensor], int]:
    """Gradients and buffers of a step, and the bytes kept for the backward pass."""
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    batch = Source().batch(1, 0, 0, 1)
    torch.manual_seed(3)
    with (
        accelerated(task, given, no_remark),
        torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
    ):
        task(batch.clips, batch.labels)["loss"].backward()
    found = {
        name: weight.grad for name, weight in task.named_parameters() if weight.grad is not None
    }
    return found | dict(task.named_buffers()), sum(kept.values())


@pytest.mark.parametrize("name", sorted(ENCODERS.keys() - {"resgcn"}))
def test_checkpointed_activations_change_nothing_but_memory(name: str) -> None:
    plain, whole = one_step(make_task(name), settings())
    task = make_task(name)
    found, kept = one_step(task, settings(activation_checkpointing=True))
    assert found.keys() == plain.keys()
    for key, value in plain.items():
        assert torch.equal(found[key], value), key
    assert kept < whole
    assert not any("forward" in vars(module) for module in task.modules())


FAST = ("channels_last", "fused_optimizer", "activation_checkpointing")


@pytest.mark.parametrize("name", FAST)
def test_a_fast_run_equals_the_plain_one_and_resumes(tmp_path: Path, name: str) -> None:
    changes: dict[str, Any] = {name: True}
    fit(make_task(), Source(), settings(), tmp_path / "plain")
    fit(make_task(), Source(), settings(**changes), tmp_path / "whole")
    plain, whole = (load_checkpoint(tmp_path / name / CHECKPOINT) for name in ("plain", "whole"))
    assert plain["task"].keys() == whole["task"].keys()
    for name, value in plain["task"].items():
        torch.testing.assert_close(whole["task"][name], value, rtol=1e-3, atol=1e-4)

    constant = {"schedule": "constant"}
    fit(make_task(), Source(), settings(**changes, **constant), tmp_path / "one")
    fit(make_task(), Source(), settings(**changes, **constant, epochs=1), tmp_path / "torn")
    fit(make_task(), Source(), settings(**changes, **constant), tmp_path / "torn", resume=True)
    one, torn = (load_checkpoint(tmp_path / name / CHECKPOINT) for name in ("one", "torn"))
    for name, value in one["task"].items():
        assert torch.equal(torn["task"][name], value), name


@pytest.mark.slow
def test_a_compiled_run_equals_the_plain_one_with_the_same_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch._inductor.config.compile_threads", 1)  # no processes that compile
    if speed.compiler_problem() is not None:  # it compiles: not while tests are collected
        pytest.skip("no compiler works here")
    for name, changes in (("plain", {}), ("compiled", {"compile": True})):
        given = settings(learning_rate=0.001, **changes)
        fit(make_task("temporal_conv", blocks=1), Source(), given, tmp_path / name)
    plain, fast = (load_checkpoint(tmp_path / name / CHECKPOINT) for name in ("plain", "compiled"))
    assert plain["task"].keys() == fast["task"].keys()
    for name, value in plain["task"].items():
        torch.testing.assert_close(fast["task"][name], value, rtol=1e-3, atol=1e-5)


def test_without_a_compiler_the_run_goes_on_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speed, "compiler_problem", lambda: "g++ is missing")
    lines: list[str] = []
    fit(make_task(), Source(), settings(compile=True), tmp_path / "run", report=lines.append)
    wanted = "train.compile has no effect: no working compiler here (g++ is missing)"
    assert [line for line in lines if "compile" in line] == [wanted]


def test_an_encoder_without_blocks_cannot_be_recomputed() -> None:
    wanted = r"activation_checkpointing: ResGcn is not made of blocks; leave it out"
    given = settings(activation_checkpointing=True)
    with (
        pytest.raises(ValueError, match=wanted),
        accelerated(make_task("resgcn"), given, no_remark),
    ):
        pass


def test_a_compiled_encoder_recomputes_by_itself() -> None:
    with pytest.raises(ValueError, match="compile and activation_checkpointing exclude each other"):
        settings(compile=True, activation_checkpointing=True)


def test_tf32_is_set_for_the_run_alone() -> None:
    before = torch.backends.cuda.matmul.allow_tf32
    with accelerated(make_task(), settings(tf32=not before), no_remark):
        assert torch.backends.cuda.matmul.allow_tf32 is not before
    assert torch.backends.cuda.matmul.allow_tf32 is before


SET_BEFORE = """
import sys, torch
from aclnet.training.machine.speed import tf32
from tasks.run.device import _full_digits
{before}
for allowed in (True, False):
    with tf32(allowed), _full_digits():
        torch.backends.cuda.matmul.fp32_precision == "ieee" or sys.exit("digits are lost")
print({left})
"""


@pytest.mark.parametrize(
    ("before", "left", "wanted"),
    [
        (
            "torch.set_float32_matmul_precision('medium')",
            "torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32",
            "medium True",
        ),
        (
            "torch.backends.cuda.matmul.fp32_precision = 'tf32'",
            "torch.backends.cuda.matmul.fp32_precision",
            "tf32",
        ),
        (
            "torch.backends.cudnn.conv.fp32_precision = 'ieee'",
            "torch.backends.cudnn.conv.fp32_precision",
            "ieee",
        ),
    ],
)
@pytest.mark.skipif(not hasattr(torch.backends.cudnn, "conv"), reason="torch before 2.9")
def test_tf32_is_as_the_caller_set_it_by_any_name(
    before: str, left: str, wanted: str, ready: Any
) -> None:
    process = ready("-c", SET_BEFORE.format(before=before, left=left))
    out, err = process.communicate()
    assert (process.returncode, out.strip()) == (0, wanted), err


@pytest.mark.ddp
def test_two_ranks_train_alike_with_all_of_them(ranks: Any, tmp_path: Path) -> None:
    weights = []
    for name, options in (
        ("plain", []),
        ("fast", ["activation_checkpointing", "channels_last", "fused_optimizer"]),
    ):
        ranks(__file__, tmp_path / name, *options)
        weights.append(load_checkpoint(tmp_path / name / CHECKPOINT)["task"])
    assert weights[0].keys() == weights[1].keys()
    for name, value in weights[0].items():
        torch.testing.assert_close(weights[1][name], value, rtol=1e-3, atol=1e-4)


if __name__ == "__main__":
    chosen = dict.fromkeys(sys.argv[2:], True)
    fit(make_task(), Source(), settings(sync_batch_norm=True, **chosen), Path(sys.argv[1]))
