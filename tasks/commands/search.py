"""`aclnet-task search`: the nearest of a gallery's embeddings, exactly or by an index."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from protocols.ranking.distances import Metric
from tasks.commands.options import echo, say

if TYPE_CHECKING:
    from protocols.embeddings import Embeddings

IndexName = Literal["exact", "ivf", "hnsw"]


def search_command(
    probes: Annotated[Path, typer.Option(help="Embeddings to look up, as for eval.")],
    gallery: Annotated[Path, typer.Option(help="Embeddings to search, as for eval.")],
    out: Annotated[Path, typer.Option(help="The CSV to write: one row per probe and neighbour.")],
    k: Annotated[int, typer.Option(min=1, help="Neighbours of each probe.")] = 10,
    index: Annotated[
        IndexName,
        typer.Option(
            help="exact; or for galleries of many millions ivf or hnsw, which miss some: their "
            "recall is measured on 100 of the probes and printed."
        ),
    ] = "exact",
    nprobe: Annotated[
        int | None, typer.Option(min=1, help="Cells that ivf looks at: more find more, slower.")
    ] = None,
    ef_search: Annotated[
        int | None, typer.Option(min=1, help="Candidates that hnsw looks at, likewise.")
    ] = None,
    metric: Annotated[Metric, typer.Option(help="Distance.")] = "cosine",
    device: Annotated[
        Literal["auto", "cpu", "gpu"], typer.Option(help="Where to search; gpu takes all GPUs.")
    ] = "auto",
    half: Annotated[
        bool, typer.Option("--half", help="Hold the gallery in float16: half the memory.")
    ] = False,
) -> None:
    """Find the nearest gallery embeddings of every probe, ties by the lowest gallery row.

    Under torchrun, with one process a machine, each process searches a part of the gallery; the
    answer is the same.
    """
    ranks = int(os.environ.get("WORLD_SIZE", "1"))
    for option, value, own in (("nprobe", nprobe, "ivf"), ("ef-search", ef_search, "hnsw")):
        if value is not None and index != own:
            raise ValueError(f"--{option} is for --index {own}, not for {index}")
    if index != "exact" and ranks > 1:
        raise ValueError(f"--index {index} runs in one process: start it without torchrun")
    if out.resolve() in (probes.resolve(), gallery.resolve()):
        raise ValueError(f"--out {out} are the embeddings themselves: give another file")
    from protocols.files import write_text
    from protocols.ranking.approximate import Index
    from protocols.ranking.retrieval import search

    recall, how = 1.0, "exact"
    near: Any
    if ranks > 1:
        near, sides, first = _by_ranks(probes, gallery, k, metric, device, half)
        if not first:
            return
    else:
        sides = _read(probes, gallery)
        stored = _held(sides[1].embedding, half)
        with say.bar("searching"):
            if index == "exact":
                near = search(sides[0].embedding, stored, k, metric=metric, device=device)
            else:
                widths = {"nprobe": nprobe, "ef_search": ef_search}
                found = Index(stored, index, metric=metric, device=device, **widths)
                near = found.search(sides[0].embedding, k)
                recall, how = near.recall, f"{index}, {near}"
    write_text(out, _table(*sides, near, recall))
    counts = f"{len(sides[0])} probes in {len(sides[1])} gallery embeddings"
    echo(f"{counts}: the {near.rows.shape[1]} nearest of each in {out} ({how})")


def _read(probes: Path, gallery: Path) -> tuple[Embeddings, Embeddings]:
    from protocols.embeddings import load_embeddings

    return load_embeddings(probes), load_embeddings(gallery)


def _held(vectors: Any, half: bool) -> Any:
    """The gallery's vectors, in float16 if asked for.

    Raises:
        ValueError: A value is beyond float16, or a vector is all zeros there.
    """
    import numpy as np

    if not half:
        return vectors
    with np.errstate(over="ignore"):
        stored = vectors.astype(np.float16)
    if not np.isfinite(stored).all():
        raise ValueError("--half: a value of the gallery is beyond float16; search without --half")
    if (vectors.any(axis=1) & ~stored.any(axis=1)).any():
        raise ValueError(
            "--half: a vector of the gallery is too short for float16; search without --half"
        )
    return stored


def _by_ranks(
    probes: Path, gallery: Path, k: int, metric: Metric, device: Any, half: bool
) -> tuple[Any, tuple[Embeddings, Embeddings], bool]:
    """The neighbours, both sides, and whether this is the process that writes them."""
    import numpy as np

    from aclnet.distributed import gather_objects, in_agreement, rank, world_size
    from aclnet.training.machine.launch import join_ranks
    from aclnet.training.settings import TrainSettings
    from protocols.ranking.shards import search_shards

    join_ranks(TrainSettings(accelerator="cpu"))  # FAISS finds the GPUs by itself
    sides = in_agreement(lambda: _read(probes, gallery))
    own = np.array_split(sides[1].embedding, world_size())[rank()]
    part = in_agreement(lambda: _held(own, half))
    near = search_shards(
        sides[0].embedding, part, k, rank(), gather_objects, metric=metric, device=device
    )
    return near, sides, rank() == 0


def _table(probe: Embeddings, gallery: Embeddings, near: Any, recall: float) -> str:
    """CSV; the recall stands in every row, so that no part of the file lacks it."""
    import pandas as pd

    found = near.rows >= 0
    place, order = found.nonzero()
    rows = near.rows[found]
    columns = {
        "probe": probe.sample[place],
        "rank": order + 1,
        "gallery": gallery.sample[rows],
        "subject": gallery.subject[rows],
        "distance": near.distances[found],
        "recall": round(recall, 4),
    }
    return str(pd.DataFrame(columns).to_csv(index=False))
