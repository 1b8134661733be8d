"""Which frames of recordings make clips, and the clips as stored; no network library is needed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from aclnet.clips.completion import Distances, completed
from aclnet.clips.sampling import Places, resized_places, stretched_frames, uniform_frames
from aclnet.clips.settings import ClipSettings, Rows, stream_channels
from aclnet.clips.windows import random_windows
from aclnet.data.store import Store
from aclnet.memory import require_memory
from aclnet.skeleton import Layout

Clips = npt.NDArray[np.float32]


class StoredClips:
    """Takes clips out of recordings, before anything is computed from their joints.

    Args:
        settings: clip settings.
        layout: the store's joint layout.
        channels: the store's channel names, coordinates first.
        distances: of the training people's joints; needed to estimate missing ones.

    Attributes:
        distances: likewise.
        dims: coordinates a joint, 2 or 3.
        channels: of the network's input.
        follows: whether `taken` has the frames that follow too.
    """

    def __init__(
        self,
        settings: ClipSettings,
        layout: Layout,
        channels: tuple[str, ...],
        distances: Distances | None = None,
    ) -> None:
        self.settings = settings
        self.distances = distances
        self.layout = layout
        self.dims = sum(channel in ("x", "y", "z") for channel in channels)
        self.channels = stream_channels(settings.streams, len(channels), layout.joint_count)
        moves = any(stream.endswith("m") for stream in settings.streams)
        self.follows = settings.motion == "recording" and moves

    def require_people(self, store: Store) -> None:
        """Refuse distances between people where recordings hold one person.

        Raises:
            ValueError: they do. (A recording that lacks the second person has distances of 0.)
        """
        between = [stream for stream in self.settings.streams if stream.startswith("ip")]
        if between and store.frames.shape[1] < 2:
            raise ValueError(
                f"stream {between[0]} is the distances between two people, but recordings of "
                f"{store.info.name} hold one person: leave it out of clip.streams"
            )

    def training_frames(self, lengths: Rows, generator: np.random.Generator) -> Rows | Places:
        """Frame numbers (N, T) of a random clip of each recording of `lengths` (N,).

        With `sampling: resize` they are places between frames.
        """
        settings = self.settings
        if settings.sampling == "window":
            return random_windows(lengths, settings.frames, generator, settings.step)
        share = generator.uniform(settings.least_share, 1, len(lengths))
        covered = covered_frames(lengths, share)
        first = np.floor(generator.random(len(lengths)) * (lengths - covered + 1)).astype(np.int64)
        if settings.sampling == "uniform":
            return first[:, None] + uniform_frames(covered, settings.frames, generator)
        if settings.sampling == "resize":
            return first[:, None] + resized_places(covered, settings.frames)
        phase = generator.random((len(lengths), settings.frames))
        return first[:, None] + stretched_frames(covered, settings.frames, phase)

    def taken(
        self, store: Store, rows: Rows, frames: Rows | Places, hidden: Rows | None = None
    ) -> Clips:
        """Frames of a store.

        Args:
            store: the recordings.
            rows: (N,) their rows.
            frames: (N, T) frame numbers, or places between frames, of which a joint that was not
                found in one counts as being at the origin there.
            hidden: joints that are missing in every frame, as if they had not been seen.

        Returns:
            (N, M, T, V, C); with `motion: recording` and a stream of motion (N, M, 2 T, V, C),
            each clip's frames and then the frame that follows each of them in the recording.

        Raises:
            ValueError: the memory does not suffice, or missing joints are to be estimated and the
                training people's are not known.
        """
        if np.issubdtype(frames.dtype, np.floating):
            before = np.floor(frames).astype(np.int64)
            after = np.minimum(before + 1, store.lengths[rows][:, None] - 1)
            share = (frames - before).astype(np.float32)[:, None, :, None, None]
            first, second = (self.taken(store, rows, part, hidden) for part in (before, after))
            return _between(first, second, share)
        if self.follows:
            following = np.minimum(frames + 1, store.lengths[rows][:, None] - 1)
            frames = np.concatenate([frames, following], axis=1)
        self.require_memory(store, *frames.shape)
        clips = store.gather(rows, frames)
        if hidden is not None:
            clips[..., hidden, :] = 0
        if self.settings.missing == "zero":
            return clips
        if self.distances is None:
            raise ValueError("clip.missing=estimated needs the distances of training joints")
        return completed(clips, self.distances, self.dims)

    def for_network(
        self, store: Store, rows: Rows, frames: Rows | Places, hidden: Rows | None = None
    ) -> Clips:
        """Several clips of each recording, as a network takes them that prepares them itself.

        Args:
            store: the recordings.
            rows: (N,) their rows.
            frames: (N, K, T) frame numbers, or places between frames, of K clips.
            hidden: as of `taken`.

        Returns:
            (N * K, M, T, V, C), recording by recording; with `motion: recording` and a stream of
            motion (N * K, M, 2, T, V, C), with the frames that follow; with `motion: joined`
            (N, M, K, T, V, C), as the clips of a recording are prepared as one.
        """
        count, clips, length = frames.shape
        if self.settings.motion == "joined":
            joined = self.taken(store, rows, frames.reshape(count, -1), hidden)
            return joined.reshape(*joined.shape[:2], clips, length, *joined.shape[3:])
        taken = self.taken(store, np.repeat(rows, clips), frames.reshape(-1, length), hidden)
        if not self.follows:
            return taken
        return taken.reshape(*taken.shape[:2], 2, length, *taken.shape[3:])

    def require_memory(self, store: Store, clips: int, frames: int) -> None:
        """Refuse batches that do not fit into memory, stored and as the network's input.

        Args:
            store: the recordings.
            clips: N, clips of a batch.
            frames: T, of each.

        Raises:
            ValueError: the memory does not suffice.
        """
        persons, joints, stored = store.frames.shape[1:]
        require_memory(
            4 * clips * frames * persons * joints * (stored + self.channels),
            f"batches of {clips:,} clips of {frames:,} frames",
            "the batch's size, clip.frames or the test's clips",
        )


def covered_frames(lengths: Rows, share: npt.ArrayLike) -> Rows:
    """How many frames a share of each recording is, at least 1: (N,) int64."""
    covered: Rows = np.maximum((np.asarray(share) * lengths).astype(np.int64), 1)
    return covered


def with_people_exchanged(clips: Clips, chosen: npt.NDArray[np.bool_]) -> Clips:
    """Clips with the people of some in the reverse order; those that lack one stay as they are.

    As `aclnet.clips.transforms.exchange_people`, without torch.

    Args:
        clips: (N, M, ...) as stored: an absent person is zero throughout.
        chosen: of which clips, (N,).
    """
    some = clips[chosen]
    all_seen = (some != 0).any(axis=tuple(range(2, some.ndim))).all(axis=1)
    made = clips.copy()
    made[chosen] = np.where(
        np.expand_dims(all_seen, tuple(range(1, some.ndim))), some[:, ::-1], some
    )
    return made


def _between(first: Clips, second: Clips, share: Clips) -> Clips:
    """Linear interpolation, as `torch.lerp` with fused products: each is added before rounding."""
    step = (second - first).astype(np.float64)
    moved = np.where(share < 0.5, first + share * step, second - (1 - share) * step)
    return moved.astype(np.float32)
