"""One optimizer step: augmentation, micro-batches, gradients, their norm, the update."""

from __future__ import annotations

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from aclnet.models.batch_norm import synchronise_batch_norm
from aclnet.seeding import derive_seed
from aclnet.training.batches import Batch, to_device
from aclnet.training.machine.launch import seed_torch
from aclnet.training.optimizers import build_optimizer
from aclnet.training.settings import TrainSettings
from aclnet.training.task import Trainable
from aclnet.training.watch import RunningMeans


class Stepper:
    """A task and its optimizer on the run's device and ranks.

    Args:
        task: moved to the device; wrapped where there are several ranks.
        settings: optimizer, micro-batches, clipping, seed.
        fabric: device, ranks, precision.

    Attributes:
        optimizer: torch's own, for its state and its learning rate.
    """

    def __init__(self, task: Trainable, settings: TrainSettings, fabric: Fabric) -> None:
        self._task, self._settings, self._fabric = task, settings, fabric
        if settings.sync_batch_norm and fabric.world_size > 1:  # one rank keeps its exact layers
            synchronise_batch_norm(task)
        self.optimizer = build_optimizer(task, settings)
        self._model, self._update = fabric.setup(task, self.optimizer)

    def apply(self) -> None:
        """Update the weights and clear the gradients."""
        self._update.step()
        self._update.zero_grad(set_to_none=True)

    def backward(self, batch: Batch, epoch: int, step: int) -> tuple[RunningMeans, Tensor, Tensor]:
        """Gradients of one batch, micro-batch by micro-batch.

        Micro-batches are cut in order and weighted by their clips, so for losses that are means
        over clips the update is that of the whole batch. Augmentation comes before the cut.

        Args:
            batch: this rank's share.
            epoch: 1-based.
            step: 0-based, within the epoch.

        Returns:
            The losses' means over the share, the total loss, and the norm of the gradients before
            clipping; the host does not wait for them.

        Raises:
            ValueError: several ranks, and fewer clips than micro-batches.
        """
        device, seed, rank = self._fabric.device, self._settings.seed, self._fabric.global_rank
        generator = torch.Generator(device)
        generator.manual_seed(derive_seed("augment", seed, epoch, step, rank))
        seed_torch(derive_seed("dropout", seed, epoch, step, rank), device)
        moved = to_device(batch, device)
        labels = moved.labels
        with torch.no_grad():
            clips = self._task.augmented(moved.clips, generator, moved.widths)
        parts = self._micro_batches(len(labels))
        pairs = zip(clips.tensor_split(parts), labels.tensor_split(parts), strict=True)
        means, total = RunningMeans(), torch.zeros((), device=device)
        for part, (some_clips, some_labels) in enumerate(pairs):
            with self._fabric.no_backward_sync(self._model, enabled=part < parts - 1):
                losses = self._model(some_clips, some_labels)
                loss = losses["loss"] * (len(some_labels) / len(labels))
                self._fabric.backward(loss)
            means.add(losses, weight=len(some_labels))
            total = total + loss.detach()
        return means, total, self._clip()

    def _micro_batches(self, count: int) -> int:
        """How many parts a share of `count` clips is cut into."""
        wanted = self._settings.accumulate_steps
        if count < wanted and self._fabric.world_size > 1:
            raise ValueError(
                f"a rank's share of {count} clips cannot be cut into {wanted} micro-batches: lower "
                "accumulate_steps, enlarge the batch or drop the last one"
            )
        return min(wanted, count)

    def _clip(self) -> Tensor:
        """Norm of all gradients together, before they are clipped."""
        limit = self._settings.gradient_clip
        if limit is None:
            gradients = [w.grad for w in self._task.parameters() if w.grad is not None]
            return nn.utils.get_total_norm(gradients)
        norm = self._fabric.clip_gradients(
            self._model, self.optimizer, max_norm=limit, error_if_nonfinite=False
        )
        return torch.as_tensor(norm)
