"""The affinity contrastive losses read plainly: one sample after the other, state in Python.

The oracle of the loss tests. It is written from the equations (paper) and from the description of
the released code, shares nothing with `aclnet`, and is slow on purpose.
"""

from __future__ import annotations

import math
from collections import deque
from fractions import Fraction

import torch
from torch import Tensor


def plain_unit(vector: Tensor) -> Tensor:
    length: Tensor = vector.norm()
    return vector / (length + 1e-12)


class PlainInterClass:
    """Eq. 3-9 with lists and dictionaries."""

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor,
        class_count: int,
        *,
        variant: str,
        start_epoch: int,
        momentum: float = 0.9,
        neighbours: int = 10,
        overlap: int = 4,
        centres: Tensor | None = None,
    ) -> None:
        self.weight, self.bias = weight, bias
        self.classes = range(class_count)
        self.variant = variant
        self.start_epoch = start_epoch
        self.momentum = momentum
        self.k = neighbours
        self.n_a = overlap
        self.centres = {} if centres is None else dict(enumerate(centres))
        self.h = [[0 for _ in self.classes] for _ in self.classes]
        self.nearest: dict[int, list[int]] = {}
        self.families: dict[int, list[int]] = {}
        self.built_epoch = 0

    def step(self, logits: Tensor, feature: Tensor, labels: Tensor, epoch: int) -> Tensor:
        rows = [self.weight @ x + self.bias for x in feature]
        if self.variant == "paper":
            rows = [plain_unit(row) for row in rows]
        truth = [int(label) for label in labels]
        guess = [int(row.argmax()) for row in logits]
        if epoch >= self.start_epoch:
            self.count(truth, guess)
        centres = self.move(rows, truth, guess)
        if epoch <= self.start_epoch:
            return feature.new_zeros(())
        if self.built_epoch != epoch:
            self.build()
            self.built_epoch = epoch
        total = feature.new_zeros(())
        for row, i in zip(rows, truth, strict=True):
            total = total + self.term(row, i, centres)
        return total / len(rows)

    def count(self, truth: list[int], guess: list[int]) -> None:
        for i, j in zip(truth, guess, strict=True):
            if i != j:
                self.h[i][j] += 1
        if self.variant == "released":
            for c in truth:  # one round for each sample of class c
                for i, j in zip(truth, guess, strict=True):
                    if i != j and j == c:
                        self.h[c][i] += 1

    def move(self, rows: list[Tensor], truth: list[int], guess: list[int]) -> dict[int, Tensor]:
        centres = dict(self.centres)
        for i in set(truth):
            if self.variant == "paper":
                of_class = [f.detach() for f, y in zip(rows, truth, strict=True) if y == i]
            else:
                of_class = [
                    f for f, y, p in zip(rows, truth, guess, strict=True) if y == i and p == i
                ]
            if not of_class:
                continue
            mean = sum(of_class[1:], of_class[0]) / len(of_class)
            old = self.centres.get(i, mean)
            centres[i] = self.momentum * old + (1 - self.momentum) * mean
        self.centres = {i: centre.detach() for i, centre in centres.items()}
        return centres

    def build(self) -> None:
        for i in self.classes:
            order = sorted(self.classes, key=lambda j: -self.h[i][j])  # stable: ties by index
            if self.variant == "paper":
                order = [j for j in order if j != i and self.h[i][j] > 0]
            self.nearest[i] = order[: self.k]
        for i in self.classes:
            self.families[i] = [j for j in self.classes if self.belongs(i, j)]

    def belongs(self, i: int, j: int) -> bool:
        if self.variant == "paper":
            return i != j and self.weight_of(i, j) > Fraction(self.n_a, self.k)
        common = set(self.nearest[i]) & set(self.nearest[j])
        return j in self.nearest[i] or (i != j and len(common) > self.n_a)

    def weight_of(self, i: int, j: int) -> Fraction:
        if not self.nearest[i]:
            return Fraction(0)
        pairwise = Fraction(int(j in self.nearest[i]), 2)
        common = sum(1 for p in self.nearest[i] if p in self.nearest[j])
        return pairwise + Fraction(common, len(self.nearest[i]))

    def temperature(self, i: int) -> float:
        size = len(self.families[i])
        if size <= self.k:
            return 0.1
        return 0.5 if size <= 2 * self.k else 1.0

    def term(self, row: Tensor, i: int, centres: dict[int, Tensor]) -> Tensor:
        tau = self.temperature(i)
        if self.variant == "paper":
            members = [centres[a] for a in self.families[i] if a in centres]
            own = centres[i]
        else:
            row = plain_unit(row)
            members = [plain_unit(centres[a]) for a in self.families[i]]
            own = plain_unit(centres[i])
        near = torch.exp(torch.dot(row, own) / tau)
        total = near
        for member in members:
            total = total + torch.exp(torch.dot(row, member) / tau)
        return -torch.log(near / total)


class PlainIntraClass:
    """Eq. 15 with a deque; `memory` candidates, the batch included (0: the batch alone)."""

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor,
        *,
        variant: str,
        memory: int,
        tau: float = 0.1,
        epsilon: float = 0.1,
    ) -> None:
        self.weight, self.bias = weight, bias
        self.variant = variant
        self.tau = tau
        self.epsilon = epsilon
        self.memory = memory
        self.bank: deque[tuple[Tensor, int]] = deque(maxlen=memory)

    def step(self, feature: Tensor, labels: Tensor) -> Tensor:
        rows = [plain_unit(self.weight @ x + self.bias) for x in feature]
        truth = [int(label) for label in labels]
        self.bank.extend((f.detach(), y) for f, y in zip(rows, truth, strict=True))
        past = list(self.bank)[: max(0, len(self.bank) - len(rows))]
        if self.variant == "released" and len(self.bank) < self.memory:
            return feature.new_zeros(())
        candidates = torch.stack(rows + [f for f, _ in past])
        candidate_labels = truth + [y for _, y in past]
        total = feature.new_zeros(())
        for anchor, (row, i) in enumerate(zip(rows, truth, strict=True)):
            positives = [u for u, y in enumerate(candidate_labels) if y == i and u != anchor]
            negatives = [v for v, y in enumerate(candidate_labels) if y != i]
            total = total + self.term(candidates @ row, positives, negatives)
        return total / len(rows)

    def term(self, s: Tensor, positives: list[int], negatives: list[int]) -> Tensor:
        result = s.new_zeros(())
        if not positives:
            return result
        if self.variant == "paper":
            away = torch.exp(s[negatives] / self.tau).sum()
            for u in positives:
                near = torch.exp(s[u] / self.tau)
                eased = torch.exp((s[u] - self.epsilon) / self.tau)
                result = result - torch.log(near / (eased + away))
            return result
        z = s / self.tau - (s / self.tau).max().detach()
        away = torch.exp(z[negatives]).sum()
        for u in positives:
            eased = math.exp(-self.epsilon) * torch.exp(z[u])
            result = result - (z[u] - torch.log(eased + away + 1e-6))
        return result / len(positives)
