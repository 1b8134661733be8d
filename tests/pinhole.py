"""Joints in metres as key points in a camera's picture, for results on 2-D people; by hand.

    python tests/pinhole.py ../shared/data/kgbd.npz kgbd-2d.npz [--focal 525] [--noise 2]

A pinhole camera stands where the depth sensor stood (x right, y up, z depth): 640 x 480 pixels with
Kinect v1's focal length. Each joint errs by the noise, in pixels, as that of a pose estimator does;
of a standing person's 300 pixels 2 are less than 1 %. A joint within 30 cm of the camera was not
seen. Everything else of the file is kept.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

SIZE = (640, 480)
NEAREST = 0.3


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--focal", type=float, default=525.0)
    parser.add_argument("--noise", type=float, default=2.0)
    given = parser.parse_args()
    with np.load(given.source) as source:
        content = dict(source)
    x, y, depth = np.moveaxis(content["joints"].astype(np.float64), -1, 0)
    seen = depth >= NEAREST
    there = np.where(seen, depth, 1.0)
    points = np.stack([x, -y], axis=-1) / there[..., None] * given.focal + np.array(SIZE) / 2
    points += given.noise * np.random.default_rng(0).standard_normal(points.shape)
    content["joints"] = np.where(seen[..., None], points, 0.0).astype(np.float32)
    content["confidence"] = seen.astype(np.float32)
    content["image_size"] = np.tile(SIZE, (len(content["offsets"]) - 1, 1))
    np.savez_compressed(given.target, **content)


if __name__ == "__main__":
    main()
