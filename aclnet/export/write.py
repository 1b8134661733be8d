"""Writing an exported model: a folder with the file, its description and a card for people."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np
import safetensors.torch
from torch import nn

from aclnet.data.convert import prepare_samples
from aclnet.data.sample import Frames
from aclnet.data.settings import DataSettings
from aclnet.data.store import Store
from aclnet.export.compare import TOLERANCE, Comparison, clips_of, compare
from aclnet.export.graph import onnx_graph
from aclnet.export.integer import in_8_bits
from aclnet.files import whole_file, whole_folder
from aclnet.progress import Report, counting
from aclnet.runs.averages import Predictor
from aclnet.runs.calibration import CALIBRATION
from aclnet.runs.exported import (
    DESCRIPTION,
    FILES,
    Exported,
    Graph,
    Kind,
    Loss,
    OnnxPredictor,
    onnx_session,
    open_exported,
)
from aclnet.runs.inference import TorchPredictor
from aclnet.runs.info import RunInfo, RunModel
from aclnet.runs.model import Model, Source
from aclnet.runs.reading import CHOOSING, PLACES, WORDS_OR_FILES
from aclnet.runs.windows import whole_recording, window_store
from aclnet.skeleton import layout_names
from aclnet.training.checkpoint import checkpoint_bytes

CARD = "MODEL_CARD.md"

_RECORDINGS = 16
_EXAMPLES = 5  # clips to trace with; no other axis should have this length


class Written(NamedTuple):
    """What was exported.

    Attributes:
        exported: its description.
        comparison: with the run's network.
        size: of the file in bytes.
        parts: whether the clips of the graph have an axis of parts (`StoredClips.for_network`).
        predictor: the exported network.
    """

    exported: Exported
    comparison: Comparison
    size: int
    parts: bool
    predictor: Predictor


def first_recordings(model: Model, source: Source) -> Store:
    """The first recordings of a file, folder or store in which somebody is seen.

    Args:
        model: that is to be exported.
        source: what it reads.

    Raises:
        ValueError: there is none, or it cannot be read.
    """
    for _, info, samples, how in model.opened(source, None, {}):
        if how == "main_person":
            info, samples = prepare_samples(info, samples)
        kept: list[Frames] = []
        for sample in samples:
            if sample.frames.any():
                kept.append(whole_recording(sample))
            if len(kept) == _RECORDINGS:
                break
        store = window_store(kept, info)
        model.info.require(store, model.run)
        if kept:
            return store
    raise ValueError(f"{source}: nobody is seen in any recording, so nothing can be compared")


def export(
    model: Model,
    store: Store,
    kind: Kind,
    out: Path,
    card: Callable[[Written], str],
    *,
    named: bool,
    calibration: Store | None = None,
    test: Callable[[Predictor], Iterable[Loss]] = lambda _: (),
    report: Report = lambda _: None,
) -> Written:
    """Export a run; the folder appears whole or not at all, private to its owner.

    Args:
        model: the run, on the CPU.
        store: recordings on which the exported network is compared with the run's.
        kind: of the file.
        out: the folder, which is new.
        card: makes the text of the card.
        named: whether the names of the classes are exported, or numbers in their place.
        calibration: training recordings, for an ONNX graph with weights and activations of 8 bits;
            None: in float32.
        test: says what a network of 8 bits costs in the run's test.
        report: called with progress messages.

    Raises:
        ValueError: the folder exists, a library is missing, the network cannot be exported, or
            the exported one differs from it.
        OSError: the files cannot be written.
    """
    own = model.predictor
    if not isinstance(own, TorchPredictor):
        raise ValueError(f"{model.run} is exported already: give the run")
    with whole_folder(out) as folder:
        file = folder / FILES[kind]
        graph = None
        if kind == "onnx":
            mirrored = model.settings.test is None and model.settings.embed.mirror
            content, graph, comparison, predictor = _graph(own, store, mirrored, out, report)
        else:
            content = _weights(kind, own.module.network)
        _write(file, content)
        exported = Exported(
            kind=kind,
            file=file.name,
            sha256=hashlib.sha256(content).hexdigest(),
            aclnet=version("aclnet"),
            fingerprint=model.fingerprint,
            dimensions=model.dimensions,
            named=named,
            run=shareable(model.info, model.settings, named),
            graph=graph,
        )
        if graph is None:
            report(f"comparing with the run on {len(store)} recordings")
            predictor = open_exported(exported, file, "cpu")
            with counting(report, "comparing") as progress:
                comparison = compare(predictor, own, store, progress=progress)
        if not comparison.difference <= TOLERANCE:
            raise ValueError(
                f"the exported network differs from {model.run} by {comparison.difference:.1e} of "
                f"the largest value, more than {TOLERANCE:.0e}: nothing was written"
            )
        if calibration is not None and graph is not None:
            report("quantising to 8 bits")
            with counting(report, "quantising"):
                content = in_8_bits(content, clips_of(calibration, own.clips), graph.mirrored)
            _write(file, content)
            predictor = OnnxPredictor(onnx_session(content, out), own.clips, graph, out)
            with counting(report, "comparing") as progress:
                comparison = compare(
                    predictor, own, store, mirrored=graph.mirrored, progress=progress
                )
            exported = _integer(exported, graph, content, comparison.difference)
            exported = exported.model_copy(update={"losses": tuple(test(predictor))})
        _write(folder / DESCRIPTION, f"{exported.model_dump_json(indent=1)}\n".encode())
        if calibration is None and (model.run / CALIBRATION).is_file():
            _copy_calibration(model, exported, folder, report)
        parts = own.clips.follows or own.clips.settings.motion == "joined"
        written = Written(exported, comparison, len(content), parts, predictor)
        _write(folder / CARD, card(written).encode())
    return written


def _copy_calibration(model: Model, exported: Exported, folder: Path, report: Report) -> None:
    """Export the calibration of a run with it, or say why that is left out."""
    try:
        known = model.calibration()
    except ValueError as error:
        report(f"exporting without a calibration: {error}")
        return
    known.model_copy(update={"weights": exported.sha256, "command": ""}).write(folder)


def _integer(exported: Exported, graph: Graph, content: bytes, difference: float) -> Exported:
    """The description of a graph of 8 bits, whose embeddings are others."""
    text = f"{exported.fingerprint} in 8 bits"
    return exported.model_copy(
        update={
            "sha256": hashlib.sha256(content).hexdigest(),
            "graph": graph.model_copy(update={"integer": True, "difference": difference}),
            "fingerprint": hashlib.sha256(text.encode()).hexdigest(),
        }
    )


def _graph(
    own: TorchPredictor, store: Store, mirrored: bool, out: Path, report: Report
) -> tuple[bytes, Graph, Comparison, Predictor]:
    """An ONNX graph, described, compared and opened; axes that do not come out free are fixed.

    The exporter may also take an axis for free that is not: the comparison shows it.
    """
    clips = clips_of(store, own.clips)
    example = np.resize(clips, (_EXAMPLES, *clips.shape[1:]))
    axes = {"persons": 1, "frames": example.ndim - 3}
    fixed: list[str] = []
    while True:
        report("exporting to ONNX" + "".join(f", with a fixed number of {name}" for name in fixed))
        with counting(report, "exporting"):
            made = onnx_graph(
                own.module, example, mirrored=mirrored, fixed=tuple(axes[name] for name in fixed)
            )
        graph = Graph(
            opset=made.opset,
            mirrored=mirrored,
            persons=made.persons,
            frames=made.frames,
            compared=0,
            difference=0,
        )
        exported = OnnxPredictor(onnx_session(made.content, out), own.clips, graph, out)
        report(f"comparing with the run on {len(store)} recordings")
        with counting(report, "comparing") as progress:
            found = compare(
                exported,
                own,
                store,
                mirrored=mirrored,
                persons=made.persons is None,
                lengths=made.frames is None,
                progress=progress,
            )
        wrong = [
            name
            for name, difference in (("persons", found.persons), ("frames", found.lengths))
            if difference is not None and not difference <= TOLERANCE and name not in fixed
        ]
        if not wrong:
            known = {"compared": found.clips, "difference": found.difference}
            return made.content, graph.model_copy(update=known), found, exported
        fixed += wrong


def _weights(kind: Kind, network: nn.Module) -> bytes:
    """The network's weights; for torch as a checkpoint of the network alone."""
    state = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    if kind == "torch":
        saved = {f"network.{name}": tensor for name, tensor in state.items()}
        return bytes(checkpoint_bytes({"task": saved}))
    content: bytes = safetensors.torch.save(state)
    return content


def shareable(info: RunInfo, settings: RunModel, named: bool) -> RunInfo:
    """What a run remembers, without places on this machine and names of training recordings.

    Args:
        info: the run's.
        settings: the run's.
        named: whether the classes keep their names.
    """
    data, shipped = settings.data, layout_names()
    private = (*CHOOSING, *PLACES)
    options = {
        name: value
        for name, value in data.options.items()
        if name not in private and not (name in WORDS_OR_FILES and Path(str(value)).suffix)
    }
    reading = DataSettings(
        source=data.source,
        path=None if data.path is None else Path(f"data{data.path.suffix}"),
        format=data.format,
        layout=data.layout if data.layout in shipped else None,
        # Another layout than a shipped one is that of the run (`aclnet.runs.reading`).
        map_to=data.map_to if data.map_to in (None, *shipped) else "own",
        options=options,
        prepare=data.prepare,
        fill_gaps=data.fill_gaps,
        resample_fps=data.resample_fps,
        upsample=data.upsample,
    )
    model = settings.model_copy(update={"data": reading}).model_dump(mode="json")
    initial = info.initial
    if initial is not None:
        initial = initial.model_copy(update={"run": Path(initial.run).name})
    numbered = tuple(f"class {number}" for number in range(1, len(info.classes) + 1))
    kept = {"classes": info.classes if named else numbered, "files": None}
    return info.model_copy(update={**kept, "initial": initial, "model": model})


def _write(file: Path, content: bytes) -> None:
    with whole_file(file) as draft:
        draft.write_bytes(content)
