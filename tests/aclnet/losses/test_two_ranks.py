from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

SCRIPT = Path(__file__).with_name("objective_ranks.py")


def loaded(path: Path) -> Any:
    """A rank's program, as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


@pytest.mark.ddp
@pytest.mark.slow
@pytest.mark.parametrize(
    "cases",
    [("paper", "released", "fr_head", "skeleton_gcl"), ("ArcFaceLoss", "TripletMarginLoss")],
)
def test_two_ranks_train_as_one(two_ranks: Callable[..., Path], cases: tuple[str, ...]) -> None:
    """Weights, buffers and losses after even, uneven and over-long batches are those of one rank.

    The weights are equal only if every averaged gradient was. Buffers are not broadcast.
    """
    if "paper" not in cases:
        pytest.importorskip("pytorch_metric_learning")
    out = two_ranks(SCRIPT, *cases)
    script = loaded(SCRIPT)
    runs = [torch.load(out / f"rank{rank}.pt", weights_only=True) for rank in range(2)]
    for case in cases:
        first, second = (run[case] for run in runs)
        alone = script.train(case, 0, 1)
        for found in (first, second):
            torch.testing.assert_close(found["state"], alone["state"], rtol=1e-9, atol=1e-12)
            assert found["inter"] == pytest.approx(alone["inter"], rel=1e-9)
        torch.testing.assert_close(first["state"], second["state"], rtol=0, atol=0)
        means = [(a + b) / 2 for a, b in zip(first["losses"], second["losses"], strict=True)]
        assert means == pytest.approx(alone["losses"], rel=1e-9)
        assert alone["state"]["objective.terms.inter.families.members"].any()
        assert sum(value > 0 for value in alone["inter"]) == 6


@pytest.mark.ddp
def test_two_ranks_have_the_gradients_of_transg_of_one(two_ranks: Callable[..., Path]) -> None:
    path = Path(__file__).with_name("transg_ranks.py")
    out = two_ranks(path)
    alone = loaded(path).gradients(0, 1)
    first, second = (torch.load(out / f"rank{rank}.pt", weights_only=True) for rank in range(2))
    assert all(value.any() for value in alone.values())
    for found in (first, second):
        shared = {**found, "loss": (first["loss"] + second["loss"]) / 2}
        torch.testing.assert_close(shared, alone, rtol=1e-9, atol=1e-12)
