"""SkeletonGCL against a plain reading: one anchor after the other, memories in Python lists."""

from __future__ import annotations

import copy
from collections import deque

import torch
from torch import Tensor

from aclnet.losses.settings import SkeletonGclSettings
from aclnet.losses.skeleton_gcl import SkeletonGcl

K, G = 4, 7


class Plain:
    """The two contrasts read plainly; random negatives are those of the term's own order."""

    def __init__(self, term: SkeletonGcl) -> None:
        self.term, self.settings = term, term.settings
        self.slots: list[tuple[Tensor, int] | None] = [None] * term.bank.size
        self.next = deque(range(term.bank.size))
        self.means: dict[int, Tensor] = {}

    def step(self, graph: Tensor, labels: Tensor) -> Tensor:
        rows = [self.term.cl_fc.weight @ one + self.term.cl_fc.bias for one in graph]
        units = [row / (row.norm() + 1e-12) for row in rows]
        truth, written = labels.tolist(), set()
        for unit, label in zip(units, truth, strict=True):
            self.slots[self.next[0]] = (unit.detach(), label)
            written.add(self.next[0])
            self.next.rotate(-1)
        for k in set(truth):
            own = torch.stack([u.detach() for u, y in zip(units, truth, strict=True) if y == k])
            old = self.means.get(k, own.mean(dim=0))
            self.means[k] = 0.85 * old + 0.15 * own.mean(dim=0)
        pairs: list[Tensor] = []
        classes = torch.zeros((), dtype=torch.float64)
        for unit, label in zip(units, truth, strict=True):
            pairs += self.pairs(unit, label, written)
            scores = {k: unit @ mean / mean.norm() / 0.8 for k, mean in self.means.items()}
            total = sum(score.exp() for score in scores.values())
            classes = classes - torch.log(scores[label].exp() / total) / len(units)
        return classes + (sum(pairs) / len(pairs) if pairs else 0)

    def pairs(self, unit: Tensor, label: int, written: set[int]) -> list[Tensor]:
        order = self.term._order(len(self.slots), torch.device("cpu")).tolist()
        known = [(s, *slot) for s in order if s not in written and (slot := self.slots[s])]
        own = unit.detach()
        positives = sorted(float(own @ f) for _, f, y in known if y == label)
        worst = positives[: self.settings.positives][-1:] or [-2.0]
        near = [unit @ f for _, f, y in known if y == label and float(own @ f) <= worst[0]]
        others = [unit @ f for _, f, y in known if y != label]
        drawn = others[: self.settings.negatives]
        hard = sorted(others, key=Tensor.item, reverse=True)[: self.settings.negatives]
        return [
            -torch.log(
                (s / 0.8).exp()
                / ((s / 0.8).exp() + sum(((a / 0.8).exp() for a in against), torch.zeros(())))
            )
            for s in near
            for against in (hard, drawn)
        ]


def make_term(**changes: int) -> SkeletonGcl:
    sizes = {"projection_dim": 5, "bank_size": 20, "positives": 2, "negatives": 4} | changes
    settings = SkeletonGclSettings.model_validate({"name": "skeleton_gcl", **sizes})
    return SkeletonGcl(settings, K, G, torch.Generator().manual_seed(0)).double()


def batch(seed: int, rows: int = 9) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    graph = torch.randn(rows, G, generator=generator, dtype=torch.float64)
    return graph.requires_grad_(), torch.randint(0, K, (rows,), generator=generator)


def test_value_and_gradients_are_those_of_the_plain_reading() -> None:
    """From the empty bank to one that is written over, with fewer candidates than wanted first."""
    term = make_term()
    plain = Plain(term)
    for seed in (1, 2, 3, 4):
        graph, labels = batch(seed)
        loss = term(graph=graph, labels=labels)
        expected = plain.step(graph, labels)
        torch.testing.assert_close(loss, expected)
        wanted = [graph, *term.parameters()]
        gradients = [torch.autograd.grad(one, wanted) for one in (loss, expected)]
        torch.testing.assert_close(*gradients, rtol=1e-6, atol=1e-9)
        assert gradients[0][0].any(dim=1).all()


def test_other_negatives_are_drawn_in_each_step_and_the_same_after_a_checkpoint() -> None:
    term = make_term()
    term(*batch(1))
    saved, order = copy.deepcopy(term.state_dict()), term._order(20, torch.device("cpu"))
    term(*batch(2))
    assert not torch.equal(order, term._order(20, torch.device("cpu")))
    term.load_state_dict(saved)
    assert torch.equal(order, term._order(20, torch.device("cpu")))


def test_evaluation_writes_nothing() -> None:
    term = make_term()
    term(*batch(1))
    before = copy.deepcopy(term.eval().state_dict())
    assert term(*batch(2)) > 0
    torch.testing.assert_close(term.state_dict(), before, rtol=0, atol=0)


def test_a_class_that_was_never_seen_counts_as_zero_in_evaluation() -> None:
    loss = make_term().eval()(*batch(1))
    assert loss == 0


def test_half_precision_is_lifted_at_the_door() -> None:
    """Under autocast the same number as float32 input of the same values."""
    term = make_term().float()
    twin = copy.deepcopy(term)
    for seed in (1, 2):
        graph, labels = batch(seed)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = term(graph=graph.bfloat16(), labels=labels)
        expected = twin(graph=graph.bfloat16().float(), labels=labels)
        assert loss.dtype == torch.float32
        torch.testing.assert_close(loss, expected, rtol=0, atol=0)


def test_the_bank_has_684_graphs_a_class_but_no_more_than_there_are_clips() -> None:
    settings = SkeletonGclSettings()
    assert settings.bank_of(60) == 41_040
    assert settings.for_data(60, 40_091).bank_size == 40_091
    assert settings.for_data(4, 40_091).bank_size == 2_736
    assert SkeletonGclSettings(bank_size=9).for_data(4, 5).bank_size == 9
