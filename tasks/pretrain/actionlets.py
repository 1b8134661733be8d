"""The actionlets of a few test clips, saved beside a run of ActCLR for the report's figure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from aclnet.clips.input import ClipInput, to_device
from aclnet.clips.joints import present
from aclnet.clips.settings import Rows
from aclnet.data.store import Store
from aclnet.pretraining.actclr import ActionletContrast
from aclnet.pretraining.actionlet import locate, static_anchor
from aclnet.pretraining.body import body_of
from aclnet.runs.averages import scoring_frames
from aclnet.runs.settings import ScoringSettings
from protocols.files import write_arrays

CLIPS = 4


@torch.no_grad()
def save_actionlets(
    path: Path,
    objective: ActionletContrast,
    clip_input: ClipInput,
    trained: Store,
    tested: Store,
    batch: int,
) -> None:
    """Write where a trained embedder finds the actionlets of a test clip of each of a few classes.

    As in training, but without any change of the clips and with the statistics of the whole
    training in the batch normalisations; the anchor is the mean of a batch of training clips. Of
    several people the one seen most is shown.

    Args:
        path: `.npz` with `joints` (N, T, V, dims), NaN where not seen; `mask` (N, T', V) in 0..1;
            `bones` (B, 2) joint numbers; `sample` and `label` (N,); `y_down` ().
        objective: trained.
        clip_input: prepares clips.
        trained: training samples.
        tested: test samples, at least one.
        batch: training clips behind the anchor, at most; sharpness is relative to their number.
    """
    device = next(objective.parameters()).device
    objective.eval()
    rows = _one_a_class(tested)
    few = np.linspace(0, len(trained) - 1, min(batch, len(trained))).astype(np.int64)
    test = ScoringSettings(clips=1)

    def stored(store: Store, chosen: Rows) -> torch.Tensor:
        frames = scoring_frames(store.lengths[chosen], clip_input.settings, test)[:, 0]
        return to_device(clip_input.stored(store, chosen, frames), device)

    known = clip_input.prepare(stored(trained, few))
    anchor = static_anchor(objective.slow.network, known, (len(known),))
    clips, dims = stored(tested, rows), clip_input.dims
    embedded = objective.online(clip_input.prepare(clips))
    mask = locate(
        embedded,
        objective.online.projector,
        anchor,
        body_of(clip_input.layout, dims, device).parts,
        sharpness=objective.settings.sharpness,
        batch=batch,
    )
    seen = present(clips, dims)
    person = seen.flatten(2).sum(dim=2).argmax(dim=1)
    each = torch.arange(len(rows), device=device)
    joints = clip_input.normalised(clips)[each, person, ..., :dims]
    joints = torch.where(seen[each, person].unsqueeze(-1), joints, torch.nan)
    index = tested.index
    arrays = {
        "joints": joints.float().cpu().numpy(),
        "mask": mask[each, person].float().cpu().numpy(),
        "bones": np.asarray(clip_input.layout.bone_index, dtype=np.int64),
        "sample": index["sample"].to_numpy()[rows].astype(np.str_),
        "label": index["label"].to_numpy()[rows].astype(np.str_),
        "y_down": np.array(tested.info.unit == "pixel"),
    }
    write_arrays(path, "Actionlets", arrays)


def _one_a_class(store: Store) -> Rows:
    """The first sample of each of a few classes, evenly spread over all of them."""
    _, first = np.unique(store.index["label"].to_numpy().astype(np.str_), return_index=True)
    chosen = np.linspace(0, len(first) - 1, min(CLIPS, len(first))).astype(np.int64)
    return np.asarray(first[chosen], dtype=np.int64)
