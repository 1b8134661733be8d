"""Streams of a skeleton, a network's input: joints, bones, distances, their motions, bone lengths.

The field's six streams (j, b, k, jm, bm, km) are defined as in PYSKL and the ACLNet release: a bone
is a joint minus its parent, a k-bone a joint minus its grandparent, a motion the next frame minus
this one. Of a distance stream a joint's channels are its distances to every joint: those of the
other person (ip), or of the same (jd). The other of several people is the first who is seen in the
clip besides.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from aclnet.clips.joints import index_tensor, of_people, partners, present
from aclnet.clips.settings import DISTANCES
from aclnet.skeleton import Layout

Confidence = Literal["mean", "released"]
"""How a confidence channel is combined: see `make_stream`."""

STREAMS: dict[str, str] = {
    "j": "joint",
    "b": "bone",
    "k": "k-bone: joint minus grandparent",
    "ip": "distances to the V joints of the other person, V channels; zero where either is missing",
    "jd": "distances to the V joints of the same person, V channels; zero where either is missing",
    "jm": "joint motion",
    "bm": "bone motion",
    "km": "k-bone motion",
    "ipm": "motion of ip",
    "jdm": "motion of jd",
    "l": "bone length, one channel; zero at the root and where an end of the bone is missing",
}


def grandparents(layout: Layout) -> tuple[int, ...]:
    """The joint two steps towards the root, of each of the V joints.

    The root and its neighbours have none and point at themselves, so their k-bone is 0.
    """
    parents = layout.parents.tolist()
    return tuple(
        joint if parent == layout.centre_index else parents[parent]
        for joint, parent in enumerate(parents)
    )


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
    """One stream of a batch of clips; as `make_streams`."""
    return make_streams(clips, layout, (stream,), dims, confidence=confidence, following=following)


def make_streams(
    clips: Tensor,
    layout: Layout,
    streams: Sequence[str],
    dims: int,
    *,
    confidence: Confidence = "mean",
    following: Tensor | None = None,
    jumps: bool = True,
) -> Tensor:
    """Streams of a batch of clips, concatenated on the channel axis (early fusion).

    Args:
        clips: (N, M, T, V, C) joints; the first `dims` channels are coordinates, a further one is
            the detector's confidence.
        layout: the joints' layout; bones run towards its centre joint.
        streams: of `STREAMS`.
        dims: 2 or 3, the number of coordinates.
        confidence: "mean": averaged in bones, k-bones and motions; "released": as the release does
            in its 2-D layout, averaged in bones, subtracted in k-bones and all motions (an
            oversight in two of its operators, but its weights were trained with it).
        following: like `clips`, the frame that each frame's motion leads to. None: the clip's next
            frame; at its last frame the coordinates' motion is 0. Only streams of motion use it.
        jumps: whether motions lead from and to the zeros of a frame without the person (released
            code); else they are 0 there, and so are those of a distance that either frame lacks.

    Returns:
        (N, M, T, V, sum of the streams' channels): C each, V of distances and 1 of bone lengths.
        Confidence channels are of the streams with C channels.

    Raises:
        ValueError: a stream is unknown.
    """
    for stream in streams:
        if stream not in STREAMS:
            raise ValueError(f"unknown stream '{stream}'; the streams are {', '.join(STREAMS)}")
    averaged = confidence == "mean"
    places = _Places(clips, following, layout, dims, averaged=averaged, jumps=jumps)
    made = [places.stream(stream) for stream in streams]
    return made[0] if len(made) == 1 else torch.cat(made, dim=-1)


class _Places:
    """Places and distances of clips, now and in the frames that follow; each is made once."""

    def __init__(
        self,
        clips: Tensor,
        following: Tensor | None,
        layout: Layout,
        dims: int,
        *,
        averaged: bool,
        jumps: bool,
    ) -> None:
        self._clips, self._following, self._layout = clips, following, layout
        self._dims, self._averaged, self._jumps = dims, averaged, jumps
        self._made: dict[tuple[str, bool], Tensor] = {}

    def stream(self, name: str) -> Tensor:
        """One stream."""
        if name == "l":
            return _lengths(self._clips, self._layout, self._dims)
        kind = name.removesuffix("m")
        now = self._place(kind, then=False)
        if kind == name:
            return now
        then = self._place(kind, then=True)
        if kind in DISTANCES:
            return then - now if self._jumps else (then - now) * ((then != 0) & (now != 0))
        motion = _difference(then, now, self._dims, self._averaged)
        return motion if self._jumps else self._without_jumps(motion)

    def _without_jumps(self, motion: Tensor) -> Tensor:
        """Motions, zero in their coordinates where either frame lacks the person."""
        frames = (self._place("j", then=then) for then in (False, True))
        now, then = (present(joints, self._dims).any(dim=-1) for joints in frames)
        both = (now & then)[..., None, None]
        return torch.cat([motion[..., : self._dims] * both, motion[..., self._dims :]], dim=-1)

    def _place(self, kind: str, *, then: bool) -> Tensor:
        if (kind, then) not in self._made:
            if kind == "j":
                made = self._joints(then)
            elif kind in DISTANCES:
                made = self._distances(kind, then)
            else:
                made = self._bones(kind, then)
            self._made[kind, then] = made
        return self._made[kind, then]

    def _joints(self, then: bool) -> Tensor:
        if not then:
            return self._clips
        if self._following is not None:
            return self._following
        return torch.cat([self._clips[:, :, 1:], self._clips[:, :, -1:]], dim=2)

    def _bones(self, kind: str, then: bool) -> Tensor:
        joints = self._place("j", then=then)
        layout = self._layout
        ends = tuple(layout.parents.tolist()) if kind == "b" else grandparents(layout)
        others = joints.index_select(3, index_tensor(ends, joints.device))
        return _difference(joints, others, self._dims, self._averaged or kind == "b")

    def _distances(self, kind: str, then: bool) -> Tensor:
        if then and self._following is None:  # the same frames again
            now = self._place(kind, then=False)
            return torch.cat([now[:, :, 1:], now[:, :, -1:]], dim=2)
        joints = self._place("j", then=then)
        seen = present(joints, self._dims)
        places, others, seen_others = joints[..., : self._dims], joints[..., : self._dims], seen
        if kind == "ip":
            people, found = partners(present(self._clips, self._dims))
            others = of_people(places, people)
            seen_others = of_people(seen, people) & found[..., None, None]
        return distances(places, others) * (seen.unsqueeze(-1) & seen_others.unsqueeze(-2))


def distances(points: Tensor, others: Tensor) -> Tensor:
    """Euclidean distances of points (..., V, D) to others (..., W, D): (..., V, W)."""
    if torch.compiler.is_exporting():  # ONNX has no cdist
        apart = points.unsqueeze(-2) - others.unsqueeze(-3)
        return apart.square().sum(dim=-1).sqrt()
    # Not by products, whose differences lose the small distances.
    return torch.cdist(points, others, compute_mode="donot_use_mm_for_euclid_dist")


def _lengths(clips: Tensor, layout: Layout, dims: int) -> Tensor:
    """(N, M, T, V, 1) bone lengths."""
    parents = index_tensor(tuple(layout.parents.tolist()), clips.device)
    bone = clips[..., :dims] - clips[..., :dims].index_select(3, parents)
    seen = present(clips, dims)
    length: Tensor = bone.norm(dim=-1) * (seen & seen.index_select(3, parents))
    return length.unsqueeze(-1)
