"""`aclnet-task live`: streams of key points, answered while they run."""

from __future__ import annotations

from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
            help="- for lines on standard input; unix:PATH or tcp://127.0.0.1:PORT to listen "
            "there; a folder of key points that grows; or a video."
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
            min=1,
            max=10_000,
            help="Frames that an ended track needs for an answer; by default a clip.",
        ),
    ] = None,
    spread: Annotated[
        bool,
        typer.Option(
            "--spread/--together",
            help="Spread the windows of several people over different frames, so that none waits "
            "for the others: a person's first window begins up to a stride later.",
        ),
    ] = True,
    top: Annotated[int, typer.Option(min=1, max=100, help="People or actions to list.")] = 5,
    threshold: Annotated[
        float | None,
        typer.Option(
            help="Score from which people are named, instead of the gallery's calibrated one."
        ),
    ] = None,
    false_alarms: Annotated[
        float,
        typer.Option(
            help="Share of known actions that may be called unknown, if the run is calibrated."
        ),
    ] = 0.05,
    idle: Annotated[
        float | None, typer.Option(min=0, help="Stop after this many seconds without a frame.")
    ] = None,
    pose_model: Annotated[
        Path | None,
        typer.Option("--model", help="For a video: your ONNX file of an RTMO, or of an RTMPose."),
    ] = None,
    detector: Annotated[
        Path | None,
        typer.Option(help="For a video with an RTMPose: your ONNX file of a YOLOX."),
    ] = None,
    device: Annotated[str, typer.Option(help="Device to compute on, such as cuda.")] = "cpu",
) -> None:
    """Answer a stream of key points while it runs, window by window and track by track.

    Answers are lines of JSON on standard output. Ctrl-C ends it. Nothing is kept, and only this
    machine's own programs can send.
    """
    from aclnet.runs.model import load
    from aclnet.training.machine.interrupts import Interrupted
    from tasks.gallery.current import CurrentGallery
    from tasks.live.answers import Answers
    from tasks.live.joints import RunJoints
    from tasks.live.loop import Live
    from tasks.live.sources import opened_source
    from tasks.live.tracks import Cut, Tracks

    model = load(run, device)
    given, options = _options(query, model)
    joints = RunJoints(model, query.layout)
    with ExitStack() as opened:
        known = None
        if gallery is not None:
            known = opened.enter_context(closing(CurrentGallery(gallery, model)))
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
        stream = opened.enter_context(
            opened_source(
                source,
                format=query.format,
                options=given,
                layout=query.layout,
                model=pose_model,
                detector=detector,
            )
        )
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


def _options(query: Reading, model: Model) -> tuple[dict[str, Any], KeypointOptions]:
    """Options for a reader of key points, and those of a stream: the run's, and those given."""
    from aclnet.data.formats.keypoints.reader import KeypointOptions
    from aclnet.runs.reading import require_rate
    from aclnet.skeleton import load_layout
    from tasks.live.events import MOST_PEOPLE
    from tasks.live.tracks import LONGEST_GAP

    require_rate(query.fps)
    known = model.settings.data.options
    own = {name: known[name] for name in _OPTIONS if name in known}
    if model.exported is not None and model.exported.graph is not None:
        own["persons"] = model.exported.graph.persons or own.get("persons", 2)
    given = reader_options(query.options, KeypointOptions)
    found = {**own, **{name: given[name] for name in _OPTIONS if name in given}}
    options = KeypointOptions(**found)
    if options.max_gap > LONGEST_GAP or options.persons > MOST_PEOPLE:
        raise ValueError(
            f"max_gap is at most {LONGEST_GAP:,} and persons at most {MOST_PEOPLE} in a stream"
        )
    layout = {} if query.layout is None else {"layout": load_layout(query.layout)}
    return {**given, **layout}, options
