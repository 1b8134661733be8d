"""The recordings that an action run was surest about, and wrong."""

from __future__ import annotations

import numpy as np

from protocols.action.scores import UNKNOWN, ClassScores
from tasks.action.settings import ActionSettings
from tasks.commands.show.worst import Answer, Case


def worst(scores: ClassScores, settings: ActionSettings, count: int, depth: int) -> list[Case]:
    """The most confident errors, each beside typical recordings of the given and the true class.

    Typical is the tested recording with the highest probability of its own class. An error with
    neither beside it is left out.
    """
    del settings, depth
    given, truth, chance = scores.predicted, scores.label, scores.probabilities
    rows = np.arange(len(scores))
    wrong = rows[(truth != UNKNOWN) & (given != truth)]
    wrong = wrong[np.argsort(-chance[wrong, given[wrong]], kind="stable")]
    cases = []
    for row in wrong.tolist():
        answers = []
        for label, correct in ((int(given[row]), False), (int(truth[row]), True)):
            others = rows[(truth == label) & (rows != row)]
            if len(others):
                best = int(others[chance[others, label].argmax()])
                name = f"a {scores.classes[label]}, {scores.sample[best]}"
                answers.append(Answer(best, name, correct))
        words = [
            f"{what} {scores.classes[label]} {chance[row, label]:.0%}"
            for what, label in (("predicted", int(given[row])), ("true", int(truth[row])))
        ]
        if answers:
            cases.append(Case(row, ", ".join(words), tuple(answers)))
    return cases[:count]
