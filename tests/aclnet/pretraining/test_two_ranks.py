from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

SCRIPT = Path(__file__).with_name("view_ranks.py")


@pytest.mark.ddp
@pytest.mark.slow
def test_two_ranks_train_as_one(two_ranks: Callable[..., Path]) -> None:
    """Weights, keys and losses, where no layer normalises over the batch."""
    cases = ("aimclr", "actclr", "masked")
    out = two_ranks(SCRIPT, *cases)
    spec = importlib.util.spec_from_file_location("view_ranks", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    runs = [torch.load(out / f"rank{rank}.pt", weights_only=True) for rank in range(2)]
    for case in cases:
        first, second = (run[case] for run in runs)
        alone = script.train(case, 0, 1)
        for found in (first, second):
            torch.testing.assert_close(found["state"], alone["state"], rtol=1e-9, atol=1e-12)
        torch.testing.assert_close(first["state"], second["state"], rtol=0, atol=0)
        means = (first["losses"] + second["losses"]) / 2
        torch.testing.assert_close(means, alone["losses"], rtol=1e-6, atol=1e-9)
