"""Near duplicates, which are warned about on enrolment."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tasks.gallery.content import Storage, Templates, Vectors
from tasks.gallery.search import is_near, rank_people, ready_points


def duplicates(
    storage: Storage, names: Sequence[str], values: Vectors, samples: Sequence[str]
) -> tuple[str, ...]:
    """Sentences on templates that appear twice, and on people who look like others.

    Args:
        storage: the gallery.
        names: N people to enrol.
        values: (N, D) their embeddings.
        samples: N keys of the recordings; empty where unknown.
    """
    metric = storage.about.metric
    least = float("inf") if (known := storage.threshold()) is None else known.value
    people, person = np.unique(np.array(names, dtype=object), return_inverse=True)
    new = Templates(tuple(people), person, np.arange(len(names)), ready_points(values, metric))
    labels = [
        f"recording {sample} of {name}" if sample else f"a template of {name}"
        for name, sample in zip(names, samples, strict=True)
    ]
    found = []
    for name, vector, label, ranked, beside in zip(
        names, values, labels, storage.rank(values, 2), rank_people(values, new, 2), strict=True
    ):
        same = [one for one in beside if one.person != name]
        if same and is_near(vector, same[0].score, metric):
            found.append(
                f"{label} is almost the same as {labels[same[0].template]}, enrolled with it"
            )
        others = [one for one in ranked if one.person != name and one.score >= least]
        if ranked and is_near(vector, ranked[0].score, metric):
            file, key = storage.template(ranked[0].template)
            what = " ".join(filter(None, (key, file and f"in {file}")))
            found.append(
                f"{label} is almost the same as {what or 'a template'}, enrolled for "
                f"{ranked[0].person}"
            )
        elif others:
            found.append(
                f"{label} looks like {others[0].person}, who is enrolled (score "
                f"{others[0].score:.3f}, threshold {least:.3f}): are they one person?"
            )
    return tuple(found)
