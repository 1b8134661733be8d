"""`aclnet-task gallery`: enrol people, and say who a recording shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from protocols.text import printable
from tasks.commands.options import (
    JsonFile,
    Reading,
    echo,
    pin_run,
    reader_options,
    say,
    with_query,
)

if TYPE_CHECKING:
    from tasks.gallery.answers import Answer, Verified
    from tasks.gallery.content import Threshold
    from tasks.gallery.people import Gallery

gallery_app = typer.Typer(
    no_args_is_help=True,
    help="Enrol people, identify and verify recordings, and detect people who are not enrolled.",
)

reads_files = partial(with_query, query=Reading)
Place = Annotated[
    str, typer.Argument(metavar="GALLERY", help="A file, or postgresql://user@host/database.")
]
Files = Annotated[list[Path], typer.Argument(help="Files, folders or stores of recordings.")]
Run = Annotated[
    Path | None,
    typer.Option(
        "--run",
        "-r",
        "--model",
        help="The gallery's model: a trained run or an exported one; by default from where it was "
        "when the gallery was created.",
        callback=pin_run,
    ),
]
Accepted = Annotated[
    float | None,
    typer.Option(
        "--threshold", help="Score from which people are named, instead of the calibrated one."
    ),
]


@gallery_app.command("create")
def create(
    gallery: Place,
    run: Annotated[
        Path,
        typer.Option(
            "--run", "-r", "--model", help="A trained run, or an exported one.", callback=pin_run
        ),
    ],
    hnsw: Annotated[
        bool,
        typer.Option("--hnsw", help="Let a database search by an index that may miss templates."),
    ] = False,
) -> None:
    """Create an empty gallery for the embeddings of a trained run."""
    from tasks.gallery.people import Gallery

    with Gallery.create(gallery, run, hnsw=hnsw) as made:
        about = made.about
        echo(
            f"{printable(made.place)}: embeddings of {about.dimensions} dimensions, compared by "
            f"{about.metric}; model {about.fingerprint[:12]}"
        )


@gallery_app.command("enrol")
@reads_files
def enrol(
    gallery: Place,
    files: Files,
    query: Reading,
    person: Annotated[
        str | None, typer.Option(help="Whose recordings they are; by default as the data say.")
    ] = None,
    run: Run = None,
) -> None:
    """Enrol recordings, all or none: each becomes a template of its person."""
    with _opened(gallery, run) as found:
        done = found.enrol(files, person, **_keywords(query))
        _say_left_out(found)
        for warning in done.warnings:
            say(f"warning: {printable(warning)}")
        echo(
            f"enrolled: {_count(done.templates, 'templates')} of {_count(done.people, 'people')}; "
            f"{printable(found.place)} now holds {_count(len(found.people()), 'people')}"
        )
        _show_recall(found)


@gallery_app.command("identify")
@reads_files
def identify(
    gallery: Place,
    files: Files,
    query: Reading,
    run: Run = None,
    threshold: Accepted = None,
    candidates: Annotated[
        int, typer.Option(min=1, max=1_000, help="Number of most similar people per answer.")
    ] = 5,
    json: JsonFile = None,
) -> None:
    """Say who each recording shows: an enrolled person, or nobody enrolled.

    A person's score is that of the best template. With -o people=apart, where the format has it,
    each person of a file is a recording.
    """
    _require_apart(json, files)
    with _opened(gallery, run) as found:
        reading = _keywords(query)
        answers = found.identify(files, threshold=threshold, candidates=candidates, **reading)
        rows = [["sample", "person", "score", "margin"]]
        for one in answers:
            who = "(nobody enrolled)" if one.person is None else one.person
            values = map(_number, (one.score, one.margin))
            rows.append([one.sample, who, *values])
        _show_answers(found, answers, rows, threshold, json)


@gallery_app.command("verify")
@reads_files
def verify(
    gallery: Place,
    person: Annotated[str, typer.Argument(help="The claimed person.")],
    files: Files,
    query: Reading,
    run: Run = None,
    threshold: Accepted = None,
    json: JsonFile = None,
) -> None:
    """Say of each recording whether it shows a person.

    The best of their templates counts, and --fmr of `calibrate` holds for it: who has more needs a
    higher score.
    """
    _require_apart(json, files)
    with _opened(gallery, run) as found:
        answers = found.verify(person, files, threshold=threshold, **_keywords(query))
        rows = [["sample", "answer", "score"]]
        for one in answers:
            answer = "accepted" if one.accepted else "refused"
            rows.append([one.sample, answer, _number(one.score)])
        _show_answers(found, answers, rows, threshold, json)


@gallery_app.command("list")
def list_people(gallery: Place, json: JsonFile = None) -> None:
    """List the enrolled people, and what the gallery holds."""
    with _opened(gallery) as found:
        people, about, known = found.people(), found.about, found.threshold
    _write(json, found.place, known, {"people": [one._asdict() for one in people]})
    if people:
        rows = [["person", "templates", "first", "last"]]
        _table([*rows, *([one.name, str(one.templates), one.first, one.last] for one in people)], 1)
    templates = sum(one.templates for one in people)
    model = f"{about.fingerprint[:12]} {printable(about.model)}".rstrip()
    echo(
        f"{_count(len(people), 'people')}, {_count(templates, 'templates')} of {about.dimensions} "
        f"dimensions ({about.metric}); model {model}"
    )
    if known is None:
        echo("no threshold: choose one with `aclnet-task gallery calibrate`")
    else:
        echo(f"threshold {known.value:.4f}{_about(known, len(people))}")


@gallery_app.command("remove")
def remove(
    gallery: Place,
    person: Annotated[str, typer.Argument(help="Whom to remove.")],
    wait: Annotated[
        float, typer.Option(min=0, max=86_400, help="Seconds to wait for readers.")
    ] = 30.0,
) -> None:
    """Remove a person, and erase them from all files of the gallery.

    It says "erased" only when their name and vectors are overwritten in the file and its log.
    Copies and backups are yours. Given again, it finishes an erasure that a reader held up.
    """
    with _opened(gallery) as found:
        done = found.remove(person, wait)
    if not done.erased:
        say("removed, not yet erased: a reader is open")
        raise typer.Exit(1)
    beyond = f"; {done.beyond}" if done.beyond else ""
    echo(f"erased: {_count(done.templates, 'templates')} of {printable(person)}{beyond}")


@gallery_app.command("calibrate")
@reads_files
def calibrate(
    gallery: Place,
    files: Files,
    query: Reading,
    fmr: Annotated[
        float | None,
        typer.Option(
            help="Highest share of pairs of two people's recordings to accept; by default 0.01. A "
            "stranger is compared with all enrolled, and is named more often."
        ),
    ] = None,
    fpir: Annotated[
        float | None,
        typer.Option(
            help="Instead: highest share of strangers' recordings for which this gallery, with "
            "those enrolled now, names somebody."
        ),
    ] = None,
    run: Run = None,
) -> None:
    """Choose the threshold on other people, whose identities the data hold."""
    if fmr is not None and fpir is not None:
        raise ValueError("give --fmr or --fpir, not both")
    chosen: dict[str, Any] = {"kind": "fmr", "target": 0.01 if fmr is None else fmr}
    if fpir is not None:
        chosen = {"kind": "fpir", "target": fpir}
    with _opened(gallery, run) as found:
        known = found.calibrate(files, **chosen, **_keywords(query))
        _say_left_out(found)
    echo(f"threshold {known.value:.4f}{_about(known, known.enrolled)}")
    if known.fnmr is not None:
        echo(f"at this threshold, {known.fnmr:.2%} of the comparisons of one person are rejected")
    if known.fpir is not None:
        people = _count(known.enrolled, "people")
        echo(f"with the {people} enrolled, {known.fpir:.2%} of these recordings are named")


@gallery_app.command("check")
def check(gallery: Place, run: Run = None) -> None:
    """Check the file, its people and vectors, and with --run the model; exit code 1 on faults."""
    with _opened(gallery, run) as found:
        people, faults = found.people(), found.check(model=run is not None)
        _show_recall(found)
    for fault in faults:
        say(f"fault: {fault}")
    templates = sum(one.templates for one in people)
    echo(
        f"{_count(len(people), 'people')}, {_count(templates, 'templates')}: "
        f"{_count(len(faults), 'faults') if faults else 'no fault'}"
    )
    if faults:
        raise typer.Exit(1)


def _require_apart(json: Path | None, files: Sequence[Path]) -> None:
    """Refuse to write the answers over a recording."""
    if json is None or not json.exists():
        return
    if any(json.resolve().is_relative_to(file.resolve()) for file in files):
        raise ValueError(f"{json} is one of the recordings: give --json another file")


def _show_answers(
    gallery: Gallery,
    answers: Sequence[Answer] | Sequence[Verified],
    rows: Sequence[Sequence[str]],
    threshold: float | None,
    json: Path | None,
) -> None:
    """Write the answers, and print them above the threshold: a head, and a row beside each file."""
    from dataclasses import asdict

    from tasks.gallery.answers import Verified

    known = None if threshold is not None else gallery.threshold
    content = {"answers": [asdict(one) for one in answers], "left_out": gallery.left_out}
    _say_left_out(gallery)
    _write(json, gallery.place, known, content)
    files = ["file", *_short([one.file for one in answers])]
    _table([[file, *row] for file, row in zip(files, rows, strict=True)])
    first = answers[0]
    claim = first if isinstance(first, Verified) else None
    echo(f"threshold {_number(first.threshold)}{_about(known, len(gallery.people()), claim)}")


def _short(files: Sequence[str]) -> list[str]:
    """Files without the folders that all of them have in common."""
    from os.path import commonpath

    folders = {str(Path(file).parent) for file in files}
    if len(folders) == 1 or len({Path(file).is_absolute() for file in files}) > 1:
        return [Path(file).name if len(folders) == 1 else file for file in files]
    return [str(Path(file).relative_to(commonpath(folders))) for file in files]


def _show_recall(gallery: Gallery) -> None:
    share = gallery.recall()
    if share is not None:
        echo(f"the index finds {share:.2%} of the 10 nearest templates of up to 100 enrolled ones")


def _say_left_out(gallery: Gallery) -> None:
    from aclnet.data.left_out import left_out_in_words

    for file, counts in gallery.left_out.items():
        say(f"{file}: left out: {left_out_in_words(counts)}")


def _opened(place: str, run: Path | None = None) -> Gallery:
    from tasks.gallery.people import Gallery

    return Gallery(place, run, say)


def _keywords(query: Reading) -> dict[str, Any]:
    from aclnet.runs.model import Model

    return query.keywords() | reader_options(query.options, Model.embed)


def _about(known: Threshold | None, enrolled: int, claim: Verified | None = None) -> str:
    """What a threshold was chosen on, and whether the gallery has grown since."""
    if known is None:
        return " as given"
    rate, what = {
        "fmr": ("false match rate", "comparisons of two people"),
        "fpir": ("false positive identification rate", "recordings of strangers"),
    }[known.kind]
    grown = ""
    if known.kind == "fpir" and known.enrolled != enrolled:
        grown = (
            f" (then {_count(known.enrolled, 'people')} enrolled, now {enrolled}: calibrate again)"
        )
    least = f": {rate} {known.achieved:.2%}, at most {known.target:.2%}"
    if known.kind == "fmr" and claim is not None and claim.rate is not None and claim.templates > 1:
        least = f" for the best of {claim.templates:,} templates: {rate} at most {claim.rate:.2%}"
        if claim.rate > known.target:
            least += f", not {known.target:.2%} (calibrate with more recordings of more people)"
    return (
        f"{least}, on {known.comparisons:,} "
        f"{what} ({_count(known.recordings, 'recordings')} of {_count(known.people, 'people')})"
        f"{grown}"
    )


def _count(number: int, words: str) -> str:
    from protocols.text import nouns

    return f"{number:,} {nouns(words, number)}"


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.4f}" if abs(value) < 1e6 else f"{value:.4g}"  # a threshold may be any number


def _table(rows: Sequence[Sequence[str]], names: int = 3) -> None:
    from protocols.text import align_columns

    echo(align_columns(rows, names=names))


def _write(
    path: Path | None,
    gallery: str,
    known: Threshold | None,
    content: Mapping[str, Any],
) -> None:
    """Write a result as JSON; the file is complete or absent."""
    if path is None:
        return
    from json import dumps

    from protocols.files import write_text

    threshold = None if known is None else known.model_dump()
    whole = {"gallery": gallery, "threshold": threshold, **content}
    write_text(path, dumps(whole, indent=1, ensure_ascii=False) + "\n")
