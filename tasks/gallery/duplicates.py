"""Near duplicates, which are warned about on enrolment."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.gallery.content import Storage, Vectors
from tasks.gallery.search import is_near


def duplicates(
    storage: Storage, names: Sequence[str], values: Vectors, samples: Sequence[str]
) -> tuple[str, ...]:
    """Sentences on templates that are there already, and on people who look like others.

    Args:
        storage: the gallery.
        names: N people to enrol.
        values: (N, D) their embeddings.
        samples: N keys of the recordings; empty where unknown.
    """
    least = float("inf") if (known := storage.threshold()) is None else known.value
    found = []
    for name, vector, sample, ranked in zip(
        names, values, samples, storage.rank(values, 2), strict=True
    ):
        label = f"recording {sample} of {name}" if sample else f"a template of {name}"
        others = [one for one in ranked if one.person != name and one.score >= least]
        if ranked and is_near(vector, ranked[0].score, storage.about.metric):
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
