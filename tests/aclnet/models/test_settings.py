from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from aclnet.models import build_encoder
from aclnet.models.resgcn import ResGcnSettings
from aclnet.models.settings import EncoderSettings
from aclnet.models.temporal_conv import TemporalConvSettings
from aclnet.skeleton import load_layout


@pytest.mark.parametrize(
    "data",
    [
        {"name": "transformer"},
        {"name": "temporal_conv", "depth": "n39"},
        {"name": "temporal_conv", "kernel": 4},
        {"name": "temporal_conv", "dropout": 1.0},
        {"name": "affinity_gcn", "width": 5},
        {"name": "affinity_gcn", "width": 6, "subsets": 8},
        {"name": "affinity_gcn", "blocks": 4},  # the default blocks 5 and 8 are not there
        {"name": "affinity_gcn", "blocks": 4, "widen_at": [0], "stride_at": []},
        {"name": "resgcn", "depth": "n40"},
        {"name": "resgcn", "reduction": 3},
        {"name": "st_gcn", "width": 18},  # not a multiple of four
        {"name": "st_gcn", "blocks": 6},
        {"name": "st_gcn", "kernel": 8},
        {"name": "st_gcn", "partition": "bones"},
        {"name": "ctr_gcn", "blocks": 4, "widen_at": [], "stride_at": [5]},
        {"name": "ctr_gcn", "kernel": 4},
        {"name": "ctr_gcn", "dilations": []},
        {"name": "ctr_gcn", "dilations": [0]},
        {"name": "ctr_gcn", "width": 4, "dilations": [1, 2, 3]},
        {"name": "transg", "width": 20, "heads": 8},
        {"name": "transg", "norm": "group"},
        {"name": "transg", "positions": 0},
        {"name": "transg", "clip_scores": 0.0},
    ],
)
def test_settings_that_cannot_be_built_are_refused(data: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        EncoderSettings.model_validate(data)


def test_a_model_needs_a_channel() -> None:
    with pytest.raises(ValueError, match="at least one channel"):
        build_encoder(TemporalConvSettings(), load_layout("coco17"), 0)


def test_gaitgraph_graph_needs_the_coco_joints() -> None:
    with pytest.raises(ValueError, match=r"17 COCO joints.*set graph to 'bones'"):
        build_encoder(ResGcnSettings(), load_layout("coco18"), 3)


def test_branches_share_the_channels_evenly() -> None:
    with pytest.raises(ValueError, match=r"3 input branches.*got 10 channels"):
        build_encoder(ResGcnSettings(branches=3), load_layout("coco17"), 10)
