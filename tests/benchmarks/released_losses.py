"""The affinity contrastive terms, computed in the steps in which the authors' code computes them.

The other side of `bench_losses.py`, written from a description of that code. What makes it slow is
kept: mistakes are counted in a loop over all pairs of a batch, whose entries stay tensors; each
sample's family is gathered and contrasted by itself; the memory is a list, stacked in each step and
multiplied whole with itself; families are sets, compared class by class.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

NEIGHBOURS, OVERLAP = 10, 4


class ReleasedInter:
    """Counts (C, C), centres (C, 256) and families, and the projection of a feature."""

    def __init__(self, weight: Tensor, bias: Tensor, centres: Tensor, counts: Tensor) -> None:
        self.weight, self.bias = weight, bias
        self.centres, self.counts = centres.clone(), counts.clone()
        self.families: dict[int, list[int]] = {}

    def step(self, logits: Tensor, feature: Tensor, labels: Tensor) -> Tensor:
        """Count, move the centres, and return the loss; the families must be known."""
        rows = functional.linear(feature, self.weight, self.bias)
        predicted = logits.argmax(dim=1)
        self.count(labels, predicted)
        centres = self.moved(rows, labels, predicted)
        self.centres = centres.detach()
        rows, centres = functional.normalize(rows), functional.normalize(centres)
        losses = []
        for row, label in zip(rows, labels.tolist(), strict=True):
            family = self.families[label]
            temperature = 0.1 if len(family) <= NEIGHBOURS else 0.5
            temperature = 1.0 if len(family) > 2 * NEIGHBOURS else temperature
            compared = centres[[label, *family]] @ row / temperature
            losses.append(compared.logsumexp(dim=0) - compared[0])
        return torch.stack(losses).mean()

    def count(self, labels: Tensor, predicted: Tensor) -> None:
        for label, guess in zip(labels, predicted, strict=True):
            if label != guess:
                self.counts[label, guess] += 1
        for label in labels:
            for other, guess in zip(labels, predicted, strict=True):
                if guess == label and other != label:
                    self.counts[label, other] += 1

    def moved(self, rows: Tensor, labels: Tensor, predicted: Tensor) -> Tensor:
        right = functional.one_hot(labels, len(self.centres)).to(rows.dtype)
        right = right * (labels == predicted)[:, None]
        number = right.sum(dim=0)[:, None]
        means = right.t() @ rows / number.clamp(min=1)
        return torch.where(number > 0, 0.9 * self.centres + 0.1 * means, self.centres)

    def nearest(self, label: int) -> list[int]:
        """The ten classes that a class is confused with most."""
        row = self.counts[label].tolist()
        return sorted(range(len(row)), key=row.__getitem__, reverse=True)[:NEIGHBOURS]

    @staticmethod
    def family(label: int, nearest: list[list[int]]) -> list[int]:
        """Neighbours of a class, and those that share more than four with it."""
        own, members = set(nearest[label]), set(nearest[label])
        for other, theirs in enumerate(nearest):
            if other != label and len(own & set(theirs)) > OVERLAP:
                members.add(other)
        return sorted(members)


class ReleasedIntra:
    """The memory of features and labels, and the projection of a feature."""

    def __init__(self, weight: Tensor, bias: Tensor, size: int) -> None:
        self.weight, self.bias, self.size = weight, bias, size
        self.features: list[Tensor] = []
        self.labels: list[Tensor] = []

    def step(self, feature: Tensor, labels: Tensor) -> Tensor:
        """Remember a batch, and return the loss of a full memory."""
        rows = functional.normalize(functional.linear(feature, self.weight, self.bias))
        self.features += list(rows.detach())
        self.labels += list(labels)
        surplus = max(0, len(self.features) - self.size)
        self.features, self.labels = self.features[surplus:], self.labels[surplus:]
        if len(self.features) < self.size:
            return feature.new_zeros(())
        number = len(rows)
        candidates = torch.cat([torch.stack(self.features[:-number]), rows])
        candidate_labels = torch.stack(self.labels)
        similarity = candidates @ candidates.t() / 0.1
        similarity = similarity - similarity.max(dim=1, keepdim=True).values.detach()
        same = (candidate_labels[:, None] == candidate_labels).to(rows.dtype)
        positive = same - torch.eye(self.size, device=rows.device)
        power = similarity.exp()
        away = (power * (1 - same)).sum(dim=1, keepdim=True)
        log_probability = similarity - (math.exp(-0.1) * power + away + 1e-6).log()
        mean = (positive * log_probability).sum(dim=1) / positive.sum(dim=1).clamp(min=1)
        return -mean[-number:].mean()
