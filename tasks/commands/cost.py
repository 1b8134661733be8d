"""`aclnet-task cost`: parameters, FLOPs, throughput and memory of the recipes' networks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tasks.commands.options import RECIPE_HELP, Overrides, command_line, echo, say

if TYPE_CHECKING:
    from protocols.records import ResultRecord


_HEADINGS = (
    "recipe",
    "backbone",
    "clip MxTxVxC",
    "parameters",
    "in training",
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
        typer.Option(
            min=1, max=10_000, help="Frames per clip instead of the recipe's; repeatable."
        ),
    ] = None,
    overrides: Overrides = None,
    task: Annotated[
        str | None, typer.Option(help="Task of recipes whose folder does not name one.")
    ] = None,
    batch_size: Annotated[int, typer.Option(min=2, max=100_000, help="Clips per batch.")] = 4,
    threads: Annotated[int, typer.Option(min=1, max=1_024, help="CPU threads.")] = 1,
    seconds: Annotated[
        float,
        typer.Option(
            min=0, max=3_600, help="Minimum time for each median, of at least three runs."
        ),
    ] = 1.0,
    accelerator: Annotated[
        Literal["auto", "cpu", "cuda"], typer.Option(help="Device to measure on.")
    ] = "auto",
    json_dir: Annotated[
        Path | None,
        typer.Option(help="Also write one record per network here, named by recipe and backbone."),
    ] = None,
) -> None:
    """Measure the cost of networks on random clips; needs no data.

    Throughput and memory depend on this machine; parameters and FLOPs do not.
    """
    from tasks.cost.measure import Conditions
    from tasks.cost.run import measure_costs, plan_costs, record_name

    plans = plan_costs(config, frames or (), overrides or (), task, say)
    conditions = Conditions(batch_size, threads, accelerator, seconds)
    records: list[ResultRecord] = []
    for plan, record in zip(
        plans, measure_costs(plans, conditions, command_line(), say), strict=True
    ):
        if json_dir is not None:
            record.write(json_dir / record_name(plan, bool(frames)))
        records.append(record)
    echo(_table(records))
    for note in dict.fromkeys(note for record in records for note in record.notes):
        echo(note)


def _table(records: list[ResultRecord]) -> str:
    from protocols.text import align_columns

    rows = [_HEADINGS]
    for record in records:
        metrics, counts = record.metrics, record.counts
        axes = (counts[name] for name in ("persons", "frames", "joints", "channels"))
        peak = metrics.get("peak_memory_bytes")
        rows.append(
            (
                record.protocol,
                record.objective,
                "x".join(map(str, axes)),
                f"{metrics['parameters']:,.0f}",
                f"{metrics['train_parameters']:,.0f}",
                f"{1e-9 * metrics['flops']:.3f}",
                f"{metrics['clips_per_second']:.1f}",
                f"{metrics['train_clips_per_second']:.1f}",
                "-" if peak is None else f"{peak / 2**20:.0f}",
            )
        )
    return align_columns(rows, names=3)
