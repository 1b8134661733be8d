"""Figures of a re-identification pair: rank lists, distances, errors by identity.

They are drawn from a run's saved embeddings; the data are only needed for the skeletons.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from aclnet.config import load_settings
from aclnet.data.show.draw import need_matplotlib, visible_points
from aclnet.data.store import Store
from aclnet.runs.info import SETTINGS
from protocols.names import canonical, plain
from protocols.reid.ranking import PairRanking, rank_pair
from protocols.reid.walks import number_walks
from tasks.reid.adapter import ReidAdapter
from tasks.reid.settings import ReidSettings
from tasks.run.saved import read_saved, require_tested
from tasks.samples.open import open_data
from tasks.spec import Report, find_task

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from protocols.figures.rank_lists import RankedStrip, RankList
    from tasks.reid.spec import ReidQuery

_PAGE_LISTS = 8  # rank lists that fit on one page


def show(
    run: Path,
    out: Path,
    query: ReidQuery,
    *,
    count: int,
    depth: int,
    wrong: bool,
    cache: Path,
    report: Report,
) -> Iterator[str]:
    """Draw a pair of a run under the run's rule, each figure as SVG and PNG.

    Args:
        run: a finished run.
        out: folder for the figures; existing files are replaced.
        query: the pair; by default the run's first.
        count: maximum number of rank lists.
        depth: gallery sequences per list.
        wrong: draw probes whose nearest sequence is of another person, the worst of each walk,
            lowest average precision first; otherwise probes spread evenly over the set.
        cache: folder for converted and generated data.
        report: called with progress messages, and what cannot be drawn.

    Yields:
        One line per file.

    Raises:
        ValueError: the run is not finished, there is no such pair, the data are not those of the
            run, or matplotlib is not installed.
    """
    need_matplotlib()
    embeddings = read_saved(find_task("reid"), run)
    settings = load_settings(ReidSettings, run / SETTINGS)
    protocol, chosen = settings.chosen_pairs()
    pair = (query.pairs(protocol, None) or chosen)[0]
    ranking = rank_pair(embeddings, protocol, pair, settings.rule)
    sequences = _sequences(ranking, settings, run, cache, report)
    subject = f"{protocol.name} {pair.name}, rule {ranking.rule.name}"
    places = ranking.worst(count) if wrong else ranking.spread(count)
    if not len(places):
        report(_why_no_list(ranking, wrong))
    lists = [_rank_list(ranking, sequences, place, depth) for place in places.tolist()]
    yield from _save_lists(lists, sequences, out / pair.name, subject)
    for name, figure in _summaries(ranking, report):
        yield from _save(figure, out / f"{pair.name}-{name}", f"{name} of {subject}")


def _sequences(
    ranking: PairRanking, settings: ReidSettings, run: Path, cache: Path, report: Report
) -> Store:
    """The sequences of the embeddings, row by row."""
    adapter = ReidAdapter(settings, open_data(settings.data, cache, report))
    sequences = adapter.test_sequences
    require_tested(find_task("reid"), run, sequences, ranking.data)
    return sequences


def _why_no_list(ranking: PairRanking, wrong: bool) -> str:
    pair = ranking.comparison.pair.name
    if not wrong or not len(ranking.spread(1)):
        return f"no probe of {pair} has a mate to compare with: no rank list is drawn"
    return (
        f"every probe of {pair} with a mate ranks it first: no rank list is drawn; --no-wrong "
        "draws some of them"
    )


def _rank_list(ranking: PairRanking, sequences: Store, place: int, depth: int) -> RankList:
    """A probe and its nearest gallery sequences."""
    from protocols.figures.rank_lists import RankList

    rows, distances = ranking.nearest(place, depth)
    own = int(ranking.comparison.probe[place])
    strips = [
        _strip(ranking, sequences, row, own, distance)
        for row, distance in zip(rows.tolist(), distances.tolist(), strict=True)
    ]
    note = f"AP {ranking.precision(place):.2f}"
    return RankList(_strip(ranking, sequences, own), tuple(strips), note)


def _strip(
    ranking: PairRanking,
    sequences: Store,
    row: int,
    probe: int | None = None,
    distance: float = 0.0,
) -> RankedStrip:
    """The probe's sequence, or one of its gallery with what makes the match easy."""
    from protocols.figures.rank_lists import RankedStrip

    data, name = ranking.data, str(ranking.data.sample[row])
    person = str(data.subject[row])
    title = name if _names_person(name, person) else f"{person}, {name}"
    points = visible_points(sequences.clip(row), sequences.info)
    # Only the body seen most, at whatever index of the file.
    body = np.isfinite(points).all(axis=-1).sum(axis=(0, 2)).argmax()
    if probe is None:
        return RankedStrip(points[:, body], title)
    pair = data.select([probe, row])
    people, view = pair.subject, canonical(pair.view)
    walk = number_walks(pair)
    flags = {
        "same walk": walk[0] == walk[1] and bool((pair.take != "").all()),
        "same view": view[0] == view[1] != "",
    }
    shown = tuple(flag for flag, holds in flags.items() if holds)
    same = bool(people[0] == people[1])
    return RankedStrip(points[:, body], f"{title}, {distance:.3f}", same, shown)


def _names_person(name: str, subject: str) -> bool:
    """Whether a sample's name starts with its person, as 008-nm-04 and Person008_4 do."""
    numbers = re.findall(r"\d+", name)
    begins = bool(numbers) and plain(numbers[0]) == plain(subject)
    return name.startswith(subject) or begins


def _save_lists(
    lists: Sequence[RankList], sequences: Store, stem: Path, subject: str
) -> Iterator[str]:
    """All lists on one page, then each by itself with more frames."""
    from protocols.figures.rank_lists import draw_rank_grid, draw_rank_list

    bones: list[list[int]] = sequences.layout.bone_index.tolist()
    y_down = sequences.info.dims == 2  # two dimensions: pixels of a picture
    if lists:
        figure = draw_rank_grid(lists[:_PAGE_LISTS], bones, y_down=y_down)
        yield from _save(figure, Path(f"{stem}-rank-lists"), f"rank lists of {subject}")
    for number, one in enumerate(lists, start=1):
        figure = draw_rank_list(one, bones, y_down=y_down)
        title = f"rank list {number} of {subject}"
        yield from _save(figure, Path(f"{stem}-rank-list-{number:02}"), title)


def _summaries(ranking: PairRanking, report: Report) -> Iterator[tuple[str, Figure]]:
    """Distances and errors of all probes, if there are any."""
    from protocols.figures.identity_errors import draw_identity_errors
    from protocols.figures.score_histograms import draw_binned_scores

    pair, counts = ranking.comparison.pair.name, ranking.distances()
    if counts.genuine.any() and counts.impostor.any():
        label = f"{ranking.metric} distance"
        yield "distances", draw_binned_scores(*counts, label=label)
    else:
        report(f"{pair} lacks genuine or impostor comparisons: no distances are drawn")
    hits, tested = ranking.result.sums[:, 0], ranking.result.trials[:, 0]
    if tested.any():
        yield "identity-errors", draw_identity_errors(ranking.result.people, tested - hits, tested)
    else:
        report(f"rule {ranking.rule.name} counts no probe of {pair}: no errors are drawn")


def _save(figure: Figure, stem: Path, title: str) -> Iterator[str]:
    from protocols.figures.drawing.style import save_figure

    for path in save_figure(figure, stem, title=title):
        yield f"{path}: {title}"
