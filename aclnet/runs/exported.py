"""Exported models: a file of weights or a graph, and `model.json` beside it that describes it.

An ONNX model runs by onnxruntime, where torch need not be installed; its graph holds all that the
network does to clips (`aclnet.runs.inference`). `aclnet.export` writes them.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import ValidationError

from aclnet.clips.stored import Clips, StoredClips
from aclnet.config import Settings
from aclnet.foreign.text import check_regular
from aclnet.foreign.version import json_version, refuse_newer
from aclnet.models.settings import NamedEncoder
from aclnet.runs.averages import BlockT, Predictor, Scored
from aclnet.runs.info import RunInfo, RunModel
from aclnet.skeleton import layout_from_dict

if TYPE_CHECKING:
    import onnxruntime

DESCRIPTION = "model.json"
VERSION = 1
"""Newest version of it; goes up with that of the run's description, which it holds."""

Kind = Literal["onnx", "safetensors", "torch"]

FILES: dict[Kind, str] = {
    "onnx": "model.onnx",
    "safetensors": "model.safetensors",
    "torch": "model.pt",
}
"""Names of the files that are written; a user may rename them."""

_AGAIN = "copy it again or export the run again"
_MOST_BYTES = 64 << 20  # of the description, whose longest part are the classes


class Graph(Settings):
    """What an ONNX graph takes, and how it was compared with torch.

    Attributes:
        opset: version of ONNX's operators.
        mirrored: whether it has the input `mirrored`, bool (N,): the clips to be mirrored.
        persons: M, if the graph takes no other number.
        frames: T, if the graph takes no other number.
        compared: real clips that both answered for.
        difference: the largest, in shares of the largest value of the same output.
        integer: whether weights and activations are of 8 bits.
    """

    opset: int
    mirrored: bool
    persons: int | None
    frames: int | None
    compared: int
    difference: float
    integer: bool = False


class Loss(Settings):
    """A metric of the run's test with its network and with the exported one, as shares.

    Attributes:
        metric: its name.
        before: its value with the run's network.
        after: that with the exported one.
    """

    metric: str
    before: float
    after: float


class Exported(Settings):
    """The description of an exported model.

    Attributes:
        format: version of this description.
        kind: what the file is.
        file: its name, in the same folder.
        sha256: of the file.
        aclnet: version that exported it.
        fingerprint: of all that an embedding depends on, that of the run.
        dimensions: D, numbers of an embedding.
        named: whether the classes have their names, or numbers in their place.
        run: what the run remembers of its data, without its files' places.
        graph: of an ONNX model.
        losses: what weights and activations of 8 bits cost in the run's test; empty in float32.
    """

    format: Literal[1] = 1
    kind: Kind
    file: str
    sha256: str
    aclnet: str
    fingerprint: str
    dimensions: int
    named: bool
    run: RunInfo
    graph: Graph | None = None
    losses: tuple[Loss, ...] = ()

    @property
    def model(self) -> RunModel:
        """What the network needs; its encoder's settings are unread, as a graph needs none."""
        values = dict(self.run.model or {})
        network = values.get("network")
        if isinstance(network, dict) and isinstance(network.get("encoder"), dict):
            unread = NamedEncoder.model_validate(network["encoder"])
            values["network"] = {**network, "encoder": unread}
        return RunModel.model_validate(values)


def is_exported(path: Path) -> bool:
    """Whether a path is an exported model, its folder or its file, and no run."""
    return path.is_file() or (path / DESCRIPTION).is_file()


def read_exported(path: Path) -> tuple[Exported, Path]:
    """The description of an exported model, and the place of its file.

    Args:
        path: its folder, its description, or its file, which may have another name than it was
            given.

    Raises:
        ValueError: the description is missing, damaged or of a newer version, or the file is
            missing.
    """
    if path.name == DESCRIPTION:
        path = path.parent
    folder = path if path.is_dir() else path.parent
    description = folder / DESCRIPTION
    if not description.is_file():
        raise ValueError(
            f"{path} has no {DESCRIPTION} beside it: give a folder that `aclnet-task export` wrote"
        )
    if check_regular(description) > _MOST_BYTES:
        raise ValueError(f"{description} is too large: {_AGAIN}")
    content = description.read_bytes()
    refuse_newer(description, json_version(content, "format"), VERSION)
    try:
        exported = Exported.model_validate_json(content)
        _ = exported.model
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "file"
        raise ValueError(f"{description} is damaged: {place}: {first['msg']}; {_AGAIN}") from None
    if (exported.graph is None) == (exported.kind == "onnx"):
        raise ValueError(f"{description} is damaged: graph: only an ONNX model has one; {_AGAIN}")
    file = folder / os.path.basename(exported.file) if path.is_dir() else path
    if not file.is_file():
        raise ValueError(f"{file} is missing, which {description} describes: {_AGAIN}")
    check_regular(file)
    return exported, file


def open_exported(exported: Exported, file: Path, device: str) -> Predictor:
    """An exported model, ready for use.

    Args:
        exported: its description.
        file: its file.
        device: where to compute: "cpu" or "cuda"; with torch, as it names them.

    Raises:
        ValueError: the file is damaged, is not the described one or of another network, there is no
            such device, or the library that runs it is not installed.
    """
    content = file.read_bytes()
    if hashlib.sha256(content).hexdigest() != exported.sha256:
        raise ValueError(
            f"{file} is not the file that its {DESCRIPTION} describes (its SHA-256 differs): "
            f"{_AGAIN}"
        )
    if exported.graph is None:
        require_torch(file)
        from aclnet.runs.trained import open_weights

        return open_weights(exported, content, file, device)
    layout = layout_from_dict(exported.run.layout, f"{file}: layout")
    run = exported.run
    clips = StoredClips(exported.model.clip, layout, run.channels, run.distances)
    return OnnxPredictor(onnx_session(content, file, device), clips, exported.graph, file)


def require_torch(source: Path) -> None:
    """Refuse what only torch can run where it is not installed.

    Raises:
        ValueError: it is not.
    """
    try:
        import torch  # noqa: F401
    except ImportError:
        raise ValueError(
            f"{source} needs torch, which is not installed: install it, or export the run to onnx"
        ) from None


class OnnxPredictor:
    """A predictor that runs by onnxruntime (see `aclnet.runs.averages.Predictor`).

    Args:
        session: with its graph.
        clips: takes its clips.
        graph: its inputs.
        source: for messages.
    """

    def __init__(
        self, session: onnxruntime.InferenceSession, clips: StoredClips, graph: Graph, source: Path
    ) -> None:
        self.clips = clips
        self._session, self._graph, self._source = session, graph, source

    def __call__(self, clips: Clips, mirrored: bool = False) -> Scored:
        """Score clips of `StoredClips.for_network`, or their mirror images.

        Raises:
            ValueError: the graph takes no such number of persons or frames, or mirrors none.
        """
        graph = self._graph
        axes = (("persons", graph.persons, 1), ("frames", graph.frames, clips.ndim - 3))
        for name, wanted, axis in axes:
            if wanted is not None and clips.shape[axis] != wanted:
                raise ValueError(
                    f"{self._source} takes clips of {wanted} {name}, not of {clips.shape[axis]}"
                )
        if mirrored and not graph.mirrored:
            raise ValueError(f"{self._source} makes no mirror images")
        inputs: dict[str, Any] = {"clips": clips}
        if graph.mirrored:
            inputs["mirrored"] = np.full(len(clips), mirrored)
        try:
            return Scored(*self._session.run(list(Scored._fields), inputs))
        except Exception as error:  # a dozen types of its own
            raise ValueError(f"{self._source}: onnxruntime failed: {_reason(error)}") from None

    def each(
        self, blocks: Sequence[BlockT], clips_of: Callable[[BlockT], Clips], mirror: bool = False
    ) -> Iterator[tuple[BlockT, Scored]]:
        """Score the clips of every block, in order (see `Predictor.each`)."""
        for block in blocks:
            clips = clips_of(block)
            scored = self(clips)
            if mirror:
                both = scored.embedding + self(clips, mirrored=True).embedding
                scored = scored._replace(embedding=np.float32(0.5) * both)
            yield block, scored


def silence_onnxruntime() -> None:
    """Keep onnxruntime off the network; call it before every import.

    From 1.29 on its wheels report to Microsoft, from the moment of their import and by a thread of
    their own; what can be switched off afterwards comes too late.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


def onnx_session(content: bytes, source: Path, device: str = "cpu") -> onnxruntime.InferenceSession:
    """Open a graph.

    Args:
        content: of the file.
        source: for messages.
        device: "cpu" or "cuda".

    Raises:
        ValueError: onnxruntime is not installed or does not know the device, or the graph is
            damaged.
    """
    silence_onnxruntime()
    try:
        import onnxruntime
    except ImportError:
        raise ValueError(
            f"{source} needs onnxruntime: pip install onnxruntime (or aclnet[export])"
        ) from None
    onnxruntime.disable_telemetry_events()
    providers = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
    known = onnxruntime.get_available_providers()
    if providers.get(device) not in known:
        fitting = [name for name, provider in providers.items() if provider in known]
        raise ValueError(
            f"device {device!r} cannot be used: onnxruntime here has {', '.join(fitting)}"
        )
    options = onnxruntime.SessionOptions()
    # As torch and NumPy take it; 0: as many as there are cores.
    threads = os.environ.get("OMP_NUM_THREADS", "")
    options.intra_op_num_threads = int(threads) if threads.isdecimal() else 0
    options.log_severity_level = 4  # what is wrong is raised, too
    try:
        return onnxruntime.InferenceSession(content, options, providers=[providers[device]])
    except Exception as error:  # a dozen types of its own
        raise ValueError(f"{source}: onnxruntime cannot open it: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
