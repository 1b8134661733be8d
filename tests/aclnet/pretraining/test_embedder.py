from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from aclnet.models.temporal_conv import TemporalConvSettings
from aclnet.pretraining.embedder import Embedder, Projector
from aclnet.skeleton import load_layout


@pytest.mark.parametrize("mode", ["eval", "train"])
def test_golden_encoder(
    mode: str,
    tensors: Callable[[str], dict[str, Tensor]],
    embedder: Callable[[], Embedder],
) -> None:
    data, model = tensors("encoder"), embedder().train(mode == "train")
    means: list[Tensor] = []
    for block in model.encoder.blocks:
        block.register_forward_hook(lambda _, given, out: means.append(out.mean(dim=(0, 2)).t()))
    with torch.no_grad():
        found = model(data["x"].permute(0, 4, 2, 3, 1))
    close = {"rtol": 0, "atol": 1e-9}
    torch.testing.assert_close(found.raw, data[f"{mode}/embedding"], **close)
    torch.testing.assert_close(found.map.flatten(0, 1), data[f"{mode}/featmap"], rtol=0, atol=1e-6)
    for index, mean in enumerate(means):
        torch.testing.assert_close(mean, data[f"{mode}/block{index}_gap"], **close)
    state = model.state_dict()
    names = {"data_bn": "input_norm", "st_gcn_networks.9.tcn.0": "blocks.9.graph_norm"}
    names["st_gcn_networks.9.tcn.3"] = "blocks.9.temporal_norm"
    for key, expected in data.items():
        if mode == "train" and (match := re.match(r"train/after/(.*)\.(.*?)$", key)):
            name = f"encoder.{names[match[1]]}.{match[2]}"
            torch.testing.assert_close(state[name], expected, **close)


def test_an_encoder_without_map_is_refused() -> None:
    encoder = TemporalConvSettings(width=8).build(load_layout("coco17"), 3, None)
    with pytest.raises(ValueError, match="TemporalConv has no features of single joints"):
        Embedder(encoder, Projector(encoder.feature_dim, 4))
