"""`aclnet-task gait submit`: the file that a competition asks for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from protocols.gait.submission import Competition
from tasks.commands.options import Labels


def submit_command(
    competition: Annotated[Competition, typer.Argument(help="The competition.")],
    embeddings: Annotated[
        Path, typer.Option(help="Embeddings of gallery and probes, as for eval; see gait embed.")
    ],
    out: Annotated[Path, typer.Option(help="The CSV to write.")],
    labels: Labels = None,
) -> None:
    """Write a competition's file: the most alike gallery persons of every unknown probe.

    As OpenGait does. GREW: probes are of condition 03, gallery of 01 and 02. HID: probes have the
    person probe, or none; re-ranked. The view of a probe is the name of its video.
    """
    from protocols.embeddings import load_embeddings
    from protocols.files import write_text
    from protocols.gait.submission import submission
    from protocols.text import nouns

    text = submission(load_embeddings(embeddings, labels), competition)
    write_text(out, text)
    count = text.count("\n") - 1
    typer.echo(f"{count} {nouns('probes', count)} in {out}")
