"""`aclnet-task data`: label recordings, convert them into a store, check, show and export it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console
from rich.table import Table

from protocols.text import nouns
from tasks.commands.options import (
    Format,
    Layout,
    ReaderOptions,
    cells,
    echo,
    reader_options,
    say,
    whole_numbers,
)

if TYPE_CHECKING:
    from aclnet.data.store import Store

data_app = typer.Typer(
    no_args_is_help=True,
    help="Label recordings, convert them into a store, check, show and export it.",
)


@data_app.command()
def convert(
    source: Annotated[
        Path, typer.Argument(help="File or folder of recordings (docs/formats.md lists all kinds).")
    ],
    target: Annotated[Path, typer.Argument(help="Folder of the store to write.")],
    format: Annotated[
        str | None,
        typer.Option(help="Such as pyskl, ntu_skeleton, bvh, c3d; by default detected."),
    ] = None,
    layout: Annotated[
        str | None, typer.Option(help="The recordings' joints: a shipped layout or a YAML file.")
    ] = None,
    map_to: Annotated[
        str | None, typer.Option(help="The layout to store; joints are matched by name.")
    ] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FIELD=VALUE",
            help="Keep only these samples, such as label=walk (or identity, condition, view, take, "
            "camera); repeat for more values or fields.",
        ),
    ] = None,
    min_frames: Annotated[int, typer.Option(help="Drop shorter sequences.")] = 0,
    dtype: Annotated[
        Literal["float32", "float16"], typer.Option(help="Type of the stored frames.")
    ] = "float32",
    fps: Annotated[float | None, typer.Option(help="Frames per second.")] = None,
    image_size: Annotated[
        str | None, typer.Option(help="The video's WIDTHxHEIGHT in pixels, such as 320x240.")
    ] = None,
    unit: Annotated[
        str | None, typer.Option(help="pixel, metre or normalised; by default detected.")
    ] = None,
    split: Annotated[str | None, typer.Option(help="npz: the key that holds the split.")] = None,
    pattern: Annotated[
        str | None, typer.Option(help="pose_pickle: which files of a folder, such as 'pose_*.pkl'.")
    ] = None,
    options: ReaderOptions = None,
    main_person: Annotated[
        bool,
        typer.Option(
            "--main-person",
            help="Put the main person first, drop their empty frames, centre on them.",
        ),
    ] = False,
    fill_gaps: Annotated[
        float | None,
        typer.Option(
            help="Fill a lost joint between two frames that show it, up to so many seconds apart, "
            "such as 0.3.",
        ),
    ] = None,
    resample_fps: Annotated[
        float | None,
        typer.Option(help="Bring faster recordings to this frame rate, such as 120 to 30."),
    ] = None,
    upsample: Annotated[
        bool, typer.Option("--upsample", help="Bring slower ones to it too, linear in time.")
    ] = False,
    overwrite: Annotated[bool, typer.Option(help="Replace an existing store.")] = False,
) -> None:
    """Convert recordings in one of the known formats into a store."""
    from aclnet.data.convert import convert as convert_data

    if upsample and resample_fps is None:
        raise ValueError("--upsample needs the frame rate to reach (--resample-fps)")
    own: dict[str, Any] = {"split": split, "pattern": pattern}
    own |= {"fps": fps, "image_size": _parse_size(image_size), "unit": unit}
    own |= reader_options(options, convert_data)
    console = Console()
    with say.bar("reading") as progress:
        store = convert_data(
            source,
            target,
            format=format,
            layout=layout,
            map_to=map_to,
            prepare="main_person" if main_person else "none",
            fill_gaps=fill_gaps,
            resample_fps=resample_fps,
            upsample=upsample,
            where=_parse_kept(keep or []),
            min_frames=min_frames,
            dtype=dtype,
            overwrite=overwrite,
            progress=progress,
            **{name: value for name, value in own.items() if value is not None},
        )
    echo(f"{target}: {_size(store)}")
    console.print(_description(store))


@data_app.command()
def walkers(
    folder: Annotated[Path, typer.Argument(help="Folder to write.")],
    people: Annotated[int, typer.Option(min=1, help="Number of people.")] = 8,
    takes: Annotated[int, typer.Option(min=1, help="Plain walks of each.")] = 4,
    bags: Annotated[int, typer.Option(min=0, help="Walks of each with a bag.")] = 0,
    views: Annotated[str, typer.Option(help="Cameras in degrees, comma-separated.")] = "90",
    seed: Annotated[int, typer.Option(min=0, help="Other seeds are other people.")] = 0,
) -> None:
    """Write synthetic people walking as keypoint files (MMPose's JSON), to try the commands on."""
    from aclnet.config import load_settings
    from aclnet.data.settings import DataSettings
    from aclnet.data.walkers.files import write_walker_files

    made = load_settings(
        DataSettings,
        None,
        [
            f"walkers.identities={people}",
            f"walkers.nm_takes={takes}",
            f"walkers.bg_takes={bags}",
            "walkers.cl_takes=0",
            f"walkers.views={whole_numbers(views, '--views')}",
            f"walkers.seed={seed}",
        ],
    )
    with say.bar("generating") as progress:
        count = write_walker_files(folder, made.walkers, progress)
    echo(f"{folder}: {count} {nouns('recordings', count)}")


@data_app.command()
def labels(
    source: Annotated[Path, typer.Argument(help="Folder or file of keypoints.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The table to write (.csv).")],
    pattern: Annotated[
        str | None,
        typer.Option(
            help="What the names of files and folders say, such as "
            "'{identity}/{condition}-{take}*'; of identity, label, condition, view, take, camera."
        ),
    ] = None,
    people: Annotated[
        Literal["apart", "together"],
        typer.Option(
            help="apart: who is it, for gait and reid; together: what is done, for action."
        ),
    ] = "apart",
    min_frames: Annotated[
        int, typer.Option(min=0, help="Leave out people who are followed for fewer frames.")
    ] = 20,
    format: Format = None,
    layout: Layout = None,
    options: Annotated[
        list[str] | None,
        typer.Option("--option", help="An option of the format, such as max_gap=50; repeatable."),
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace an existing table.")] = False,
) -> None:
    """Write a table of recordings, and of the people in them, to fill in who and what they are.

    Every ? in it waits for a value; the identity - leaves somebody out. Then convert with the
    option labels=TABLE.
    """
    from aclnet.data.formats.keypoints.unfilled import unfilled_labels
    from protocols.files import write_text

    if out.suffix.lower() != ".csv":
        raise ValueError(f"--out {out}: a table of labels ends in .csv")
    if out.exists() and not overwrite:
        raise ValueError(
            f"{out} already exists and may be filled in; set --overwrite to replace it"
        )
    if out.resolve().is_relative_to(source.resolve()):
        raise ValueError(f"--out {out}: write it outside {source}, where it is not a recording")
    own = reader_options(options, unfilled_labels)
    if taken := [name for name in ("people", "pattern", "labels") if name in own]:
        raise ValueError(f"--option {taken[0]}: this command sets it itself; see --help")
    with say.bar("reading") as progress:
        found = unfilled_labels(
            source,
            people=people,
            pattern=pattern,
            min_frames=min_frames,
            format=format,
            layout=layout,
            progress=progress,
            **own,
        )
    write_text(out, found.text())
    rows, recordings = len(found.rows), found.recordings
    echo(f"{out}: {rows} {nouns('rows', rows)}, {recordings} {nouns('recordings', recordings)}")
    if found.unfit:
        echo(f"{len(found.unfit)} do not fit {pattern}: {_few(found.unfit)}")
    if found.crowded:
        verb = "recording shows" if len(found.crowded) == 1 else "recordings show"
        echo(f"{len(found.crowded)} {verb} several people: {_few(found.crowded)}")
    if found.short:
        people_left = f"{found.short} {nouns('people', found.short)}"
        echo(f"{people_left} of fewer than {min_frames} frames: left out (-)")
    waiting = ", ".join(f"{count} of {name}" for name, count in found.unfilled.items())
    echo(f"cells to fill in (?): {waiting}" if waiting else "every ? is filled in")
    echo(f"then: aclnet-task data convert {source} STORE -o people={people} -o labels={out}")


@data_app.command()
def validate(
    path: Annotated[Path, typer.Argument(help="Folder of the store.", metavar="STORE")],
    min_frames: Annotated[int, typer.Option(help="Report shorter samples.")] = 10,
    limit: Annotated[int, typer.Option(help="Maximum number of findings to print.")] = 50,
) -> None:
    """Check every sample of a store; the exit code is 1 if there are errors, else 0."""
    from aclnet.data.store import open_store
    from aclnet.data.validate import validate as find_faults

    store = open_store(path)
    console = Console()
    with say.bar("checking") as progress:
        findings = find_faults(store, min_frames=min_frames, progress=progress)
    findings.sort(key=lambda finding: finding.severity != "error")
    errors = sum(finding.severity == "error" for finding in findings)
    if findings:
        table = Table("severity", "sample", "field", "problem")
        for finding in findings[:limit]:
            row = (finding.severity, finding.sample or "(store)", finding.field, finding.problem)
            table.add_row(*cells(*row))
        console.print(table)
    if len(findings) > limit:
        echo(f"and {len(findings) - limit} more (--limit)")
    counts = f"{errors} errors, {len(findings) - errors} warnings"
    echo(f"{path}: {_size(store)}: {counts}")
    if errors:
        raise typer.Exit(1)


@data_app.command()
def show(
    path: Annotated[
        Path,
        typer.Argument(
            help="A store, or recordings in a known format (docs/formats.md).", metavar="STORE"
        ),
    ],
    sample: Annotated[str | None, typer.Option(help="Key of one sample to show.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "--to",
            help="Draw the sample (or the first) here: .png, .svg, .pdf, .gif; or moving skeletons "
            "(of a dozen samples, unless one is named): a page, .html, or a recording for rerun's "
            "viewer, .rrd.",
        ),
    ] = None,
    frames: Annotated[int, typer.Option(min=1, max=300, help="Frames in a still picture.")] = 8,
    limit: Annotated[int, typer.Option(help="Values to list per field.")] = 12,
) -> None:
    """Show the contents of a store: counts, lengths, one sample, a picture, animation or page."""
    from tasks.commands.show.clips import MOVING, open_shown, write_clips

    store = open_shown(path)
    console = Console()
    if sample is None and out is None:
        echo(f"{path}: {_size(store)}")
        console.print(_description(store))
        console.print(_counts(store, limit))
        return
    row = 0 if sample is None else _row_of(store, sample)
    if out is not None and out.suffix.lower() in MOVING:
        write_clips(store, None if sample is None else [row], out)
    elif out is not None:
        from aclnet.data.show.draw import draw_clip

        title = str(store.index["sample"].iat[row])
        info = store.info.model_copy(update={"fps": store.fps(row)})
        numbers = store.frame_numbers(row)
        draw_clip(store.clip(row), info, out, title=title, count=frames, numbers=numbers)
    console.print(_sample_table(store, row))
    if out is not None:
        echo(f"drawn: {out}")


@data_app.command()
def export(
    path: Annotated[Path, typer.Argument(help="Folder of the store.", metavar="STORE")],
    out: Annotated[
        Path,
        typer.Argument(
            help="The .npz or .parquet file to write, or the folder for one file per recording.",
            metavar="OUT",
        ),
    ],
    to: Annotated[
        Literal["npz", "parquet", "csv", "trc", "kinetics"] | None,
        typer.Option(help="The format; by default by the ending of OUT."),
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace an existing file.")] = False,
) -> None:
    """Write a store in another format, which `data convert` reads: docs/formats.md lists them.

    NumPy reads .npz; `datasets` and pandas read .parquet; OpenSim reads trc, ST-GCN kinetics.
    """
    from aclnet.data.export import export_store
    from aclnet.data.store import open_store

    store = open_store(path)
    with say.bar("writing") as progress:
        options = export_store(store, out, to, overwrite=overwrite, progress=progress)
    echo(f"{out}: {_size(store)}")
    if options:
        named = ("layout", "unit", "fps", "image_size")
        words = [
            f"--{name.replace('_', '-')} {value}" if name in named else f"-o {name}={value}"
            for name, value in options.items()
        ]
        echo(f"read it with: aclnet-task data convert {out} STORE {' '.join(words)}")


def _parse_size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    width, _, height = text.lower().partition("x")
    if not (width.isdigit() and height.isdigit()):
        raise ValueError(f"--image-size must be WIDTHxHEIGHT such as 320x240, not {text!r}")
    return int(width), int(height)


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def _parse_kept(texts: Sequence[str]) -> dict[str, list[str]]:
    kept: dict[str, list[str]] = {}
    for text in texts:
        field, sign, value = text.partition("=")
        if not sign:
            raise ValueError(f"--keep {text!r}: expected FIELD=VALUE, such as label=walk")
        kept.setdefault(field, []).append(value)
    return kept


def _size(store: Store) -> str:
    frames = int(store.lengths.sum())
    return f"{len(store)} {nouns('samples', len(store))}, {frames} {nouns('frames', frames)}"


def _row_of(store: Store, sample: str) -> int:
    import difflib

    from aclnet.data.names import composed

    rows = store.index.index[store.index["sample"] == composed(sample)]
    if len(rows) == 0:
        near = difflib.get_close_matches(sample, store.index["sample"].tolist(), n=3)
        raise ValueError(
            f"{store.path}: no sample {sample!r}"
            + (f"; similar: {', '.join(near)}" if near else "")
        )
    return int(rows[0])


def _description(store: Store) -> Table:
    import numpy as np

    from aclnet.data.left_out import left_out_in_words, notes_in_words

    info, lengths = store.info, store.lengths
    size = "x".join(map(str, info.image_size)) if info.image_size else "unknown"
    rows = {
        "source": info.source + (" (synthetic)" if info.synthetic else ""),
        "layout": f"{store.layout.name} ({store.layout.joint_count} joints)",
        "persons": str(store.frames.shape[1]),
        "channels": f"{', '.join(info.channels)} ({info.unit}), {store.frames.dtype}",
        "image size": size,
        "frames per second": _rates(store),
        "frames per sample": f"{lengths.min()} to {lengths.max()}, median {np.median(lengths):g}",
        "kept": "; ".join(
            f"{field} {', '.join(values)}"
            for field, values in info.settings.get("kept", {}).items()
        ),
        "left out": left_out_in_words(info.dropped) or "nothing",
        "notes": "\n".join(notes_in_words(info.notes)),
        "fingerprint": info.fingerprint[:16],
    }
    table = Table(show_header=False)
    for name, value in rows.items():
        if value:
            table.add_row(name, *cells(value))
    return table


def _counts(store: Store, limit: int) -> Table:
    """The number of values of each field, and the most common ones with their samples."""
    from aclnet.data.sample import FIELDS
    from protocols.names import natural_key

    table = Table("field", "values", "samples per value")
    for field in FIELDS:
        counts = store.index[field].value_counts()
        if list(counts.index) == [""]:
            continue
        listed = sorted(counts.items(), key=lambda item: (-item[1], natural_key(str(item[0]))))
        texts = [f"{value or '(none)'}: {count}" for value, count in listed[:limit]]
        more = ", …" if len(counts) > limit else ""
        table.add_row(field, *cells(str(len(counts)), ", ".join(texts) + more))
    return table


def _rates(store: Store) -> str:
    """The recordings' frames per second: one value, or the lowest and the highest."""
    from aclnet.data.sample import FPS_COLUMN

    own = {float(text) if text else store.info.fps for text in store.index.get(FPS_COLUMN, [""])}
    found = sorted(rate for rate in own if rate)
    return " to ".join(f"{rate:g}" for rate in found[:: max(len(found) - 1, 1)]) or "unknown"


def _sample_table(store: Store, row: int) -> Table:
    """One sample's fields; its frames and seconds are those of the recording as it was filmed."""
    from aclnet.data.numbering import numbers_to_text
    from aclnet.data.sample import FIELDS, SIZE_COLUMN

    index, numbers, rate = store.index.iloc[row], store.frame_numbers(row), store.fps(row)
    rows = {name: str(index.get(name, "")) for name in ("sample", *FIELDS, SIZE_COLUMN)}
    rows["length"] = f"{len(numbers)} frames"
    if len(numbers):
        first, end = int(numbers[0]), int(numbers[-1]) + 1
        rows["frames"] = numbers_to_text(numbers) or f"{first}-{end - 1}"
        if rate:
            rows["seconds"] = f"{first / rate:.2f} to {end / rate:.2f}, {rate:g} frames per second"
    table = Table(show_header=False)
    for name, value in rows.items():
        if value:
            table.add_row(name, *cells(value))
    return table
