"""A training step of every case of `test_models.py`, for `test_threads.py`: OUT THREADS."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import Tensor, nn


def train(case: str) -> tuple[Tensor, Tensor]:
    """All parameters and statistics after a step, and its gradients, each side by side."""
    from test_models import make_clips, make_encoder  # beside this program, not in a package

    torch.manual_seed(0)
    encoder = make_encoder(case).train()
    head = nn.Linear(encoder.feature_dim, 5)
    optimizer = torch.optim.SGD([*encoder.parameters(), *head.parameters()], 0.01)
    clips = make_clips(encoder, N=8, T=16)
    labels = torch.arange(len(clips)) % 5
    nn.functional.cross_entropy(head(encoder(clips).pooled), labels).backward()
    optimizer.step()
    gradients = [each.grad for each in encoder.parameters() if each.grad is not None]
    state = [value.detach() for value in encoder.state_dict().values()]
    both = (torch.cat([value.float().flatten() for value in side]) for side in (state, gradients))
    return next(both), next(both)


if __name__ == "__main__":
    from test_models import CASES

    torch.set_num_threads(int(sys.argv[2]))
    torch.save({case: train(case) for case in CASES}, Path(sys.argv[1]))
