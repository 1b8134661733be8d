import pytest
import torch

from aclnet.models.temporal_conv import TemporalConvSettings
from aclnet.skeleton import load_layout


def test_who_does_what_to_whom_matters_only_where_persons_are_seen_together() -> None:
    layout = load_layout("sbu15")
    clips = torch.randn(3, 2, 16, 15, 3, generator=torch.Generator().manual_seed(0))
    for persons in (1, 2):
        settings = TemporalConvSettings(width=8, blocks=1, persons=persons)
        encoder = settings.build(layout, 3, torch.Generator().manual_seed(1)).eval()
        same = torch.allclose(encoder(clips).pooled, encoder(clips.flip(1)).pooled, atol=1e-5)
        assert same == (persons == 1)


def test_other_persons_than_the_encoder_sees_together_are_refused() -> None:
    encoder = TemporalConvSettings(width=8, blocks=1, persons=2).build(load_layout("sbu15"), 3)
    with pytest.raises(ValueError, match="sees 2 persons together"):
        encoder(torch.zeros(1, 1, 16, 15, 3))
