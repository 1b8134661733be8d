"""`aclnet-task export`: a run as an ONNX graph or as weights, for use elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tasks.commands.options import STORES, Cache, JsonFile, command_line, echo, say

if TYPE_CHECKING:
    from aclnet.export.write import Written
    from aclnet.runs.exported import Loss


def export_command(
    run: Annotated[Path, typer.Argument(help="A finished run.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="New folder to write to.")],
    to: Annotated[
        Literal["onnx", "safetensors", "torch"],
        typer.Option(
            help="onnx: a graph with all its preparation, which runs without torch; safetensors, "
            "torch: the weights."
        ),
    ] = "onnx",
    data: Annotated[
        Path | None,
        typer.Option(
            help="Recordings to compare the exported network on; by default the run's data."
        ),
    ] = None,
    names: Annotated[
        bool | None,
        typer.Option(
            "--names/--no-names",
            help="Export the names of the classes; by default unless they are people.",
        ),
    ] = None,
    int8: Annotated[
        bool,
        typer.Option(
            "--int8",
            help="Weights and activations of 8 bits, for onnx; the run's test says what they cost.",
        ),
    ] = False,
    push: Annotated[
        str | None,
        typer.Option(
            metavar="USER/NAME",
            help="Also upload it to the Hugging Face Hub; a new repository is private.",
        ),
    ] = None,
    json: JsonFile = None,
    cache: Cache = STORES,
) -> None:
    """Export a run for use elsewhere, compared with the run on real recordings.

    Writes a folder with the model, its description (model.json) and a card for people
    (MODEL_CARD.md). aclnet.load(FOLDER) uses it like a run.
    """
    from aclnet.export.write import CARD
    from aclnet.runs.hub import push as push_to_hub
    from aclnet.runs.hub import require_name
    from tasks.export.run import export_run

    if push is not None:
        require_name(push)
    written = export_run(
        run, to, out, data=data, cache=cache, named=names, integer=int8, report=say
    )
    echo("\n".join([*_summary(written, out), *map(_in_words, written.exported.losses)]))
    if json is not None:
        _write(json, run, written)
    if push is not None:
        say(f"uploading to {push}")
        echo(push_to_hub(out, push, CARD))


def _summary(written: Written, out: Path) -> list[str]:
    exported, found = written.exported, written.comparison
    graph = exported.graph
    lines = [f"{out / exported.file}: {written.size / 1e6:.2f} MB, SHA-256 {exported.sha256[:12]}"]
    if graph is not None:
        persons = "any number" if graph.persons is None else graph.persons
        frames = "any number" if graph.frames is None else graph.frames
        lines.append(
            f"ONNX opset {graph.opset}; clips at once: any number; persons: {persons}; frames: "
            f"{frames}"
        )
    lines.append(
        f"largest difference from the run on {found.clips} clips: {found.difference:.1e} of the "
        "largest value"
    )
    for what, difference in (("frames", found.lengths), ("persons", found.persons)):
        if difference is not None and (graph is None or getattr(graph, what) is None):
            lines.append(f"with other numbers of {what}: {difference:.1e}")
    if not exported.named:
        lines.append("the names of the classes were left out (--names exports them)")
    return lines


def _write(path: Path, run: Path, written: Written) -> None:
    """Write what was compared as JSON; the file is complete or absent."""
    from json import dumps

    from protocols.files import write_text
    from tasks.run.environment import describe_environment

    exported = written.exported
    content = {
        "export": exported.kind,
        "run": str(run),
        "task": exported.run.task,
        "dataset": exported.run.dataset,
        "bytes": written.size,
        "sha256": exported.sha256,
        "compared": written.comparison._asdict(),
        "losses": [loss.model_dump() for loss in exported.losses],
        "command": command_line(),
        "environment": describe_environment(),
    }
    write_text(path, dumps(content, indent=1, ensure_ascii=False) + "\n")


def _in_words(loss: Loss) -> str:
    from protocols.text import format_rate

    change = format_rate(loss.after - loss.before, sign="+")
    return (
        f"{loss.metric}: {format_rate(loss.before)} % in float32, {format_rate(loss.after)} % in 8 "
        f"bits ({change})"
    )
