"""The rank lists of a re-identification pair, as cases of a page."""

from __future__ import annotations

from protocols.embeddings import Embeddings
from protocols.reid.ranking import rank_pair
from tasks.commands.show.worst import Answer, Case
from tasks.reid.settings import ReidSettings
from tasks.reid.spec import ReidQuery


def worst(data: Embeddings, settings: ReidSettings, count: int, depth: int) -> list[Case]:
    """The worst probes of the run's first pair, each with its nearest gallery sequences.

    Raises:
        ValueError: the run's settings name no pair.
    """
    return rank_lists(data, settings, ReidQuery(), count, depth, wrong=True)


def rank_lists(
    data: Embeddings,
    settings: ReidSettings,
    query: ReidQuery,
    count: int,
    depth: int,
    *,
    wrong: bool,
) -> list[Case]:
    """Probes with their nearest gallery sequences, and where the right person came.

    Args:
        data: embeddings of the test sequences.
        settings: settings of the run.
        query: the pair; by default the run's first.
        count: probes at most.
        depth: gallery sequences a probe.
        wrong: the worst of the wrongly matched probes; otherwise any, evenly spread.

    Raises:
        ValueError: there is no such pair.
    """
    protocol, chosen = settings.chosen_pairs()
    pair = (query.pairs(protocol, None) or chosen)[0]
    ranking = rank_pair(data, protocol, pair, settings.rule)
    places = ranking.worst(count) if wrong else ranking.spread(count)
    cases = []
    for place in places.tolist():
        probe = int(ranking.comparison.probe[place])
        person = data.subject[probe]
        rows, distances = ranking.nearest(place, len(data))
        first = int((data.subject[rows] == person).argmax()) + 1  # every listed probe has a mate
        answers = [
            Answer(
                row,
                f"{data.sample[row]}, {distance:.3f}",
                bool(data.subject[row] == person),
                rank,
                drawn=rank <= depth,
            )
            for rank, (row, distance) in enumerate(
                zip(rows.tolist(), distances.tolist(), strict=True), start=1
            )
            if rank <= depth or rank == first
        ]
        note = f"{person} ranked {first}, AP {ranking.precision(place):.2f}"
        cases.append(Case(probe, note, tuple(answers)))
    return cases
