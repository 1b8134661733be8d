"""Streams: what a network is shown of a skeleton: joints, bones, their motions, bone lengths.

One function makes any of them, so that a stream is a setting and never a file of its own. The six
streams of the field (j, b, k, jm, bm, km) follow PYSKL's and the ACLNet release's definitions:
a bone is a joint minus its parent, a k-bone a joint minus its grandparent, a motion the next frame
minus this one.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from aclnet.skeleton import Layout
from aclnet.transforms import present

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

    The root and its direct neighbours have none: they point at themselves, so their k-bone is 0.

    Returns:
        (V,) int64.
    """
    parent = torch.tensor(layout.parents)
    grand = parent[parent]
    near_root = parent == layout.centre_index
    return torch.where(near_root, torch.arange(len(parent)), grand)


def _difference(clips: Tensor, others: Tensor, dims: int) -> Tensor:
    """Coordinates subtracted; a confidence channel averaged, as it is no coordinate."""
    delta = clips[..., :dims] - others[..., :dims]
    if clips.shape[-1] == dims:
        return delta
    return torch.cat([delta, (clips[..., dims:] + others[..., dims:]) / 2], dim=-1)


def _motion(clips: Tensor, dims: int) -> Tensor:
    """Next frame minus this one; the last frame's coordinates are 0."""
    following = torch.cat([clips[:, :, 1:], clips[:, :, -1:]], dim=2)
    return _difference(following, clips, dims)


def make_stream(clips: Tensor, layout: Layout, stream: str, dims: int) -> Tensor:
    """One stream of a batch of clips.

    Args:
        clips: (N, M, T, V, C) joints; the first `dims` channels are coordinates, a further one is
            the detector's confidence.
        layout: the joints' layout; bones run towards its centre joint.
        stream: one of `STREAMS`.
        dims: 2 or 3, the number of coordinates.

    Returns:
        (N, M, T, V, C), or (N, M, T, V, 1) for bone lengths.

    Raises:
        ValueError: if the stream is unknown.

    Note:
        Confidence: the release averages the two joints' scores for bones of its 2-D layout but
        subtracts them for k-bones and motions, an oversight in two of its operators. Here it is
        averaged everywhere.
    """
    if stream not in STREAMS:
        raise ValueError(f"unknown stream '{stream}'; the streams are {', '.join(STREAMS)}")
    if stream == "l":
        parents = torch.tensor(layout.parents, device=clips.device)
        bone = clips[..., :dims] - clips[:, :, :, parents, :dims]
        seen = present(clips, dims)
        length: Tensor = bone.norm(dim=-1) * (seen & seen[..., parents])
        return length.unsqueeze(-1)
    base = clips
    if stream[0] in "bk":
        target = torch.tensor(layout.parents) if stream[0] == "b" else grandparents(layout)
        base = _difference(clips, clips[:, :, :, target.to(clips.device)], dims)
    return _motion(base, dims) if stream.endswith("m") else base


def make_streams(clips: Tensor, layout: Layout, streams: Sequence[str], dims: int) -> Tensor:
    """Several streams side by side on the channel axis (early fusion).

    Returns:
        (N, M, T, V, sum of the streams' channels).
    """
    made = [make_stream(clips, layout, stream, dims) for stream in streams]
    return made[0] if len(made) == 1 else torch.cat(made, dim=-1)


def stream_channels(streams: Sequence[str], channels: int) -> int:
    """Channels that `make_streams` returns for clips of `channels` channels.

    >>> stream_channels(["j", "b", "l"], 3)
    7
    """
    return sum(1 if stream == "l" else channels for stream in streams)
