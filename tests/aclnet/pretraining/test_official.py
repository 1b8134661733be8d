from __future__ import annotations

import pytest
import torch

from aclnet.pretraining.official import import_official


def test_names_of_a_whole_checkpoint() -> None:
    state = {
        "module.encoder_q.A": torch.zeros(3, 25, 25),
        "module.encoder_q.data_bn.weight": torch.ones(75),
        "module.encoder_k.data_bn.weight": torch.full((75,), 2.0),
        "module.encoder_q.st_gcn_networks.4.residual.1.bias": torch.ones(32),
        "module.encoder_q.fc.weight": torch.ones(60, 256, 1, 1),
        "module.queue": torch.zeros(128, 8),
    }
    assert {name: tuple(tensor.shape) for name, tensor in import_official(state).items()} == {
        "encoder.input_norm.weight": (75,),
        "encoder.blocks.4.short_cut.1.bias": (32,),
        "classifier.weight": (60, 256),
    }
    slow = import_official(state, "encoder_k")
    assert slow["encoder.input_norm.weight"][0] == 2


@pytest.mark.parametrize("name", ["st_gcn_networks.0.unknown.weight", "head.weight", "conv1.bias"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name!r} is not a name in a released ActCLR"):
        import_official({name: torch.zeros(1)})


def test_a_part_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no tensor whose name begins with 'encoder_k\."):
        import_official({"encoder_q.data_bn.weight": torch.ones(75)}, "encoder_k")
