from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from aclnet.models import SkeletonNetwork
from aclnet.models.encoder import EncoderOutput


class FirstFrame(nn.Module):
    """A toy encoder: the first person's first frame is the feature."""

    feature_dim = 6
    graph_dim = 2

    def forward(self, clips: Tensor) -> EncoderOutput:
        first = clips[:, 0, 0].flatten(1)
        return EncoderOutput(first, first[:, :2])


@pytest.fixture
def clips() -> Tensor:
    return torch.randn(32, 1, 2, 3, 2, generator=torch.Generator().manual_seed(0)) * 3 + 5


def test_without_neck_the_embedding_is_the_pooled_feature(clips: Tensor) -> None:
    network = SkeletonNetwork(FirstFrame(), 4)
    output = network(clips)
    assert torch.equal(output.embedding, output.pooled)
    assert torch.equal(output.pooled, clips[:, 0, 0].flatten(1))
    assert torch.equal(output.graph, output.pooled[:, :2])
    expected = output.pooled @ network.classifier.weight.T + network.classifier.bias
    torch.testing.assert_close(output.logits, expected)


def test_neck_standardises_the_embedding_and_not_the_pooled_feature(clips: Tensor) -> None:
    network = SkeletonNetwork(FirstFrame(), 4, neck="bn").train()
    output = network(clips)
    assert torch.equal(output.pooled, clips[:, 0, 0].flatten(1))
    torch.testing.assert_close(output.embedding.mean(0), torch.zeros(6), atol=1e-5, rtol=0)
    torch.testing.assert_close(
        output.embedding.std(0, unbiased=False), torch.ones(6), atol=1e-4, rtol=0
    )
    torch.testing.assert_close(output.logits, output.embedding @ network.classifier.weight.T)


def test_neck_has_no_shift_before_or_after_training(clips: Tensor) -> None:
    network = SkeletonNetwork(FirstFrame(), 4, neck="bn")
    optimiser = torch.optim.AdamW(network.parameters(), lr=0.1)
    before = network.neck.get_parameter("weight").detach().clone()
    for _ in range(3):
        network(clips).logits.square().sum().backward()
        optimiser.step()
    assert network.classifier.bias is None
    assert isinstance(network.neck, nn.BatchNorm1d)
    assert network.neck.bias.tolist() == [0.0] * 6
    assert not torch.equal(network.neck.weight, before)


def test_dropout_acts_on_the_classifier_alone(clips: Tensor) -> None:
    network = SkeletonNetwork(FirstFrame(), 4, dropout=0.5).train()
    torch.manual_seed(0)
    first, second = network(clips), network(clips)
    assert not torch.equal(first.logits, second.logits)
    assert torch.equal(first.embedding, second.embedding)
    network.eval()
    assert torch.equal(network(clips).logits, network(clips).logits)


def test_classifier_starts_small_and_follows_the_generator() -> None:
    first, second = (
        SkeletonNetwork(FirstFrame(), 500, generator=torch.Generator().manual_seed(3)).classifier
        for _ in range(2)
    )
    assert torch.equal(first.weight, second.weight)
    assert first.weight.std().item() == pytest.approx(0.01, rel=0.05)
    assert not first.bias.any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"class_count": 0}, "class_count"),
        ({"class_count": 3, "dropout": 1.0}, "dropout"),
        ({"class_count": 3, "neck": "linear"}, "'none' or 'bn', got 'linear'"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SkeletonNetwork(FirstFrame(), **arguments)
