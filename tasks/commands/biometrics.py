"""`aclnet-task gait biometrics` and `aclnet-task reid biometrics`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tasks.commands.options import Cache, JsonFile, command_line, say

if TYPE_CHECKING:
    from tasks.run.biometrics import BiometricsQuery


class Scores(StrEnum):
    """How embeddings are compared."""

    cosine = "cosine"
    euclidean = "euclidean"


class Unseen(StrEnum):
    """What a probe sequence is not compared with (see `protocols.reid.rules`)."""

    clean = "clean"
    cross_take = "cross-take"
    market1501 = "market1501"


RunFolder = Annotated[
    Path | None, typer.Option("--run", "-r", help="A run: its saved test embeddings.")
]
EmbeddingsFile = Annotated[
    Path | None,
    typer.Option(
        help="Anybody's embeddings: .npz or CSV with subject, condition, take, view, embedding."
    ),
]
DevelopmentFile = Annotated[
    Path | None,
    typer.Option(help="Embeddings of other people, to choose thresholds on."),
]
DevelopmentRun = Annotated[
    bool,
    typer.Option(
        "--development-run/--no-development-run",
        help="Embed the run's validation people to choose thresholds on, where no file is given.",
    ),
]
Rates = Annotated[str, typer.Option("--fmr", help="False match rates, by commas.")]
Metric = Annotated[Scores, typer.Option(help="How embeddings are compared.")]
Rotations = Annotated[
    int, typer.Option(min=0, help="Draws of the people who stay unenrolled; 0 for no open set.")
]
Seed = Annotated[int, typer.Option(min=0, help="Draws them, and gallery takes of 'random N'.")]

_FMR = "0.1,0.01,0.001"


def add_biometrics(app: typer.Typer, task: Literal["gait", "reid"]) -> None:
    """Give a task's app the command."""
    app.command("biometrics")(gait_command if task == "gait" else reid_command)


def gait_command(
    run: RunFolder = None,
    embeddings: EmbeddingsFile = None,
    protocol: Annotated[
        str | None,
        typer.Option(
            help="casia_b, kgbd_walks, ucalgary_gait, or a CSV or YAML file; by default the run's."
        ),
    ] = None,
    development: DevelopmentFile = None,
    development_run: DevelopmentRun = True,
    fmr: Rates = _FMR,
    metric: Metric = Scores.cosine,
    rotations: Rotations = 10,
    seed: Seed = 0,
    cache: Cache = Path("runs/stores"),
    json: JsonFile = None,
) -> None:
    """Verification and open-set rates: EER, FNMR at FMR, thresholds chosen on other people."""
    from tasks.gait.biometrics import measure_file, measure_run
    from tasks.run.biometrics import BiometricsQuery

    query = BiometricsQuery(
        protocol=protocol,
        metric=metric.value,
        targets=rates(fmr),
        development=development,
        own_development=development_run,
        rotations=rotations,
        seed=seed,
    )
    if run is not None and embeddings is None:
        record, text = measure_run(run, query, cache, command_line(), say)
    elif embeddings is not None and run is None:
        record, text = measure_file(embeddings, query, command_line())
    else:
        raise ValueError("give either --run RUN or --embeddings FILE")
    if json is not None:
        record.write(json)
    typer.echo(text)


def reid_command(
    run: RunFolder = None,
    embeddings: EmbeddingsFile = None,
    protocol: Annotated[
        str | None,
        typer.Option(help="casia_b, kgbd, ks20, ias, biwi, or a YAML file; by default the run's."),
    ] = None,
    rule: Annotated[
        Unseen, typer.Option(help="What a probe sequence is not compared with.")
    ] = Unseen.clean,
    development: DevelopmentFile = None,
    development_run: DevelopmentRun = True,
    fmr: Rates = _FMR,
    metric: Metric = Scores.cosine,
    rotations: Rotations = 10,
    seed: Seed = 0,
    cache: Cache = Path("runs/stores"),
    json: JsonFile = None,
) -> None:
    """Verification and open-set rates of every pair: EER, FNMR at FMR, thresholds of others."""
    from tasks.reid.biometrics import measure_file, measure_run
    from tasks.run.biometrics import BiometricsQuery

    query: BiometricsQuery = BiometricsQuery(
        protocol=protocol,
        metric=metric.value,
        targets=rates(fmr),
        development=development,
        own_development=development_run,
        rotations=rotations,
        seed=seed,
        rule=rule.value,
    )
    if run is not None and embeddings is None:
        record, text = measure_run(run, query, cache, command_line(), say)
    elif embeddings is not None and run is None:
        record, text = measure_file(embeddings, query, command_line())
    else:
        raise ValueError("give either --run RUN or --embeddings FILE")
    if json is not None:
        record.write(json)
    typer.echo(text)


def rates(text: str) -> tuple[float, ...]:
    """False match rates given by commas.

    Raises:
        ValueError: one is no number above 0 and at most 1.
    """
    try:
        found = tuple(float(part) for part in text.split(",") if part.strip())
    except ValueError:
        found = ()
    if not found or not all(0.0 < rate <= 1.0 for rate in found):
        raise ValueError(
            f"--fmr {text!r}: expected rates above 0 and at most 1 by commas, such as 0.01,0.001"
        )
    return found
