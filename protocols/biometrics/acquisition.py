"""Failure to acquire: samples too short, empty or without a person, which give no embedding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from protocols.names import canonical


def count_not_acquired(
    conditions: Sequence[str], given: Mapping[str, int] | None
) -> dict[str, int]:
    """Probes that gave no embedding, as flat counts.

    Args:
        conditions: Names of the conditions.
        given: Probes by condition; what is not named counts as 0. None where it is not known.

    Returns:
        ``not_acquired`` and ``not_acquired/<condition>``; nothing where it is not known.

    Raises:
        ValueError: A condition is not there, or a count is negative.
    """
    if given is None:
        return {}
    failed = {str(canonical([name])[0]): count for name, count in given.items()}
    known = {str(canonical([name])[0]): name for name in conditions}
    unknown = sorted(set(failed) - set(known))
    if unknown or any(count < 0 for count in failed.values()):
        raise ValueError(
            f"not_acquired holds counts of at least 0 by condition, and {unknown or failed} does "
            f"not fit: the conditions are {', '.join(conditions)}."
        )
    counts = {f"not_acquired/{name}": int(failed.get(key, 0)) for key, name in known.items()}
    return {"not_acquired": sum(counts.values()), **counts}


def acquisition_rates(
    metrics: Mapping[str, float], counts: Mapping[str, int], targets: Sequence[float]
) -> dict[str, float]:
    """FTA, and with it FAR = FMR (1 - FTA) and FRR = FTA + FNMR (1 - FTA) (ISO/IEC 19795-1).

    Args:
        metrics: FNMR and achieved FMR at each target.
        counts: What :func:`count_not_acquired` found, and ``probes`` of every condition.
        targets: False match rates wanted.

    Returns:
        ``fta``, ``far@fmr<target>`` and ``frr@fmr<target>``, by condition; nothing where failures
        are not known.
    """
    found: dict[str, float] = {}
    for name in [key for key in counts if key.split("/")[0] == "not_acquired"]:
        mark = name.removeprefix("not_acquired")
        tried = counts[name] + counts[f"probes{mark}"]
        if not tried:
            continue
        fta = found[f"fta{mark}"] = counts[name] / tried
        for target in targets:
            fnmr = metrics.get(f"fnmr@fmr{target:g}{mark}")
            if fnmr is not None:
                fmr = metrics[f"fmr_achieved@fmr{target:g}{mark}"]
                found[f"far@fmr{target:g}{mark}"] = fmr * (1.0 - fta)
                found[f"frr@fmr{target:g}{mark}"] = fta + fnmr * (1.0 - fta)
    return found
