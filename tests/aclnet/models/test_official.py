from __future__ import annotations

import pytest
import torch

from aclnet.models.official import import_official


def test_parts_are_joined_in_the_order_of_the_branches() -> None:
    order = [5, 0, 3, 1, 4, 2]  # the checkpoint's order must not matter
    state = {
        f"backbone.gcn.2.tcn.branches.{i}.0.bias": torch.full((2,), float(i)) for i in order[1:]
    }
    state["backbone.gcn.2.tcn.branches.5.bias"] = torch.full((2,), 5.0)
    imported = import_official(state)
    assert list(imported) == ["encoder.blocks.2.temporal.squeeze.bias"]
    expected = [0.0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert imported["encoder.blocks.2.temporal.squeeze.bias"].tolist() == expected


def test_entries_without_effect_are_left_out() -> None:
    imported = import_official(
        {
            "backbone.gcn.0.gcn.A": torch.zeros(8, 20, 20),
            "backbone.gcn.0.gcn.alpha": torch.arange(8.0) + 1,
            "backbone.gcn.0.tcn.add_coeff": torch.arange(25.0),
            "cls_head.inter_loss.cl_fc.weight": torch.zeros(256, 400),
            "cls_head.intra_loss.cl_fc.bias": torch.zeros(256),
        }
    )
    assert imported.keys() == {
        "encoder.blocks.0.graph.topology",
        "encoder.blocks.0.graph.channel_scale",
        "encoder.blocks.0.temporal.global_scale",
    }
    assert imported["encoder.blocks.0.graph.channel_scale"].item() == 1
    assert imported["encoder.blocks.0.temporal.global_scale"].tolist() == list(range(20))


def test_batch_counters_stay_counters() -> None:
    state = {
        f"backbone.gcn.0.gcn.{module}.1.num_batches_tracked": torch.tensor(7)
        for module in ("pre", "down")
    }
    imported = import_official(state)
    assert imported["encoder.blocks.0.graph.enter_norm.num_batches_tracked"].item() == 7


@pytest.mark.parametrize(
    "key",
    [
        "module.backbone.data_bn.weight",
        "backbone.gcn.0.gcn.unknown.weight",
        "backbone.gcn.x.gcn.A",
        "backbone.gcn.0",
        "fc.weight",
    ],
)
def test_unknown_names_are_refused(key: str) -> None:
    with pytest.raises(ValueError, match=f"{key!r} is not a name in a released"):
        import_official({key: torch.zeros(1)})
