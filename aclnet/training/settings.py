"""Settings of the training loop and of its batches."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveInt, model_validator

from aclnet.config import LARGEST_SEED, Settings
from aclnet.training.machine.instructions import InstructionSet


class TrainSettings(Settings):
    """How a task is trained: length, optimizer, schedule, precision, device, bookkeeping.

    The learning rate is for the global batch: it is never scaled by the number of ranks or of
    micro-batches.
    """

    epochs: int = Field(default=30, ge=1, le=1_000_000)
    """Passes over the training samples; with identities, of `sampler.steps_per_epoch` batches."""
    seed: int = Field(default=0, ge=0, le=LARGEST_SEED)
    """Of initial weights, batches and augmentation, and of whatever a recipe draws."""

    optimizer: Literal["sgd", "adam", "adamw"] = "sgd"
    """As torch has them."""
    learning_rate: float = Field(default=0.1, gt=0)
    """The highest that the schedule reaches."""
    momentum: float = Field(default=0.9, ge=0, lt=1)
    """Of SGD; Adam always has (0.9, 0.999)."""
    nesterov: bool = True
    """Of SGD."""
    weight_decay: float = Field(default=5e-4, ge=0)
    """Factor on the weights that is added to their gradients, or subtracted by AdamW."""
    decay_norm_and_bias: bool = True
    """Apply weight decay to parameters of fewer than two axes too (biases, norms, scalars)."""

    schedule: Literal["cosine", "onecycle", "constant", "step"] = "cosine"
    """How the rate goes: cosine falls to `least_rate`, onecycle rises and falls, step falls after
    each of `decay_epochs`."""
    warmup_epochs: float | None = Field(default=None, ge=0)
    """Epochs (also fractions) in which the rate rises; unset: 30 % of the run for onecycle, else
    none."""
    least_rate: float | None = Field(default=None, ge=0)
    """With cosine: the rate to which it falls; unset: 0."""
    decay_epochs: tuple[PositiveInt, ...] | None = Field(default=None, min_length=1)
    """With step: epochs after each of which the rate is multiplied by `decay`."""
    decay: float | None = Field(default=None, gt=0, lt=1)
    """Factor of `decay_epochs`; unset: 0.1."""
    cycle_momentum: bool = False
    """With onecycle: momentum (Adam's first) from 0.95 to 0.85 and back, against the rate."""

    accumulate_steps: int = Field(default=1, ge=1, le=10_000)
    """Micro-batches into which a rank's share of a batch is cut. Batch norms and the objective's
    state (centres, queues) see micro-batches: only without these is the update the same."""
    gradient_clip: float | None = Field(default=None, gt=0)
    """Largest L2 norm of all gradients together."""
    sync_batch_norm: bool = False
    """With several ranks: batch norms see the joined batch of all ranks, not each its own share.
    Two ranks then train as one rank with the joined batch, up to rounding, if augmentation and
    dropout are off and `accumulate_steps` is 1 (the ranks' micro-batches are cut from their
    shares); without it that holds only for networks without batch norm. On one rank it changes
    nothing."""
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    """bf16-mixed: products in bfloat16, weights and losses in float32."""
    tf32: bool | None = None
    """Round the factors of float32 products to 10 bits on GPUs that are then faster; unset: as
    torch does, in convolutions alone. It has no effect on a CPU."""
    activation_checkpointing: bool = False
    """Keep only the inputs of the encoder's blocks for the backward pass and compute the rest
    again: less memory, about a third more time, the same result."""
    channels_last: bool = False
    """Store the weights of convolutions channels last, so that maps are stored so too."""
    compile: bool = False
    """Compile the encoder (torch.compile): minutes at the start, then faster steps on a GPU. Where
    no compiler works it is left out, with a remark."""
    fused_optimizer: bool = False
    """Update all weights in one kernel."""
    accelerator: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to train; auto: on a GPU if there is one."""
    deterministic: bool = False
    """Refuse operations whose results may differ from run to run (matters on a GPU)."""
    instruction_set: InstructionSet | None = None
    """Instruction set that torch, oneDNN and MKL use, so that other CPUs repeat the run; unset: the
    CPU's best. The number of threads must be the same too (OMP_NUM_THREADS)."""

    checkpoint_every_epochs: int = Field(default=1, ge=1, le=1_000_000)
    """How often the state to resume from is saved."""
    evaluate_every_epochs: int = Field(default=1, ge=1, le=1_000_000)
    """How often the validation samples are judged, if there are any."""
    log_every_steps: int = Field(default=10, ge=1, le=1_000_000)
    """How often a line goes into log.jsonl."""
    tensorboard: bool = False
    """Also write what the log has as TensorBoard events, into `tensorboard` in the run's folder."""
    keep_best: str | None = None
    """Name of an evaluation metric (higher is better) whose best epoch is kept as best.pt."""

    @model_validator(mode="after")
    def _fit_together(self) -> TrainSettings:
        if self.warmup_epochs is not None and self.warmup_epochs > self.epochs:
            raise ValueError(
                f"warmup_epochs ({self.warmup_epochs}) must not exceed epochs ({self.epochs})"
            )
        self._check_decay()
        if self.compile and self.activation_checkpointing:
            raise ValueError(
                "compile and activation_checkpointing exclude each other: a compiled encoder "
                "chooses by itself what to compute again; leave one out"
            )
        if self.optimizer == "sgd" and self.nesterov and self.momentum == 0:
            raise ValueError("nesterov needs a momentum above 0; set nesterov: false")
        if self.cycle_momentum and self.schedule != "onecycle":
            raise ValueError(f"cycle_momentum needs schedule onecycle, not {self.schedule}")
        if self.cycle_momentum and self.optimizer == "sgd" and self.momentum == 0:
            raise ValueError("cycle_momentum needs an optimizer with a momentum above 0")
        return self

    def _check_decay(self) -> None:
        ends = self.decay_epochs
        if self.schedule == "step" and ends is None:
            raise ValueError("schedule step needs decay_epochs, such as decay_epochs: [250]")
        if self.schedule != "step" and (ends is not None or self.decay is not None):
            raise ValueError(f"decay_epochs and decay need schedule step, not {self.schedule}")
        if ends is not None and (list(ends) != sorted(set(ends)) or ends[-1] >= self.epochs):
            raise ValueError(
                f"decay_epochs must increase and end before the last epoch, {self.epochs}, not be "
                f"{', '.join(map(str, ends))}"
            )
        if self.least_rate is not None and self.schedule != "cosine":
            raise ValueError(f"least_rate needs schedule cosine, not {self.schedule}")
        if self.least_rate is not None and self.least_rate > self.learning_rate:
            raise ValueError(
                f"least_rate ({self.least_rate:g}) must not exceed learning_rate "
                f"({self.learning_rate:g})"
            )


RESUMABLE = frozenset(
    {
        "accelerator",
        "activation_checkpointing",
        "channels_last",
        "compile",
        "checkpoint_every_epochs",
        "evaluate_every_epochs",
        "log_every_steps",
        "keep_best",
        "tensorboard",
    }
)
"""Settings that may change when a run is resumed: they change no result, or only its rounding.

Not `fused_optimizer`, which is part of the optimizer's saved state, nor `tf32`, which rounds more.
"""


class SamplerSettings(Settings):
    """Training batches: P identities (or classes) with K samples each, or all samples shuffled.

    Attributes:
        kind: "identities": P x K, for few samples of many people; "shuffle": every sample once an
            epoch.
        batch_size: with shuffle, samples in a global batch; an epoch's last batch may be smaller.
        identities_per_batch: P; fewer if there are fewer people.
        samples_per_identity: K.
        steps_per_epoch: batches an epoch; by default enough to show every sample about once.
    """

    kind: Literal["identities", "shuffle"] = "identities"
    batch_size: int = Field(default=64, ge=2, le=100_000)
    identities_per_batch: int = Field(default=16, ge=2, le=100_000)
    samples_per_identity: int = Field(default=4, ge=2, le=10_000)
    steps_per_epoch: int | None = Field(default=None, ge=1, le=1_000_000)
