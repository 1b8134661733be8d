"""The walkers as the files of a pose estimator, to try what reads them."""

from __future__ import annotations

import json
from pathlib import Path

from aclnet.data.sample import Sample
from aclnet.data.walkers.dataset import make_walkers
from aclnet.data.walkers.settings import WalkerSettings
from aclnet.files import whole_file
from aclnet.progress import Progress, with_progress
from aclnet.skeleton import load_layout


def write_walker_files(
    folder: str | Path, settings: WalkerSettings, progress: Progress | None = None
) -> int:
    """Write the walkers as MMPose's JSON, `PERSON/CONDITION-TAKE-VIEW.json`.

    Args:
        folder: the folder to make.
        settings: those of the walkers.
        progress: called with the number of recordings made and their total.

    Returns:
        The number of files.

    Raises:
        ValueError: the folder already exists.
    """
    root = Path(folder)
    if root.exists():
        raise ValueError(f"{root} already exists; remove it, or name another folder")
    _, samples = make_walkers(settings)
    for sample in with_progress(samples, settings.recordings, progress):
        place = root / sample.identity / f"{sample.condition}-{sample.take}-{sample.view}.json"
        place.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(place) as draft:
            draft.write_text(json.dumps(_mmpose(sample)), encoding="utf-8")
    return settings.recordings


def _mmpose(sample: Sample) -> dict[str, object]:
    """A recording (T, 1, V, 3) of x, y and confidence as MMPose's inferencer saves it."""
    names = enumerate(load_layout("coco17").joints)
    frames = [
        {
            "frame_id": number,
            "instances": [
                {
                    "keypoints": [[round(float(v), 2) for v in joint[:2]] for joint in person],
                    "keypoint_scores": [round(float(joint[2]), 3) for joint in person],
                }
                for person in people
            ],
        }
        for number, people in enumerate(sample.frames, 1)
    ]
    meta = {"keypoint_id2name": {str(number): name for number, name in names}}
    return {"meta_info": meta, "instance_info": frames}
