from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aclnet.config import load_settings
from aclnet.data.store import Store, open_store
from aclnet.training.log import read_log
from protocols.embeddings import load_embeddings
from tasks.reid.settings import ReidSettings

PAIRS = ("N-N", "B-B", "C-C", "C-N", "B-N")
SAME = ("people=same", "protocol=kgbd", "identities.validation=2", "data.min_frames=8")


def changes(*values: str) -> list[str]:
    return [word for value in values for word in ("-s", value)]


@pytest.fixture(scope="module")
def same_run(
    call: Any, reid_recipe: Path, known_people: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A run on people who are known from the training, with the best epoch tested."""
    run = tmp_path_factory.mktemp("runs") / "same"
    options = changes(*SAME, "select=best")
    command = ("reid", "train", "-c", reid_recipe, "--data", known_people, "--run", run)
    call(*command, *options)
    return run


def test_run_folder(
    reid_run: Path, reid_recipe: Path, reid_walkers: Store, run_files: frozenset[str]
) -> None:
    assert {item.name for item in reid_run.iterdir()} == run_files
    settings = load_settings(ReidSettings, reid_run / "settings.yaml")
    assert settings == load_settings(ReidSettings, reid_recipe)
    saved = load_embeddings(reid_run / "embeddings.npz")
    tested = reid_walkers.index["identity"] > "005"
    assert len(saved) == (reid_walkers.lengths[tested] // 8).sum()
    assert set(saved.condition) == {"nm", "bg", "cl"}
    assert all("@" in name for name in saved.sample.tolist())
    kinds = [line["kind"] for line in read_log(reid_run / "log.jsonl")]
    assert kinds == (["step"] * 3 + ["epoch", "evaluation"]) * 2 + ["finished"]


def test_record(reid_run: Path, record: Any, record_keys: frozenset[str]) -> None:
    found = record(reid_run)
    assert found.keys() >= record_keys
    assert (found["task"], found["protocol"], found["rule"]) == ("reid", "casia_b", "clean")
    assert (found["objective"], found["stream"], found["seed"]) == ("acl", "j+b", 0)
    assert found["dataset"]["synthetic"] is True
    metrics, intervals = found["metrics"], found["intervals"]
    for before in ("", "transg/", "cross-take/", "walk/"):
        measures = ["rank1", "rank5", "rank10", "mAP"] + ["mINP"] * (before != "transg/")
        for measure in measures:
            each = [metrics[f"{before}{measure}/{pair}"] for pair in PAIRS]
            assert metrics[f"{before}{measure}"] == pytest.approx(np.mean(each))
        low, high = intervals[f"{before}rank1/C-N"]
        assert low <= metrics[f"{before}rank1/C-N"] <= high
    assert all(0 <= value <= 1 for value in metrics.values())
    # Other sets are other walks: there the rules agree.
    assert metrics["cross-take/rank1/C-N"] == metrics["rank1/C-N"]
    # What TranSG's mAP counts is the probe itself; a walk of one's own is easy to find.
    assert metrics["transg/mAP/N-N"] > metrics["mAP/N-N"]
    assert metrics["rank1/N-N"] >= metrics["cross-take/rank1/N-N"]
    assert found["settings"]["evaluation"] == {"metric": "cosine", "level": "sequence"}
    assert any("cross-take removes them" in note for note in found["notes"])


def test_counts_and_cells(reid_run: Path, record: Any) -> None:
    found = record(reid_run)
    counts, cells = found["counts"], found["cells"]["main"]
    saved = load_embeddings(reid_run / "embeddings.npz")
    sizes = {letter: int((saved.condition == name).sum()) for letter, name in SETS.items()}
    for pair in PAIRS:
        assert counts[f"probes/{pair}"] == sizes[pair[0]]
        assert counts[f"gallery/{pair}"] == sizes[pair[2]]
        cell = cells["pairs"][pair]
        people = cell["people"]
        assert people["names"] == ["006", "007", "008"]
        assert sum(people["trials"]) == sizes[pair[0]]
        rate = sum(people["rank1_hits"]) / sum(people["trials"])
        assert rate == pytest.approx(found["metrics"][f"rank1/{pair}"])
        assert cell["cmc"][0] == pytest.approx(rate, abs=1e-6)
        assert cell["cmc"] == sorted(cell["cmc"])
    assert counts["test_sequences"] == len(saved)
    assert counts["dropped_left_over_frames"] > 0


SETS = {"N": "nm", "B": "bg", "C": "cl"}


def test_baseline(reid_run: Path, record: Any) -> None:
    own, floor = record(reid_run), record(reid_run, "record-bone-length.json")
    assert floor["objective"] == "bone-length"
    assert floor["settings"]["evaluation"]["metric"] == "euclidean"
    # The floor is measured under the settings' rule alone.
    others = ("transg/", "cross-take/", "walk/")
    assert floor["metrics"].keys() == {n for n in own["metrics"] if not n.startswith(others)}
    for name in ("probes/C-N", "gallery/C-N", "test_sequences"):
        assert floor["counts"][name] == own["counts"][name]


def test_all_five_pairs_stand_in_one_table(
    call: Any, reid_copy: Path, cache: Path, record: Any
) -> None:
    before = record(reid_copy)["metrics"]
    (reid_copy / "record.json").unlink()
    done = call("reid", "train", "--resume", "--run", reid_copy, "--cache", cache)
    assert "has finished its 2 epochs" in done.err
    people = "3 training, 2 validation and 3 test people"
    counting = "(identities.train=5 counts the validation people)"
    assert f"{people} {counting}, 90 training recordings" in done.err
    assert record(reid_copy)["metrics"] == before
    rows = [line.split() for line in done.out.partition("counts")[0].splitlines()]
    for name in ("acl", "bone-length", "chance"):
        assert [row[1] for row in rows if row[:1] == [name]] == [*PAIRS, "mean"]
    (first,) = [row for row in rows if row[:2] == ["acl", "C-N"]]
    assert first[2] == f"{100 * before['rank1/C-N']:.2f}"
    for rule in ("clean", "transg", "cross-take"):
        assert f"casia_b, rule {rule}, " in done.out
    assert "whole walks" in done.out


def test_known_people(same_run: Path, record: Any, run_files: frozenset[str]) -> None:
    assert {item.name for item in same_run.iterdir()} == run_files | {"best.pt"}
    found = record(same_run)
    assert (found["protocol"], found["dataset"]["name"]) == ("kgbd", "known")
    assert found["counts"]["dropped_short"] == 5
    metrics = found["metrics"]
    # One pair, never looked for in itself: cross-take would say the same.
    assert metrics["rank1"] == metrics["rank1/P-G"]
    assert not any(name.startswith("cross-take") for name in metrics)
    assert metrics["transg/rank1"] == metrics["rank1"]
    saved = load_embeddings(same_run / "embeddings.npz")
    assert set(saved.condition) == {"probe", "gallery"}
    lines = read_log(same_run / "log.jsonl")
    watched = [line["validation/rank1"] for line in lines if line["kind"] == "evaluation"]
    assert len(watched) == 2
    # The embeddings are those of the best epoch.
    from tasks.run.open import embed_data
    from tasks.spec import find_task

    again = embed_data(find_task("reid"), same_run, None, same_run.parent / "cache")
    np.testing.assert_allclose(again.embedding, saved.embedding, atol=1e-6)


def test_a_best_epoch_that_is_gone_is_not_replaced_by_the_last(
    same_run: Path, mistake: Any, tmp_path: Path
) -> None:
    run = tmp_path / "same"
    shutil.copytree(same_run, run)
    (run / "best.pt").unlink()
    words = ("has no best epoch (best.pt)", "validation/rank1", "select=last")
    mistake("reid", "train", "--resume", "--run", run, words=words)
    mistake("reid", "embed", "--run", run, "--out", tmp_path / "out.npz", words=("best.pt",))


def test_embed_again_and_other_data(
    reid_run: Path, reid_walkers: Store, cache: Path, call: Any, tmp_path: Path
) -> None:
    out = tmp_path / "again.npz"
    done = call("reid", "embed", "--run", reid_run, "--out", out, "--cache", cache)
    again, before = load_embeddings(out), load_embeddings(reid_run / "embeddings.npz")
    for name in ("embedding", *before.text_fields()):
        np.testing.assert_array_equal(getattr(again, name), getattr(before, name))
    done = call("reid", "embed", "--run", reid_run, "--out", out, "--data", reid_walkers.path)
    everybody = load_embeddings(out)
    assert f"{len(everybody)} embeddings of 16 numbers" in done.out
    assert len(everybody) == (reid_walkers.lengths // 8).sum()
    rows = np.flatnonzero(np.isin(everybody.sample, before.sample))
    assert everybody.sample[rows].tolist() == before.sample.tolist()
    np.testing.assert_allclose(everybody.embedding[rows], before.embedding, atol=1e-5)


def test_embedding_other_data_is_cut_as_the_runs(
    same_run: Path, reid_walkers: Store, call: Any, tmp_path: Path
) -> None:
    out = tmp_path / "all.npz"
    done = call("reid", "embed", "--run", same_run, "--out", out, "--data", reid_walkers.path)
    # The protocol's sets are in the split, and the walkers have none.
    assert set(load_embeddings(out).condition) == {""}
    done = call("reid", "embed", "--run", same_run, "--out", tmp_path / "all.csv", code=2)
    assert ".npz" in done.err


def test_how_it_is_judged_may_change_what_trains_may_not(
    reid_copy: Path, same_run: Path, cache: Path, call: Any, record: Any, tmp_path: Path
) -> None:
    command = ("reid", "train", "--resume", "--run", reid_copy, "--cache", cache)
    for change in ("sequences.border_frames=2", "sequences.training=fixed", "clip.frames=9"):
        done = call(*command, "-s", change, code=2)
        assert change.partition("=")[0] in done.err
    done = call(*command, *changes("rule=cross-take", "pairs=[C-N, N-N]", "sequences.stride=4"))
    found = record(reid_copy)
    assert found["rule"] == "cross-take"
    assert set(found["cells"]["main"]["pairs"]) == {"C-N", "N-N"}
    same = tmp_path / "same"
    shutil.copytree(same_run, same)
    done = call("reid", "train", "--resume", "--run", same, "-s", "identities.validation=1", code=2)
    assert "identities.validation" in done.err


def test_one_pair_selected_by_itself(
    reid_recipe: Path, cache: Path, call: Any, record: Any, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    command = ("reid", "train", "-c", reid_recipe, "--cache", cache, "--run", run)
    refused = call(*command, *changes("select=best", "identities.validation=0"), code=2)
    assert "identities.validation" in refused.err
    done = call(*command, *changes("select=best", "pairs=[C-N]", "train.epochs=1"))
    assert (run / "best.pt").is_file()
    found = record(run)
    assert set(found["cells"]["main"]["pairs"]) == {"C-N"}
    assert found["metrics"]["rank1"] == found["metrics"]["rank1/C-N"]
    assert set(load_embeddings(run / "embeddings.npz").condition) == {"cl", "nm"}
    # All pairs of the sets that are there, also of a run for one pair.
    done = call("reid", "eval", "--run", run, "--all-pairs")
    shown = [line.split()[1] for line in done.out.splitlines() if line.startswith("acl ")]
    assert shown == ["N-N", "C-C", "C-N", "mean"]
    assert "Not evaluated, because sequences are missing: B-B, B-N." in done.out


def test_mistakes(
    reid_recipe: Path, reid_walkers: Store, known_people: Path, mistake: Any, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    command = ("reid", "train", "-c", reid_recipe, "--run", run)
    walkers = open_store(str(reid_walkers.path))
    for options, words in (
        (("--data", walkers.path, *changes("people=same")), ("split", "people: strangers")),
        (
            ("--data", known_people, *changes("identities={train: 3, validation: 0}")),
            ("set B", "casia_b", "pairs="),
        ),
        (("--data", walkers.path, *changes("pairs=[X-N]")), ("'X'", "N (nm)")),
        (("--data", walkers.path, *changes("beside=[cleen]")), ("beside", "cleen")),
        (("--data", tmp_path / "GONE"), ("GONE",)),
    ):
        mistake(*command, *options, words=words)
    assert not (run / "checkpoint.pt").exists()
