"""Style transfer: a clip's movement in the body of another clip of the batch (ActCLR, stage 2)."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

import torch
from torch import Tensor

from aclnet.pretraining.body import Body

Stream: TypeAlias = Literal["j", "b", "jm"]
"""The streams that stage 2 is defined for, named as in `aclnet.clips.streams`."""

_LENGTH_FLOOR = 1e-5
_SPREAD_FLOOR = 1e-3


def transfer(clips: Tensor, others: Tensor, stream: Stream, body: Body) -> Tensor:
    """Give clips the style of others; the clips themselves are not changed.

    The published code changes the weak view in place, so that its third branch, which mixes the
    weak view, mixes the transferred one too. Here the caller passes the result on.

    Args:
        clips: (N, M, T, V, C) of one stream; the first `body.dims` channels are coordinates.
        others: (N, M, T, V, C), each clip's partner. As in the published code, a person whom the
            partner lacks shrinks to bones of about 0.003, or stands still, and a person whom the
            clip lacks stays at 0 but takes the partner's mean motion.
        stream: "j": the partner's bone lengths in each frame, built up from the centre joint;
            "b": the same, bones left apart; "jm": the partner's mean over the joints in each frame
            and its spread over time at each joint.
        body: the joints.

    Returns:
        (N, M, T, V, C).

    Raises:
        ValueError: the stream is another.
    """
    if stream not in get_args(Stream):
        raise ValueError(
            f"style transfer is defined for the streams {', '.join(get_args(Stream))}, not for "
            f"'{stream}': choose one of these, or switch style_transfer off"
        )
    own, other = clips[..., : body.dims], others[..., : body.dims]
    if stream == "jm":
        moved = _restyled_motion(own, other)
        # Without a confidence, whoever stands still cannot be told from nobody.
        return moved if clips.shape[-1] == body.dims else body.replace_seen(clips, moved)
    if stream == "b":
        return body.replace_seen(clips, _resized(own, other))
    bones = _resized(body.bones(own), body.bones(other))
    return body.replace_seen(clips, body.chain(bones, own[..., body.centre, :]))


def _length(bones: Tensor) -> Tensor:
    return (bones.square().sum(dim=-1, keepdim=True) + _LENGTH_FLOOR).sqrt()


def _resized(bones: Tensor, others: Tensor) -> Tensor:
    """Bones in their own directions, as long as the others."""
    return bones / _length(bones) * _length(others)


def _restyled_motion(motion: Tensor, other: Tensor) -> Tensor:
    mean, other_mean = motion.mean(dim=3, keepdim=True), other.mean(dim=3, keepdim=True)
    spread = motion.std(dim=2, keepdim=True) + _SPREAD_FLOOR
    return (motion - mean) / spread * other.std(dim=2, keepdim=True) + other_mean


def draw_partners(count: int, generator: torch.Generator) -> Tensor:
    """Each clip's partner, by a cyclic shift of the batch.

    The shift is uniform from 1 to N - 2, as published (the last clip before each is never its
    partner), at least 1, so that a batch of two exchanges them.

    Args:
        count: N.
        generator: on the clips' device.

    Returns:
        (N,) int64 rows.
    """
    device = generator.device
    shift = torch.randint(1, max(count - 1, 2), (1,), generator=generator, device=device)
    return partners(count, shift)


def partners(count: int, shift: Tensor | int) -> Tensor:
    """The rows (n + shift) mod N: (N,) int64.

    >>> partners(4, 1).tolist()
    [1, 2, 3, 0]
    """
    device = shift.device if isinstance(shift, Tensor) else None
    return (torch.arange(count, device=device) + shift) % count
