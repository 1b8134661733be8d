"""An ONNX graph with weights and activations of 8 bits."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from aclnet.clips.stored import Clips
from aclnet.export.graph import CLIPS, MIRRORED, quiet
from aclnet.runs.exported import silence_onnxruntime

_OPERATORS = ("Conv", "MatMul", "Gemm")
"""Of these the network is made; normalisation and streams stay in float32."""

_AT_ONCE = 16


def in_8_bits(content: bytes, clips: Clips, mirrored: bool) -> bytes:
    """Quantise a graph: int8 weights by output channel, uint8 activations with fixed scales.

    Args:
        content: the graph in float32.
        clips: training clips, whose activations' ranges give the scales.
        mirrored: whether the graph has the input `mirrored`.
    """
    silence_onnxruntime()
    from onnxruntime.quantization import (
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    class _Reader(CalibrationDataReader):  # type: ignore[misc]
        """Gives the clips in batches."""

        def __init__(self) -> None:
            self._left = _batches(clips, mirrored)

        def get_next(self) -> dict[str, Any] | None:
            return next(self._left, None)

    with tempfile.TemporaryDirectory() as name, quiet():
        source, target = Path(name) / "from.onnx", Path(name) / "to.onnx"
        source.write_bytes(content)
        quantize_static(
            source,
            target,
            _Reader(),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(_OPERATORS),
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return target.read_bytes()


def _batches(clips: Clips, mirrored: bool) -> Iterator[dict[str, Any]]:
    """Inputs of the graph, half of them mirrored."""
    for first in range(0, len(clips), _AT_ONCE):
        part = clips[first : first + _AT_ONCE]
        given: dict[str, Any] = {CLIPS: part}
        if mirrored:
            given[MIRRORED] = np.arange(len(part)) % 2 == 0
        yield given
