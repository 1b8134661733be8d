"""The card of an exported model: what it was trained on, how it was tested, what it is for."""

from __future__ import annotations

import re
from collections.abc import Iterator

from aclnet.export.write import Written
from protocols.records import ResultRecord
from protocols.text import format_rate, printable
from tasks.spec import TaskSpec


def model_card(
    written: Written,
    spec: TaskSpec,
    record: ResultRecord | None,
) -> str:
    """The text of a card, in Markdown.

    Args:
        written: the exported model.
        spec: the run's task.
        record: of the run's test, if it was tested.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(  # noqa: S701 (Markdown: `text` escapes)
        loader=PackageLoader("tasks.export"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["text"] = _text
    exported = written.exported
    model, graph = exported.model, exported.graph
    layout = exported.run.layout
    persons = "persons" if graph is None or graph.persons is None else graph.persons
    frames = "frames" if graph is None or graph.frames is None else graph.frames
    between = {"joined": "clips of a recording, ", "recording": "2 (frames, those that follow), "}
    parts = between.get(model.clip.motion, "") if written.parts else ""
    return environment.get_template("MODEL_CARD.md").render(
        exported=exported,
        run=exported.run,
        model=model,
        layout=layout,
        size=written.size,
        comparison=written.comparison,
        axes=f"(clips, {persons}, {parts}{frames}, {len(layout['joints'])}, "
        f"{len(exported.run.channels)})",
        people=spec.classes_are_people,
        record=record,
        losses=[
            (loss.metric, format_rate(loss.before), format_rate(loss.after))
            for loss in exported.losses
        ],
        metrics=[] if record is None else list(_metrics(spec, record)),
    )


def _metrics(spec: TaskSpec, record: ResultRecord) -> Iterator[tuple[str, str]]:
    """The metrics of a study's table, in percent with their intervals."""
    for name in spec.columns(record):
        yield name, f"{format_rate(record.metrics[name], record.intervals.get(name))} %"


def _text(text: str) -> str:
    """Text from files in one line of Markdown, with none of its marks."""
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", printable(text))
