"""`aclnet-task live`: streams of key points, answered while they run."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tasks.commands.options import Reading, pin_run, reader_options, say

if TYPE_CHECKING:
    from aclnet.data.formats.keypoints.reader import KeypointOptions
    from aclnet.runs.model import Model

_OPTIONS = ("persons", "max_gap")


def live_command(
    source: Annotated[
        str,
        typer.Argument(
            help="- for lines on standard input; unix:PATH or tcp://127.0.0.1:PORT to listen there."
        ),
    ],
    run: Annotated[
        Path,
        typer.Option("--run", "-r", help="A trained run, or an exported one.", callback=pin_run),
    ],
    query: Reading,
    gallery: Annotated[
        str | None, typer.Option(help="A gallery of this model, whose people are named.")
    ] = None,
    window: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=10_000,
            help="Frames per answer; by default a clip for people, four clips for actions.",
        ),
    ] = None,
    stride: Annotated[
        int | None,
        typer.Option(
            min=1, max=10_000, help="Frames between answers; by default as for recordings."
        ),
    ] = None,
    least: Annotated[
        int | None,
        typer.Option(
            min=1, max=10_000, help="Frames of a track that ends to be answered; by default a clip."
        ),
    ] = None,
    spread: Annotated[
        bool,
        typer.Option(
            "--spread/--together",
            help="Whether windows of several people are due in different frames, so that none "
            "waits for the others: a person's first begins up to a stride later.",
        ),
    ] = True,
    top: Annotated[int, typer.Option(min=1, max=100, help="People or actions to list.")] = 5,
    threshold: Annotated[
        float | None,
        typer.Option(help="Score to name people from, not the gallery's calibrated one."),
    ] = None,
    false_alarms: Annotated[
        float,
        typer.Option(
            help="Share of known actions that may be called unknown, if the run is calibrated."
        ),
    ] = 0.05,
    idle: Annotated[
        float | None, typer.Option(min=0, help="Seconds without a frame after which to end.")
    ] = None,
    device: Annotated[str, typer.Option(help="Device to compute on, such as cuda.")] = "cpu",
) -> None:
    """Answer a stream of key points while it runs, window by window and track by track.

    Answers are lines of JSON on standard output. Ctrl-C ends it. Nothing is kept, and only this
    machine's own programs can send.
    """
    from aclnet.runs.model import load
    from aclnet.training.machine.interrupts import Interrupted
    from tasks.gallery.people import Gallery
    from tasks.live.answers import Answers
    from tasks.live.joints import RunJoints
    from tasks.live.loop import Live
    from tasks.live.sources import opened_source
    from tasks.live.tracks import Cut, Tracks

    model = load(run, device)
    options = _options(query, model)
    joints = RunJoints(model, query.layout)
    with ExitStack() as opened:
        known = None if gallery is None else opened.enter_context(Gallery(gallery, model))
        answers = Answers(
            model,
            known,
            persons=options.persons,
            top=top,
            threshold=threshold,
            false_alarms=false_alarms,
            prepare=query.prepare,
        )
        length, step = answers.cut(window, stride)
        shortest = min(least or model.settings.clip.frames, length)
        cut = Cut(length, step, shortest, options.max_gap, spread)
        answers.warm_up(length, joints.shape)
        stream = opened.enter_context(opened_source(source))
        live = Live(joints, Tracks(cut), answers, query.fps, typer.echo, say)
        say(
            f"reading {stream.name}: an answer for each {length} frames of a person, every "
            f"{step} (Ctrl-C ends it)"
        )
        try:
            live.run(stream, idle)
        except KeyboardInterrupt as error:
            raise Interrupted(f"stopped: {live.summary()}; nothing is kept", error) from None
        say(live.summary())


def _options(query: Reading, model: Model) -> KeypointOptions:
    """The options of key points: the run's, and those given."""
    from aclnet.data.formats.keypoints.reader import KeypointOptions
    from aclnet.runs.reading import require_rate

    require_rate(query.fps)
    if query.format is not None:
        raise ValueError("--format is for a folder of files: the lines of a stream have one format")
    given = reader_options(query.options, KeypointOptions)
    if unknown := sorted(given.keys() - {*_OPTIONS}):
        raise ValueError(f"--option {unknown[0]}: a stream has only {' and '.join(_OPTIONS)}")
    own = {
        name: model.settings.data.options[name]
        for name in _OPTIONS
        if name in model.settings.data.options
    }
    if model.exported is not None and model.exported.graph is not None:
        own["persons"] = model.exported.graph.persons or own.get("persons", 2)
    return KeypointOptions(**{**own, **given})
