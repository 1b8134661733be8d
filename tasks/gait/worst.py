"""The probes of a gait run whose person came furthest down the list."""

from __future__ import annotations

import numpy as np

from protocols.embeddings import Embeddings
from protocols.gait.ranking import missed_probes
from protocols.gait.rules import RULES
from tasks.commands.show.worst import Answer, Case
from tasks.gait.settings import GaitSettings


def worst(data: Embeddings, settings: GaitSettings, count: int, depth: int) -> list[Case]:
    """The worst probes, each with the nearest gallery samples and its own person's nearest.

    Raises:
        ValueError: the protocol finds no gallery or no probe.
    """
    generator = np.random.default_rng(settings.train.seed)
    metric = RULES[settings.rule].metric
    found = missed_probes(data, settings.gallery_probe(), metric, count, depth, generator)
    cases = []
    for one in found:
        person = data.subject[one.probe]
        near = zip(one.nearest.tolist(), one.distances.tolist(), strict=True)
        answers = [
            Answer(
                row, f"{data.sample[row]}, {distance:.3f}", bool(data.subject[row] == person), place
            )
            for place, (row, distance) in enumerate(near, start=1)
        ]
        if one.rank > depth:
            name = str(data.sample[one.mate])
            answers.append(Answer(one.mate, name, True, one.rank, drawn=False))
        note = f"{person} ranked {one.rank} of {one.compared}"
        cases.append(Case(one.probe, note, tuple(answers)))
    return cases
