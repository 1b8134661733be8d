"""Noise that remembers: how bodies, cloth and estimators drift rather than jump."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def wander(
    generator: np.random.Generator, shape: tuple[int, ...], memory: float, axis: int = -1
) -> npt.NDArray[np.float32]:
    """Stationary noise of unit variance that remembers itself for about ``memory`` frames.

    A first-order autoregression along ``axis``; ``memory`` is its time constant in frames.
    """
    keep = np.float32(np.exp(-1.0 / memory))
    frames = shape[axis]
    rest = tuple(np.delete(np.array(shape), axis))
    noise = generator.standard_normal((frames, *rest), dtype=np.float32)
    noise[1:] *= np.sqrt(1.0 - keep * keep)
    for frame in range(1, frames):  # each frame needs the one before it
        noise[frame] += keep * noise[frame - 1]
    return np.moveaxis(noise, 0, axis)
