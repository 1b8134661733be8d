"""Streams of a skeleton, a network's input: joints, bones, their motions, bone lengths.

The field's six streams (j, b, k, jm, bm, km) are defined as in PYSKL and the ACLNet release: a bone
is a joint minus its parent, a k-bone a joint minus its grandparent, a motion the next frame minus
this one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from aclnet.clips.transforms import present
from aclnet.skeleton import Layout

Confidence = Literal["mean", "released"]
"""How a confidence channel is combined: see `make_stream`."""

STREAMS: dict[str, str] = {
    "j": "joint",
    "b": "bone",
    "k": "k-bone: joint minus grandparent",
    "jm": "joint motion",
    "bm": "bone motion",
    "km": "k-bone motion",
    "l": "bone length, one channel; zero at the root and where an end of the bone is missing",
}


def grandparents(layout: Layout) -> Tensor:
    """The joint two steps towards the root.

    The root and its neighbours have none and point at themselves, so their k-bone is 0.

    Returns:
        (V,) int64.
    """
    parent = torch.tensor(layout.parents)
    grand = parent[parent]
    near_root = parent == layout.centre_index
    return torch.where(near_root, torch.arange(len(parent)), grand)


def _difference(clips: Tensor, others: Tensor, dims: int, averaged: bool) -> Tensor:
    """The difference; of a confidence channel the mean, if `averaged`."""
    if not averaged:
        return clips - others
    delta = clips[..., :dims] - others[..., :dims]
    if clips.shape[-1] == dims:
        return delta
    return torch.cat([delta, (clips[..., dims:] + others[..., dims:]) / 2], dim=-1)


def make_stream(
    clips: Tensor,
    layout: Layout,
    stream: str,
    dims: int,
    *,
    confidence: Confidence = "mean",
    following: Tensor | None = None,
) -> Tensor:
    """One stream of a batch of clips.

    Args:
        clips: (N, M, T, V, C) joints; the first `dims` channels are coordinates, a further one is
            the detector's confidence.
        layout: the joints' layout; bones run towards its centre joint.
        stream: one of `STREAMS`.
        dims: 2 or 3, the number of coordinates.
        confidence: "mean": averaged in bones, k-bones and motions; "released": as the release does
            in its 2-D layout, averaged in bones, subtracted in k-bones and all motions (an
            oversight in two of its operators, but its weights were trained with it).
        following: like `clips`, the frame that each frame's motion leads to. None: the clip's next
            frame; at its last frame the coordinates' motion is 0.

    Returns:
        (N, M, T, V, C), or (N, M, T, V, 1) for bone lengths.

    Raises:
        ValueError: the stream is unknown.
    """
    if stream not in STREAMS:
        raise ValueError(f"unknown stream '{stream}'; the streams are {', '.join(STREAMS)}")
    if stream == "l":
        parents = torch.tensor(layout.parents, device=clips.device)
        bone = clips[..., :dims] - clips[:, :, :, parents, :dims]
        seen = present(clips, dims)
        length: Tensor = bone.norm(dim=-1) * (seen & seen[..., parents])
        return length.unsqueeze(-1)
    averaged = confidence == "mean"
    if following is None:
        following = torch.cat([clips[:, :, 1:], clips[:, :, -1:]], dim=2)
    if stream[0] in "bk":
        target = torch.tensor(layout.parents) if stream[0] == "b" else grandparents(layout)
        target = target.to(clips.device)
        both = averaged or stream[0] == "b"
        clips = _difference(clips, clips[:, :, :, target], dims, both)
        following = _difference(following, following[:, :, :, target], dims, both)
    return _difference(following, clips, dims, averaged) if stream.endswith("m") else clips


def make_streams(
    clips: Tensor,
    layout: Layout,
    streams: Sequence[str],
    dims: int,
    *,
    confidence: Confidence = "mean",
    following: Tensor | None = None,
) -> Tensor:
    """Several streams, concatenated on the channel axis (early fusion); see `make_stream`.

    Returns:
        (N, M, T, V, sum of the streams' channels).
    """
    made = [
        make_stream(clips, layout, stream, dims, confidence=confidence, following=following)
        for stream in streams
    ]
    return made[0] if len(made) == 1 else torch.cat(made, dim=-1)


def stream_channels(streams: Sequence[str], channels: int) -> int:
    """Channels that `make_streams` returns for clips of `channels` channels.

    >>> stream_channels(["j", "b", "l"], 3)
    7
    """
    return sum(1 if stream == "l" else channels for stream in streams)
