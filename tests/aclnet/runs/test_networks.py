"""What an objective asks of a network, and what it is given."""

from __future__ import annotations

import pytest
import torch

from aclnet.losses.objective import Objective
from aclnet.losses.settings import ObjectiveSettings
from aclnet.models import SkeletonNetwork
from aclnet.models.settings import EncoderSettings
from aclnet.runs.networks import build_objective, weight_generator
from aclnet.skeleton import load_layout
from aclnet.training.task import TrainingTask

SMALL = {"width": 16, "blocks": 3, "widen_at": (2,), "stride_at": (3,)}


def make(encoder: dict[str, object], **objective: object) -> tuple[SkeletonNetwork, Objective]:
    settings = EncoderSettings.model_validate(encoder)
    network = SkeletonNetwork(settings.build(load_layout("msr20"), 3, None), 4)
    chosen = ObjectiveSettings.model_validate(
        {"inter_weight": 0, "intra_weight": 0, "queue_size": 0, **objective}
    )
    return network, build_objective(chosen, settings, network, 9, weight_generator(0))


@pytest.mark.parametrize(
    ("encoder", "term"),
    [
        ("ctr_gcn", "fr_head"),
        ("st_gcn", "fr_head"),
        ("affinity_gcn", "fr_head"),
        ("ctr_gcn", "skeleton_gcl"),
        ("affinity_gcn", "skeleton_gcl"),
    ],
)
def test_the_rivals_train_what_they_contrast(encoder: str, term: str) -> None:
    """All that their networks learn, and every layer of their own, has a gradient."""
    network, objective = make({"name": encoder, **SMALL}, terms=[{"name": term}])
    assert objective.settings.name == f"ce+{term}"
    task = TrainingTask(network, objective)
    labels = torch.arange(6) % 4
    for _ in range(2):  # the bank is empty in the first step
        losses = task(torch.randn(6, 2, 9, 20, 3), labels)
    losses["loss"].backward()
    assert losses[term] > 0
    own = dict(objective.named_parameters())
    assert own
    assert [name for name, weight in own.items() if weight.grad is None] == []


def test_only_an_objective_that_contrasts_them_makes_an_encoder_keep_more() -> None:
    network, _ = make({"name": "ctr_gcn", **SMALL})
    output = network(torch.randn(2, 1, 9, 20, 3))
    assert (output.graph, output.stages) == (None, ())
    network, objective = make({"name": "ctr_gcn", **SMALL}, feature="graph", intra_weight=0.1)
    output = network(torch.randn(2, 1, 9, 20, 3))
    assert output.graph is not None
    assert output.graph.shape == (2, objective.feature_dim) == (2, 3 * 20 * 20)
    assert output.stages == ()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"terms": [{"name": "fr_head"}]}, "fr_head needs an encoder of blocks over joints"),
        ({"terms": [{"name": "skeleton_gcl"}]}, "skeleton_gcl needs an encoder that learns a j"),
        ({"feature": "graph"}, "temporal_conv does not: choose affinity_gcn or ctr_gcn"),
    ],
)
def test_an_encoder_without_what_is_contrasted_is_refused(
    change: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        make({"name": "temporal_conv", "width": 8}, **change)
