from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from aclnet.training.batches import Batch
from aclnet.training.checkpoint import load_checkpoint
from aclnet.training.engine import BEST, CHECKPOINT, LOG, fit
from aclnet.training.log import read_log
from aclnet.training.machine.interrupts import Interrupted
from aclnet.training.samplers import ShuffleSampler, rank_slice
from aclnet.training.settings import TrainSettings
from aclnet.training.task import Trainable
from aclnet.training.watch import NonFiniteLossError

Hook = Callable[[int], None]
Same = Callable[..., None]


class Toy(Trainable):
    """Dropout, augmentation noise and a buffer: all that must survive an interruption."""

    seen: Tensor

    def __init__(self, seed: int = 0, dropout: float = 0.3, noise: float = 0.1) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.weight = nn.Parameter(torch.randn(12, 3, generator=generator))
        self.dropout, self.noise, self.calls, self.epochs = nn.Dropout(dropout), noise, 0, [0]
        self.seen = nn.Buffer(torch.zeros(()))
        self.before_forward: Hook = lambda call: None

    def augmented(
        self, clips: Tensor, generator: torch.Generator, widths: Tensor | None = None
    ) -> Tensor:
        return clips + self.noise * torch.randn(clips.shape, generator=generator)

    def set_epoch(self, epoch: int) -> None:
        self.epochs.append(epoch)

    def forward(self, clips: Tensor, labels: Tensor) -> dict[str, Tensor]:
        self.calls += 1
        self.before_forward(self.calls)
        self.seen += len(labels)
        logits = self.dropout(clips.flatten(1)) @ self.weight
        return {"loss": functional.cross_entropy(logits, labels), "size": clips.abs().mean()}


class Source:
    """16 clips in batches of 4, one of them made infinite on wish."""

    def __init__(self, batch_size: int = 4, bad_row: int | None = None) -> None:
        generator = np.random.default_rng(1)
        self.clips = torch.from_numpy(generator.normal(size=(16, 1, 3, 2, 2))).float()
        self.labels = torch.from_numpy(generator.integers(3, size=16))
        self.sampler = ShuffleSampler(16, batch_size, seed=0)
        if bad_row is not None:
            self.clips[bad_row] = torch.inf

    @property
    def steps_per_epoch(self) -> int:
        return self.sampler.steps_per_epoch

    def batch(self, epoch: int, step: int, rank: int, world: int) -> Batch:
        rows = torch.from_numpy(rank_slice(self.sampler.batches(epoch)[step], rank, world))
        return Batch(self.clips[rows], self.labels[rows], [f"clip{row}" for row in rows.tolist()])


def settings(**changes: Any) -> TrainSettings:
    values: dict[str, Any] = {"epochs": 4, "accelerator": "cpu", "log_every_steps": 3}
    return TrainSettings(**values | changes)


def score(task: nn.Module, epoch: int) -> dict[str, float]:
    assert not task.training
    assert not torch.is_grad_enabled()
    return {"rank1": float(task.get_parameter("weight").sum()), "epoch": epoch}


def interrupt_at(call: int) -> Hook:
    return lambda now: signal.raise_signal(signal.SIGINT) if now == call else None


def test_result_log_and_checkpoint(tmp_path: Path) -> None:
    lines: list[str] = []
    task = Toy()
    result = fit(
        task,
        Source(),
        settings(epochs=2),
        tmp_path,
        evaluate=score,
        report=lines.append,
        recipe="a: 1\n",
    )
    assert (result.epoch, result.step) == (3, 0)
    assert result.metrics.keys() == {"train/loss", "train/size", "rank1", "epoch"}
    assert result.seconds > 0
    assert not task.training
    assert task.epochs == [0, 1, 2]
    assert task.seen == 32
    log = read_log(tmp_path / LOG)
    assert [(line["kind"], line["step"]) for line in log] == [
        ("step", 3),
        ("epoch", 4),
        ("evaluation", 4),
        ("step", 6),
        ("epoch", 8),
        ("evaluation", 8),
        ("finished", 8),
    ]
    assert log[0]["learning_rate"] == pytest.approx(0.1 * (1 + np.cos(np.pi * 2 / 8)) / 2)
    assert log[4]["train/loss"] == result.metrics["train/loss"]
    assert len(lines) == 2
    assert lines[0].startswith("epoch 1/2: train/loss ")
    saved = load_checkpoint(tmp_path / CHECKPOINT)
    assert saved["recipe"] == "a: 1\n"
    assert "epochs: 2" in saved["settings"]
    assert sorted(item.name for item in tmp_path.iterdir()) == [CHECKPOINT, LOG]


def test_epoch_loss_is_the_mean_over_clips(tmp_path: Path) -> None:
    seen: list[tuple[float, int]] = []

    class Watched(Toy):
        def forward(self, clips: Tensor, labels: Tensor) -> dict[str, Tensor]:
            losses = super().forward(clips, labels)
            seen.append((losses["loss"].item(), len(labels)))
            return losses

    result = fit(Watched(), Source(batch_size=6), settings(epochs=1), tmp_path)
    assert [size for _, size in seen] == [6, 6, 4]
    mean = sum(loss * size for loss, size in seen) / 16
    assert result.metrics["train/loss"] == pytest.approx(mean, rel=1e-6)


def test_training_learns(tmp_path: Path) -> None:
    task = Toy(dropout=0.0, noise=0.0)
    result = fit(task, Source(), settings(epochs=40), tmp_path)
    first = next(line for line in read_log(tmp_path / LOG) if line["kind"] == "epoch")
    assert result.metrics["train/loss"] < first["train/loss"] / 3


@pytest.mark.parametrize(
    ("optimizer", "call"), [("sgd", 1), ("sgd", 6), ("adam", 4), ("adamw", 11), ("adamw", 16)]
)
def test_interrupted_and_resumed_equals_uninterrupted(
    tmp_path: Path, optimizer: str, call: int, assert_same_run: Same
) -> None:
    chosen = settings(optimizer=optimizer, learning_rate=0.05, gradient_clip=0.5)
    whole = fit(Toy(), Source(), chosen, tmp_path / "whole", evaluate=score)
    task = Toy()
    task.before_forward = interrupt_at(call)
    with pytest.raises(Interrupted) as caught:
        fit(task, Source(), chosen, tmp_path / "torn", evaluate=score)
    torn = tmp_path / "torn" / CHECKPOINT
    epoch, step = (call - 1) // 4 + 1, (call - 1) % 4 + 1
    assert f"epoch {epoch}, after step {step} of 4" in str(caught.value)
    assert str(torn) in str(caught.value)
    assert "--resume" in str(caught.value)
    resumed = fit(Toy(seed=9), Source(), chosen, tmp_path / "torn", evaluate=score, resume=True)
    assert_same_run(tmp_path / "torn", tmp_path / "whole")
    assert resumed.metrics == whole.metrics


def test_signal_during_evaluation_repeats_only_the_evaluation(
    tmp_path: Path, assert_same_run: Same
) -> None:
    fit(Toy(), Source(), settings(), tmp_path / "whole", evaluate=score)

    def interrupted(task: nn.Module, epoch: int) -> dict[str, float]:
        if epoch == 2:
            signal.raise_signal(signal.SIGTERM)
        return score(task, epoch)

    with pytest.raises(Interrupted, match="epoch 2, after step 4 of 4"):
        fit(Toy(), Source(), settings(), tmp_path / "torn", evaluate=interrupted)
    task = Toy()
    fit(task, Source(), settings(), tmp_path / "torn", evaluate=score, resume=True)
    assert task.calls == 8
    assert_same_run(tmp_path / "torn", tmp_path / "whole")


def test_failure_loses_at_most_what_followed_the_last_checkpoint(
    tmp_path: Path, assert_same_run: Same
) -> None:
    chosen = settings(checkpoint_every_epochs=2)
    fit(Toy(), Source(), chosen, tmp_path / "whole")
    task = Toy()

    def fail(call: int) -> None:
        if call == 14:
            raise RuntimeError("power cut")

    task.before_forward = fail
    with pytest.raises(RuntimeError, match="power cut"):
        fit(task, Source(), chosen, tmp_path / "torn")
    again = Toy()
    fit(again, Source(), chosen, tmp_path / "torn", resume=True)
    assert again.calls == 8  # epochs 3 and 4
    assert_same_run(tmp_path / "torn", tmp_path / "whole")


def test_resume_of_a_finished_run_trains_no_more(tmp_path: Path) -> None:
    whole = fit(Toy(), Source(), settings(), tmp_path, evaluate=score)
    before = (tmp_path / CHECKPOINT).read_bytes()
    task = Toy(seed=5)
    again = fit(task, Source(), settings(), tmp_path, evaluate=score, resume=True)
    assert task.calls == 0
    assert again == whole
    assert (tmp_path / CHECKPOINT).read_bytes() == before
    assert torch.equal(task.weight, load_checkpoint(tmp_path / CHECKPOINT)["task"]["weight"])


def test_resuming_begins_a_run_but_nothing_overwrites_it(tmp_path: Path) -> None:
    assert fit(Toy(), Source(), settings(epochs=1), tmp_path, resume=True).epoch == 2
    with pytest.raises(ValueError, match="already exists: resume that run or choose another"):
        fit(Toy(), Source(), settings(epochs=1), tmp_path)


class Wider(Toy):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(12, 4))
        self.extra = nn.Parameter(torch.zeros(1))


@pytest.mark.parametrize(
    ("task", "source", "chosen", "message"),
    [
        (Toy(), Source(), settings(epochs=1, learning_rate=1.0), "learning_rate = 0.1 and .* 1.0"),
        (Toy(), Source(), settings(epochs=9), "epochs = 1"),
        (Toy(), Source(batch_size=8), settings(epochs=1), "had 4 steps .* now has 2"),
        (Wider(), Source(), settings(epochs=1), r"extra is missing; weight has shape \(12, 3\)"),
    ],
)
def test_resume_refuses_another_run(
    tmp_path: Path, task: Toy, source: Source, chosen: TrainSettings, message: str
) -> None:
    fit(Toy(), Source(), settings(epochs=1), tmp_path)
    with pytest.raises(ValueError, match=message) as caught:
        fit(task, source, chosen, tmp_path, resume=True)
    assert str(tmp_path / CHECKPOINT) in str(caught.value)


@pytest.mark.parametrize(
    "schedule", [{"schedule": "constant"}, {"schedule": "step", "decay_epochs": [1]}]
)
def test_bookkeeping_and_the_length_of_these_schedules_may_change(
    schedule: dict[str, Any], tmp_path: Path, assert_same_run: Same
) -> None:
    first = settings(epochs=2, **schedule)
    longer = settings(epochs=3, log_every_steps=1, **schedule)
    fit(Toy(), Source(), first, tmp_path / "torn")
    fit(Toy(), Source(), longer, tmp_path / "torn", resume=True)
    fit(Toy(), Source(), longer, tmp_path / "whole")
    assert_same_run(tmp_path / "torn", tmp_path / "whole", log=False)


def test_non_finite_loss_names_the_batch_and_saves_nothing_of_it(tmp_path: Path) -> None:
    source = Source(bad_row=5)
    task = Toy()
    with pytest.raises(NonFiniteLossError) as caught:
        fit(task, source, settings(), tmp_path)
    batches = source.sampler.batches(1)
    step = next(number for number, rows in enumerate(batches) if 5 in rows)
    names = [f"clip{row}" for row in batches[step]]
    error = caught.value
    assert (error.epoch, error.step, error.samples) == (1, step + 1, names)
    assert f"epoch 1, step {step + 1}, in the batch of {', '.join(names)};" in str(error)
    assert task.weight.isfinite().all()
    assert not (tmp_path / CHECKPOINT).exists()


def test_non_finite_loss_in_a_later_epoch_keeps_the_checkpoint(
    tmp_path: Path, assert_same_run: Same
) -> None:
    fit(Toy(), Source(), settings(), tmp_path / "whole")

    class Late(Source):
        def batch(self, epoch: int, step: int, rank: int, world: int) -> Batch:
            batch = super().batch(epoch, step, rank, world)
            return replace(batch, clips=batch.clips * (torch.nan if epoch == 3 else 1))

    with pytest.raises(NonFiniteLossError, match="epoch 3, step 1, "):
        fit(Toy(), Late(), settings(), tmp_path / "torn")
    saved = load_checkpoint(tmp_path / "torn" / CHECKPOINT)
    assert saved["state"]["epoch"] == 3
    kept = [saved["task"], *saved["optimizer"]["state"].values()]
    assert all(torch.as_tensor(value).isfinite().all() for part in kept for value in part.values())
    fit(Toy(), Source(), settings(), tmp_path / "torn", resume=True)
    assert_same_run(tmp_path / "torn", tmp_path / "whole")


def test_long_batches_are_named_in_short(tmp_path: Path) -> None:
    with pytest.raises(NonFiniteLossError, match=r"(clip\d+, ){7}clip\d+ and 8 more;") as caught:
        fit(Toy(), Source(batch_size=16, bad_row=0), settings(), tmp_path)
    assert len(caught.value.samples) == 16


def test_non_finite_gradient_of_a_finite_loss(tmp_path: Path) -> None:
    class Steep(Toy):
        def forward(self, clips: Tensor, labels: Tensor) -> dict[str, Tensor]:
            return {"loss": (self.weight * 0).abs().sqrt().sum()}

    with pytest.raises(NonFiniteLossError, match="the gradient is not finite at epoch 1, step 1"):
        fit(Steep(), Source(), settings(), tmp_path)


@pytest.mark.parametrize("parts", [2, 3])
def test_accumulation_equals_the_whole_batch(tmp_path: Path, parts: int) -> None:
    runs = []
    for name, count in (("whole", 1), ("parts", parts)):
        task = Toy(dropout=0.0)
        chosen = settings(accumulate_steps=count, optimizer="sgd", gradient_clip=0.3)
        result = fit(task, Source(batch_size=16), chosen, tmp_path / name)
        runs.append((task, result))
    (whole, whole_result), (cut, cut_result) = runs
    assert cut.calls == parts * whole.calls
    torch.testing.assert_close(cut.weight, whole.weight, rtol=1e-6, atol=1e-7)
    assert cut_result.metrics["train/loss"] == pytest.approx(whole_result.metrics["train/loss"])


def test_micro_batches_never_outnumber_clips(tmp_path: Path) -> None:
    task = Toy()
    fit(task, Source(batch_size=5), settings(epochs=1, accumulate_steps=3), tmp_path)
    assert task.calls == 3 + 3 + 3 + 1  # 16 clips: batches of 5, 5, 5 and 1


def test_gradients_are_clipped(tmp_path: Path) -> None:
    chosen = settings(
        epochs=1,
        gradient_clip=0.01,
        learning_rate=1.0,
        momentum=0.0,
        nesterov=False,
        weight_decay=0.0,
        schedule="constant",
    )
    task = Toy()
    before = task.weight.detach().clone()
    fit(task, Source(batch_size=16), chosen, tmp_path)
    assert (task.weight - before).norm().item() == pytest.approx(0.01, rel=1e-3)


def test_runs_differ_by_seed_and_leave_torchs_generator_alone(tmp_path: Path) -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    tasks = [Toy(), Toy(), Toy()]
    for number, (task, seed) in enumerate(zip(tasks, (0, 0, 1), strict=True)):
        fit(task, Source(), settings(epochs=1, seed=seed), tmp_path / str(number))
    assert torch.equal(torch.rand(2), expected)
    assert torch.equal(tasks[0].weight, tasks[1].weight)
    assert not torch.equal(tasks[0].weight, tasks[2].weight)


def test_best_epoch_is_kept_beside_the_last(tmp_path: Path) -> None:
    values = [0.2, 0.9, float("nan"), 0.9]

    def evaluate(task: nn.Module, epoch: int) -> dict[str, float]:
        return {"rank1": values[epoch - 1]}

    chosen = settings(keep_best="rank1")
    result = fit(Toy(), Source(), chosen, tmp_path, evaluate=evaluate)
    assert load_checkpoint(tmp_path / BEST)["state"]["epoch"] == 3  # epoch 2 was done
    assert load_checkpoint(tmp_path / CHECKPOINT)["state"]["epoch"] == 5
    assert result.metrics["rank1"] == 0.9


def test_best_metric_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="names the metric `rank_1`, nearest known name `rank1`"):
        fit(Toy(), Source(), settings(keep_best="rank_1"), tmp_path, evaluate=score)


def test_evaluation_every_other_epoch_and_at_the_end(tmp_path: Path) -> None:
    epochs: list[int] = []

    def evaluate(task: nn.Module, epoch: int) -> dict[str, float]:
        epochs.append(epoch)
        return {}

    fit(Toy(), Source(), settings(epochs=5, evaluate_every_epochs=2), tmp_path, evaluate=evaluate)
    assert epochs == [2, 4, 5]


def test_bfloat16_reaches_the_layers_but_not_the_clips(tmp_path: Path) -> None:
    kinds: list[torch.dtype] = []

    class Typed(Toy):
        def forward(self, clips: Tensor, labels: Tensor) -> dict[str, Tensor]:
            kinds.extend([clips.dtype, (clips.flatten(1) @ self.weight).dtype])
            return super().forward(clips, labels)

    task = Typed()
    fit(task, Source(), settings(epochs=1, precision="bf16-mixed"), tmp_path)
    assert set(kinds[::2]) == {torch.float32}
    assert set(kinds[1::2]) == {torch.bfloat16}
    assert task.weight.dtype == torch.float32


def test_deterministic_mode_ends_with_the_run(tmp_path: Path) -> None:
    states: list[bool] = []
    task = Toy()
    task.before_forward = lambda call: states.append(torch.are_deterministic_algorithms_enabled())
    fit(task, Source(), settings(epochs=1, deterministic=True), tmp_path)
    assert all(states)
    assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_without_a_device(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="accelerator: cuda is set but torch finds no CUDA"):
        fit(Toy(), Source(), settings(accelerator="cuda"), tmp_path)


def test_source_without_batches(tmp_path: Path) -> None:
    class Empty(Source):
        @property
        def steps_per_epoch(self) -> int:
            return 0

    with pytest.raises(ValueError, match="the source has no batch"):
        fit(Toy(), Empty(), settings(), tmp_path)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_gpu_names_the_first_bad_batch_though_it_looks_later(tmp_path: Path) -> None:
    source = Source(bad_row=5)
    step = next(number for number, rows in enumerate(source.sampler.batches(1)) if 5 in rows)
    chosen = settings(accelerator="cuda", log_every_steps=100)
    task = Toy(noise=0.0)
    task.augmented = lambda clips, generator: clips  # type: ignore[method-assign]
    with pytest.raises(NonFiniteLossError) as caught:
        fit(task, source, chosen, tmp_path)
    assert caught.value.step == step + 1
    assert not (tmp_path / CHECKPOINT).exists()
