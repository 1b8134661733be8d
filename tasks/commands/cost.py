"""`aclnet-task cost`: parameters, operations, throughput and memory of the recipes' networks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tasks.commands.options import RECIPE_HELP, Overrides, command_line, say

if TYPE_CHECKING:
    from protocols.records import ResultRecord


_HEADINGS = (
    "recipe",
    "backbone",
    "clip MxTxVxC",
    "parameters",
    "GFLOP/clip",
    "clips/s",
    "training clips/s",
    "peak MiB",
)


def cost_command(
    config: Annotated[
        list[str] | None,
        typer.Option(
            "--config",
            "-c",
            help=f"{RECIPE_HELP} Repeatable; by default all shipped ones with distinct networks.",
        ),
    ] = None,
    frames: Annotated[
        list[int] | None,
        typer.Option(min=1, help="Frames of a clip instead of the recipe's; repeatable."),
    ] = None,
    overrides: Overrides = None,
    task: Annotated[
        str | None, typer.Option(help="Of recipes that lie in no folder of its name.")
    ] = None,
    batch_size: Annotated[int, typer.Option(min=2, help="Clips at a time.")] = 4,
    threads: Annotated[int, typer.Option(min=1, help="Threads of the processor.")] = 1,
    seconds: Annotated[
        float, typer.Option(min=0, help="Least time for each median; three runs at least.")
    ] = 1.0,
    accelerator: Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="Where.")] = "auto",
    json_dir: Annotated[
        Path | None,
        typer.Option(help="Also write a record a network here, named by recipe and backbone."),
    ] = None,
) -> None:
    """Measure what networks cost, on random clips: no data are needed.

    Throughput and memory are this machine's; parameters and operations are anybody's.
    """
    from tasks.cost.measure import Conditions
    from tasks.cost.run import measure_costs, plan_costs, record_name

    plans = plan_costs(config, frames or (), overrides or (), task, say)
    conditions = Conditions(batch_size, threads, accelerator, seconds)
    records = measure_costs(plans, conditions, command_line(), say)
    found: list[ResultRecord] = []
    for plan, record in zip(plans, records, strict=True):
        if json_dir is not None:
            record.write(json_dir / record_name(plan, bool(frames)))
        found.append(record)
    typer.echo(_table(found))
    for note in dict.fromkeys(note for record in found for note in record.notes):
        typer.echo(note)


def _table(records: list[ResultRecord]) -> str:
    """What the records say, a line each."""
    from protocols.text import align_columns

    lines = [_HEADINGS]
    for record in records:
        metrics, counts = record.metrics, record.counts
        axes = (counts[name] for name in ("persons", "frames", "joints", "channels"))
        peak = metrics.get("peak_memory_bytes")
        lines.append(
            (
                record.protocol,
                record.objective,
                "x".join(map(str, axes)),
                f"{metrics['parameters']:,.0f}",
                f"{1e-9 * metrics['flops']:.3f}",
                f"{metrics['clips_per_second']:.1f}",
                f"{metrics['train_clips_per_second']:.1f}",
                "-" if peak is None else f"{peak / 2**20:.0f}",
            )
        )
    return align_columns(lines, names=3)
