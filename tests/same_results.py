"""Whether this checkout gives the results of an older commit, to the last bit; run by hand.

    python tests/same_results.py [--baseline COMMIT] [--work DIR] [--only NAME ...] [--data FOLDER]

The same commands run with the old code (a git worktree) and with this checkout as it lies on the
disk, side by side; each side trains and converts data for itself. The exit code is 1 if a figure, a
log, a checkpoint, an array, a store or a table of the report differs, or a command fails.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from string import Template
from typing import Any, NamedTuple

import numpy as np
import torch

CHECKOUT = Path(__file__).resolve().parents[1]
COMPARED = (".json", ".jsonl", ".csv", ".npz", ".npy", ".pt")

# An editable install may offer the same packages from elsewhere: a silent mix would prove nothing.
LAUNCH = """
import pathlib, runpy, sys
import aclnet, protocols, tasks
tree, module = sys.argv[1:3]
for package in (aclnet, protocols, tasks):
    if not pathlib.Path(package.__file__).resolve().is_relative_to(tree):
        sys.exit(f"{package.__file__} is not of {tree}")
del sys.argv[1:3]
runpy.run_module(module, run_name="__main__", alter_sys=True)
"""

# One thread and no GPU, as sums in another order round otherwise; one hash seed, so that no order
# of a set comes between old and new.
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
ENVIRONMENT |= {"CUDA_VISIBLE_DEVICES": "", "PYTHONHASHSEED": "0"}

GAIT, REID, ACTION = "tasks.cli gait", "tasks.cli reid", "tasks.cli action"
RUNS = ((GAIT, "gait-walkers"), (GAIT, "gait-kgbd"), (REID, "reid-kgbd"))
CACHE = "--cache $side/cache"
KGBD = f"--data $data/kgbd.npz {CACHE}"
MSR = f"--config action/msr_action3d --data $data/msraction3d.npz {CACHE}"
# The recipes begin the inter-class term after some epochs; here it has to act from the first.
ONE = "--set train.epochs=1 --set objective.start_epoch=0"
TWO = "--set train.epochs=2 --set objective.start_epoch=0"
# A gait run's embeddings have the conditions that pairs are made of; KGBD has one pair only.
WALKERS = "--embeddings $side/gait-walkers/embeddings.npz --protocol casia_b"
OPEN = f"--rotations 2 {CACHE}"

# By name: a module and its arguments. $side has the folders of a side's cases, $out is that of this
# case, $old has those of the old code. A case needs those whose folders it names.
CASES: dict[str, list[str]] = {
    "gait-walkers": [f"{GAIT} train --set train.epochs=1 {CACHE} --run $out"],
    "gait-kgbd": [f"{GAIT} train --config gait/kgbd {KGBD} {ONE} --run $out"],
    "action-msr": [f"{ACTION} train {MSR} {TWO} --run $out"],
    "reid-kgbd": [f"{REID} train --config reid/kgbd {KGBD} {ONE} --run $out"],
    "eval": [
        *(
            f"{GAIT} eval --run $side/gait-walkers --rule {rule} --json $out/{rule}.json"
            for rule in ("exact", "gaitgraph", "gaitgraph2", "opengait")
        ),
        f"{GAIT} eval --run $side/gait-kgbd --gallery-takes 'random 2' --json $out/drawn.json",
        f"{GAIT} eval --embeddings $side/gait-kgbd/embeddings.npz --protocol kgbd_walks"
        " --json $out/gait.json",
        f"{REID} eval --run $side/reid-kgbd --json $out/reid.json",
        f"{REID} eval --run $side/reid-kgbd --rule transg --probe P --gallery G"
        " --json $out/transg.json",
        f"{REID} eval --embeddings $side/reid-kgbd/embeddings.npz --protocol kgbd --level walk"
        " --rerank 20,6,0.3 --expand 5,3 --json $out/walks.json",
        f"{REID} eval {WALKERS} --rule transg --probe C --gallery N --json $out/pair.json",
        *(
            f"{REID} eval {WALKERS} --rule {rule} --all-pairs --json $out/{rule}.json"
            for rule in ("clean", "cross-take", "market1501", "spc-mgr", "sge")
        ),
        f"{ACTION} eval --run $side/action-msr {CACHE} --json $out/action.json",
    ],
    "embed": [f"{task} embed --run $side/{run} {CACHE} --out $out/{run}.npz" for task, run in RUNS],
    "biometrics": [
        *(f"{t} biometrics --run $side/{run} {OPEN} --json $out/{run}.json" for t, run in RUNS),
        f"{REID} biometrics {WALKERS} --rule cross-take {OPEN} --json $out/pairs.json",
    ],
    "study": [
        f"{ACTION} study {MSR} {ONE} --arms ce,acl --seeds 0"
        " --runs $out/runs --results $out/results"
    ],
    "report": [
        "protocols.report --results $checkout/results --out $out --formats csv,markdown"
        " --no-figures"
    ],
    "old-runs": [
        *(f"{task} eval --run $old/{run} --json $out/{run}.json" for task, run in RUNS),
        *(f"{task} embed --run $old/{run} {CACHE} --out $out/{run}.npz" for task, run in RUNS),
        f"{ACTION} eval --run $old/action-msr {CACHE} --json $out/action.json",
    ],
    "cache": [],  # the stores that all of the above made
}


class Side(NamedTuple):
    """Where a side's code lies, and where its results go."""

    tree: Path
    folder: Path


def main() -> int:
    """Run the cases, compare, and say what is the same."""
    args = _arguments()
    work = Path(args.work or tempfile.mkdtemp(prefix="aclnet-")).resolve() / "same-results"
    old, new = Side(work / "baseline", work / "old"), Side(CHECKOUT, work / "new")
    began, results = time.monotonic(), list[bool]()
    try:
        for side in (old, new):
            shutil.rmtree(side.folder, ignore_errors=True)
        _remove_worktree(old.tree)
        _git("worktree", "add", "--quiet", "--force", "--detach", str(old.tree), args.baseline)
        print(f"old: {args.baseline}, new: {_git('describe', '--always', '--dirty')}")
        for name in _with_needed(args.only or list(CASES)):
            print(f"{name}: {len(CASES[name])} commands on each side ...", flush=True)
            start = time.monotonic()
            results += _run(name, old, new, args.data)
            results += _compare(old.folder / name, new.folder / name)
            print(f"{name}: {time.monotonic() - start:.0f} s", flush=True)
    finally:
        if args.work is None:
            _remove_worktree(old.tree)
            shutil.rmtree(work.parent, ignore_errors=True)
    bad = results.count(False)
    verdict = f"{bad} of {len(results)} DIFFERENT" if bad else f"all {len(results)} same"
    print(f"{verdict}, in {time.monotonic() - began:.0f} s")
    return int(bad > 0)


def _arguments() -> argparse.Namespace:
    shared = Path(os.environ.get("ACLNET_SHARED") or CHECKOUT.parent / "shared")
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--baseline", default="e129bb1", help="commit of the old code")
    parser.add_argument("--work", type=Path, help="folder to work in and to keep")
    parser.add_argument("--only", nargs="+", choices=list(CASES), help="these, and what they need")
    parser.add_argument("--data", type=Path, default=shared / "data", help="folder of recordings")
    args = parser.parse_args()
    args.data = args.data.resolve()
    if not args.data.is_dir():
        parser.error(f"there is no folder {args.data}: name that of the recordings with --data")
    return args


def _git(*arguments: str, check: bool = True) -> str:
    errors = None if check else subprocess.DEVNULL
    command = ["git", "-C", str(CHECKOUT), *arguments]
    done = subprocess.run(command, check=check, stdout=subprocess.PIPE, stderr=errors, text=True)
    return done.stdout.strip()


def _remove_worktree(tree: Path) -> None:
    """Also where it is damaged, or no worktree any more."""
    _git("worktree", "remove", "--force", str(tree), check=False)
    shutil.rmtree(tree, ignore_errors=True)


def _with_needed(names: list[str]) -> list[str]:
    """These cases and those whose folders they read, in the order of `CASES`."""
    text = " ".join(command for name in names for command in CASES[name])
    return [n for n in CASES if n in names or f"$side/{n}" in text or f"$old/{n}" in text]


def _run(case: str, old: Side, new: Side, data: Path) -> list[bool]:
    """Run a case on both sides at once; a False for each that fails."""

    def run(side: Side) -> str:
        """What went wrong."""
        out, tree = side.folder / case, side.tree
        side.folder.mkdir(parents=True, exist_ok=True)
        places = {"out": out, "side": side.folder, "old": old.folder}
        places |= {"data": data, "checkout": CHECKOUT}
        for command in CASES[case]:
            words = [Template(word).substitute(places) for word in shlex.split(command)]
            done = subprocess.run(
                [sys.executable, "-c", LAUNCH, str(tree), *words],
                cwd=tree,
                env=os.environ | ENVIRONMENT | {"PYTHONPATH": str(tree)},
                capture_output=True,
                text=True,
            )
            if done.returncode:
                return (
                    f"{side.folder.name} code: {shlex.join(words)}\n{done.stderr[-1500:].rstrip()}"
                )
        return ""

    with ThreadPoolExecutor(2) as pool:
        failures = [failure for failure in pool.map(run, (old, new)) if failure]
    for failure in failures:
        print(f"  DIFFERENT {case}: FAILED with the {failure}", flush=True)
    return [False] * len(failures)


def _compare(old: Path, new: Path) -> list[bool]:
    """Compare the files of two folders and print a line for each; whether they are the same."""
    old_files, new_files, results = _files(old), _files(new), list[bool]()
    for name in sorted(old_files.keys() | new_files.keys()):
        before, after = _read(old_files.get(name)), _read(new_files.get(name))
        if not before and not after:
            continue  # some other JSON
        if name.endswith(".pt") and before.keys() != after.keys() and len(before) == len(after):
            print(f"  remark: other keys in {name}; its tensors are compared in their order")
            after = dict(zip(before, after.values(), strict=True))
        # A count more than before is none that has changed.
        more = [place for place in after if place.startswith("/counts/") and place not in before]
        if before and more:
            print(f"  remark: {name} has further counts: {', '.join(more)}")
            after = {place: leaf for place, leaf in after.items() if place not in more}
        places = dict.fromkeys([*before, *after])
        told = {place: _difference(before.get(place), after.get(place)) for place in places}
        found = [f"{place}: {text}" for place, text in told.items() if text]
        if not before or not after:
            found = [f"only the {'old' if before else 'new'} code wrote it"]
        word = "DIFFERENT" if found else "same"
        print(f"  {word:9} {old.name}/{name} ({len(places)} entries, {len(found)} differ)")
        print("".join(f"      {line}\n" for line in found[:5]), end="", flush=True)
        results.append(not found)
    if not results:
        print(f"  DIFFERENT {old.name}: nothing to compare")
    return results or [False]


def _files(folder: Path) -> dict[str, Path]:
    """The files that can be compared; a store's name without the hash of its settings."""
    paths = (path for path in sorted(folder.rglob("*")) if path.suffix in COMPARED)
    return {re.sub(r"-[0-9a-f]{10}/", "/", p.relative_to(folder).as_posix()): p for p in paths}


def _read(path: Path | None) -> dict[str, Any]:
    """What a file holds: texts and arrays by their place in it; nothing of JSON but records."""
    if path is None:
        return {}
    content: Any = {}
    match path.suffix:
        case ".json":  # the rest of a record may change with its format
            record = json.loads(path.read_text("utf-8"))
            fields = ("metrics", "intervals", "counts", "cells") if "metrics" in record else ()
            content = {field: record.get(field) or {} for field in fields}
        case ".jsonl":  # without the times
            lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
            content = [{k: v for k, v in line.items() if "second" not in k} for line in lines]
        case ".csv":
            content = path.read_bytes().decode().splitlines(keepends=True)
        case ".npz":
            content = dict(np.load(path, allow_pickle=False))
        case ".npy":
            content = {"array": np.load(path, allow_pickle=False)}
        case ".pt":  # weights, buffers and the optimizer's state; not the settings and times
            saved = _leaves(torch.load(path, map_location="cpu", weights_only=True), "")
            return {place: leaf for place, leaf in saved if isinstance(leaf, np.ndarray)}
    return dict(_leaves(content, "")) if content else {}


def _leaves(value: Any, place: str) -> Iterator[tuple[str, Any]]:
    """Arrays as they are, else texts: `repr` tells apart any two floats, and -0.0 from 0.0."""
    if isinstance(value, dict | list) and value:
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(item, f"{place}/{key}")
    else:
        array = value.numpy() if isinstance(value, torch.Tensor) else value
        yield place, array if isinstance(array, np.ndarray) else repr(array)


def _difference(old: Any, new: Any) -> str:
    """How two leaves differ, if they do; None is one that is missing."""
    if not (isinstance(old, np.ndarray) and isinstance(new, np.ndarray)):
        same = type(old) is type(new) and old == new
        return "" if same else f"{old!s:.80} -> {new!s:.80}"
    if (old.dtype, old.shape) != (new.dtype, new.shape):
        return f"{old.dtype} {old.shape} -> {new.dtype} {new.shape}"
    if old.tobytes() == new.tobytes():
        return ""
    gap = f", by up to {np.abs(old - new).max():.2g}" if old.dtype.kind == "f" else ""
    return f"{np.sum(old != new)} of {old.size} numbers{gap}"


if __name__ == "__main__":
    sys.exit(main())
