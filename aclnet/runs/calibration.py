"""How sure a run's classifier is that an action is one of its classes.

Beside the weights, never in them: the temperature by which its probabilities mean what they say
(Guo et al., ICML 2017), and the scores that known actions of people held out of the training have,
below whose lowest few a recording is called unknown.
"""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from aclnet.files import whole_file
from aclnet.foreign.version import json_version, refuse_newer

CALIBRATION = "calibration.json"
"""File of a run's folder, and of an exported model's."""
VERSION = 1

KnownScore = Literal["probability", "energy", "logit"]
KNOWN_SCORES: tuple[KnownScore, ...] = get_args(KnownScore)

Floats = npt.NDArray[np.float64]


def calibrated(logits: npt.ArrayLike, temperature: float) -> Floats:
    """(N, K) probabilities of logits (N, K) at a temperature.

    >>> calibrated([[0.0, np.log(3.0)]], 1.0).round(2).tolist()
    [[0.25, 0.75]]
    """
    scaled = np.asarray(logits, dtype=np.float64) / temperature
    shares = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def known_scores(logits: npt.ArrayLike, temperature: float, score: KnownScore) -> Floats:
    """(N,) how much a recording looks like one of the classes; higher is surer.

    Args:
        logits: (N, K), mean over the test clips.
        temperature: divides the logits.
        score: "probability", the highest (Hendrycks and Gimpel, ICLR 2017); "energy", the logarithm
            of the sum of the exponentials (Liu et al., NeurIPS 2020); "logit", the highest.
    """
    scaled = np.asarray(logits, dtype=np.float64) / temperature
    if score == "probability":
        return np.asarray(calibrated(logits, temperature).max(axis=1))
    highest = scaled.max(axis=1)
    if score == "logit":
        return np.asarray(highest)
    return np.asarray(highest + np.log(np.exp(scaled - highest[:, None]).sum(axis=1)))


class Calibration(BaseModel):
    """The calibration of a run.

    Attributes:
        format: version of this file.
        score: what tells known from unknown.
        temperature: divides the logits.
        known: scores of the held-out people's recordings, ascending.
        people: number of those people; 0 where the data name nobody.
        error: expected calibration error on them before, and after.
        weights: hash of the file of the weights that this belongs to.
        command: the command line.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    format: Literal[1] = 1
    score: KnownScore
    temperature: float = Field(gt=0)
    known: tuple[float, ...] = Field(min_length=1)
    people: int = Field(ge=0)
    error: tuple[float, float]
    weights: str
    command: str = ""

    def threshold(self, false_alarms: float) -> float:
        """The score below which a recording is unknown.

        Of known actions of strangers at most that share falls below it, on average over draws of
        the held-out recordings (the quantile of split conformal prediction).

        Args:
            false_alarms: share of known actions that may be called unknown, above 0 and below 1.

        Raises:
            ValueError: it is none, or so small that the held-out recordings do not tell.
        """
        if not 0 < false_alarms < 1:
            raise ValueError(
                f"a rate of false alarms must be between 0 and 1, not {false_alarms:g}"
            )
        place = math.floor(false_alarms * (len(self.known) + 1))
        if place < 1:
            least = math.ceil(1e6 / (len(self.known) + 1)) / 1e6
            raise ValueError(
                f"{len(self.known)} held-out recordings are too few for a rate of {false_alarms:g} "
                f"false alarms: ask for {least:g} or more, or calibrate on more recordings"
            )
        return sorted(self.known)[place - 1]

    def unknown(self, logits: npt.ArrayLike, threshold: float) -> npt.NDArray[np.bool_]:
        """(N,) whether recordings of logits (N, K) look like none of the classes."""
        return np.asarray(known_scores(logits, self.temperature, self.score) < threshold)

    def write(self, run: Path) -> None:
        """Write it into a run's folder; the file is complete or absent."""
        with whole_file(run / CALIBRATION) as draft:
            draft.write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")


def read_calibration(run: Path, weights: str, exported: bool = False) -> Calibration:
    """Read the calibration of a run.

    Args:
        run: the run's folder, or the exported model's.
        weights: hash of the file of its weights.
        exported: whether it is an exported model.

    Raises:
        ValueError: there is none, it is damaged, of a newer version, or of other weights.
    """
    path = run / CALIBRATION
    again = f"calibrate it with `aclnet-task action calibrate --run {run}`"
    if exported:
        again = "calibrate its run (`aclnet-task action calibrate`) and export it again, in float32"
    if not path.is_file():
        raise ValueError(f"{run} is not calibrated for unknown actions: {again}")
    content = path.read_bytes()
    refuse_newer(path, json_version(content, "format"), VERSION)
    try:
        found = Calibration.model_validate_json(content)
    except ValidationError as error:
        raise ValueError(f"{path} is damaged ({error.errors()[0]['msg']}): {again}") from None
    if found.weights != weights:
        raise ValueError(f"{path} belongs to other weights: {again}")
    return found


def weights_hash(path: Path) -> str:
    """Hash of a file of weights."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
