"""A network with its preparation as an ONNX graph."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch

from aclnet.clips.stored import Clips
from aclnet.runs.averages import Scored
from aclnet.runs.inference import InferenceNetwork

CLIPS, MIRRORED = "clips", "mirrored"


class OnnxGraph(NamedTuple):
    """An ONNX graph.

    Attributes:
        content: the file.
        opset: version of ONNX's operators.
        persons: M, if it takes no other number.
        frames: T, if it takes no other number.
    """

    content: bytes
    opset: int
    persons: int | None
    frames: int | None


def onnx_graph(
    module: InferenceNetwork, example: Clips, *, mirrored: bool, fixed: tuple[int, ...] = ()
) -> OnnxGraph:
    """Trace a network in evaluation mode.

    The numbers of clips, persons and frames stay free where the network lets them.

    Args:
        module: the network with its preparation, on the CPU.
        example: clips of `StoredClips.for_network`, several of them; their values do not matter.
        mirrored: whether the graph has the input `mirrored`.
        fixed: axes of the clips that are to have the example's length alone.

    Raises:
        ValueError: the libraries of the extra `export` are missing, or torch cannot export it.
    """
    try:
        import onnx
        import onnxscript  # noqa: F401 (torch's exporter needs it)
    except ImportError as error:
        raise ValueError(
            f"exporting to ONNX needs {error.name}: pip install aclnet[export]"
        ) from None
    # An axis of length 1 is taken for a constant: an absent person is added.
    absent = [(0, 0)] * example.ndim
    absent[1] = (0, 1 if example.shape[1] == 1 else 0)
    clips = torch.from_numpy(np.pad(example, absent))
    axes: dict[int, Any] = {0: torch.export.Dim(CLIPS)}
    axes |= {axis: torch.export.Dim.AUTO for axis in range(1, clips.ndim - 2) if axis not in fixed}
    inputs: tuple[torch.Tensor, ...] = (clips,)
    shapes = {CLIPS: axes}
    if mirrored:
        inputs = (clips, torch.arange(len(clips)) % 2 == 0)
        shapes[MIRRORED] = {0: axes[0]}
    with torch.no_grad(), quiet():
        module(*inputs)  # tables that are kept are made outside the trace
        try:
            program = torch.onnx.export(
                module.eval(),
                inputs,
                input_names=list(shapes),
                output_names=list(Scored._fields),
                dynamic_shapes=shapes,
                dynamo=True,
                verbose=False,
            )
        except Exception as error:  # the exporter has a dozen types
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
            raise ValueError(f"torch cannot export this network to ONNX: {reason}") from error
    assert program is not None  # noqa: S101 (None without dynamo)
    model = program.model_proto
    _forget_places(model)
    onnx.checker.check_model(model)
    sizes = [dim.dim_value or None for dim in model.graph.input[0].type.tensor_type.shape.dim]
    opset = max(each.version for each in model.opset_import if each.domain in ("", "ai.onnx"))
    return OnnxGraph(model.SerializeToString(), opset, sizes[1], sizes[clips.ndim - 3])


def _forget_places(model: Any) -> None:
    """Remove the exporter's notes on nodes, which name files of this machine."""
    for graph in (model.graph, *model.functions):
        for part in (*graph.node, *graph.value_info, graph):
            del part.metadata_props[:]
    for part in (*model.graph.input, *model.graph.output, *model.graph.initializer):
        del part.metadata_props[:]
    for node in model.graph.node:
        node.doc_string = ""


@contextmanager
def quiet() -> Iterator[None]:
    """Without the exporters' remarks, which do not concern the user."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
