"""All ranks share the work of a network, and nobody can tell from its output."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
import torch


@pytest.mark.ddp
def test_two_ranks_share_the_work(two_ranks: Callable[..., Path]) -> None:
    out = two_ranks(Path(__file__).with_name("turns_ranks.py"))
    first, second = (torch.load(out / f"rank{rank}.pt", weights_only=True) for rank in range(2))
    for name in "esab":  # of rank 0 alone, then of both
        for shared in (first, second):
            torch.testing.assert_close(shared[name.upper()], first[name], rtol=0, atol=0)
    # A signal at one rank stops both, so that none waits for the other's share.
    assert (int(first["signal"]), int(second["signal"])) == (signal.SIGTERM, signal.SIGHUP)
    failure = f"on rank 1 ({socket.gethostname()}): the disk of this machine is full"
    assert {failure, "they differ"} <= first.keys() & second.keys()
