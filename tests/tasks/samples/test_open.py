from __future__ import annotations

import contextlib
import json
import os
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aclnet.data.convert import convert
from aclnet.data.degrade import degrade
from aclnet.data.settings import DataSettings
from aclnet.data.store import Store, file_fingerprint, open_store, write_store
from aclnet.data.walkers import dataset as walkers_module
from aclnet.data.walkers.settings import WalkerSettings
from aclnet.data.writer import store_lock
from aclnet.files import owned
from aclnet.skeleton import load_layout
from protocols.embeddings import load_embeddings
from tasks.samples.open import _digest, _identity, open_data


def as_csv(store: Store, folder: Path) -> Path:
    """GaitGraph's CSV."""
    names = [f"{joint}_{axis}" for joint in store.layout.joints for axis in ("x", "y", "conf")]
    lines = [",".join(["image_name", *names])]
    for i, key in enumerate(store.index["sample"]):
        for frame, pose in enumerate(store.clip(i)[:, 0]):
            values = [repr(float(value)) for value in pose.ravel()]
            lines.append(",".join([f"rgb/{key}/{frame:06d}.jpg", *values]))
    path = folder / "poses.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def as_pickles(store: Store, folder: Path) -> Path:
    """The tree of OpenGait and FastPoseGait: id/type/view/view.pkl."""
    root = folder / "tree"
    for i, key in enumerate(store.index["sample"]):
        identity, condition, take, view = key.split("-")
        leaf = root / identity / f"{condition}-{take}" / view
        leaf.mkdir(parents=True)
        (leaf / f"{view}.pkl").write_bytes(pickle.dumps(store.clip(i)[:, 0]))
    return root


def as_npz(store: Store, folder: Path) -> Path:
    """The form of ../shared/data."""
    clips = [store.clip(i) for i in range(len(store))]
    frames, index = np.concatenate(clips), store.index
    path = folder / "walks.npz"
    np.savez(
        path,
        joints=frames[..., :2],
        confidence=frames[..., 2],
        offsets=np.cumsum([0, *store.lengths]),
        joint_names=np.array(store.layout.joints),
        subject=index["identity"].astype(int).to_numpy(),
        condition=index["condition"].to_numpy().astype(np.str_),
        view=index["view"].astype(int).to_numpy(),
        repetition=index["take"].astype(int).to_numpy(),
        sequence_name=index["sample"].to_numpy().astype(np.str_),
    )
    return path


@pytest.fixture(scope="session")
def trained_on_few(
    few: Path, call: Any, recipe: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A run on the store `few`."""
    run = tmp_path_factory.mktemp("runs") / "few"
    call("gait", "train", "-c", recipe, "--data", few, "--run", run)
    return run


@pytest.mark.parametrize("form", [as_csv, as_pickles, as_npz])
def test_any_format_trains_the_same_network(
    form: Callable[[Store, Path], Path],
    few: Path,
    trained_on_few: Path,
    recipe: Path,
    call: Any,
    tmp_path: Path,
    record: Any,
    embeddings: Any,
) -> None:
    data = form(open_store(few), tmp_path)
    run, stores = tmp_path / "run", tmp_path / "stores"
    command = ("gait", "train", "-c", recipe, "--data", data, "--cache", stores, "--run", run)
    done = call(*command)
    assert f"converting {data}" in done.err
    assert embeddings(run)[0] == embeddings(trained_on_few)[0]
    np.testing.assert_array_equal(embeddings(run)[1], embeddings(trained_on_few)[1])
    found, expected = record(run), record(trained_on_few)
    assert found["metrics"] == expected["metrics"]
    assert (found["dataset"]["name"], found["dataset"]["synthetic"]) == (data.stem, False)
    # The second time the converted store is found again.
    done = call(*command, "--overwrite")
    assert "converting" not in done.err


def test_changed_data_are_converted_again(
    few: Path, call: Any, recipe: Path, tmp_path: Path, record: Any
) -> None:
    data = as_npz(open_store(few), tmp_path)
    command = ("gait", "train", "-c", recipe, "--data", data, "--cache", tmp_path / "stores")
    call(*command, "--run", tmp_path / "one")
    with np.load(data) as archive:
        content = dict(archive)
    content["joints"] = content["joints"] + 1
    np.savez(data, **content)
    call(*command, "--run", tmp_path / "two")
    prints = [record(tmp_path / run)["dataset"]["fingerprint"] for run in ("one", "two")]
    assert prints[0] != prints[1]


def test_what_an_older_version_converted_is_used_and_said(few: Path, tmp_path: Path) -> None:
    data, cache = as_npz(open_store(few), tmp_path), tmp_path / "stores"
    settings, said = DataSettings(path=data), list[str]()
    made = open_data(settings, cache).path
    assert made is not None
    former = made.with_name(f"{data.stem}-{_digest(_identity(data, settings))}")
    made.rename(former)
    assert open_data(settings, cache, said.append).path == former
    assert said[0].startswith(f"{former} was converted by an older version")


def test_a_folder_given_as_a_dot_has_a_name(
    few: Path, call: Any, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record: Any
) -> None:
    monkeypatch.chdir(as_pickles(open_store(few), tmp_path))
    places = ("--cache", tmp_path / "stores", "--run", tmp_path / "run")
    call("gait", "train", "-c", recipe, "--data", ".", *places)
    assert record(tmp_path / "run")["dataset"]["name"] == "tree"


@pytest.mark.parametrize("view", ["090", ""])
def test_single_view_protocol(
    view: str, walkers: Path, copy_store: Any, call: Any, recipe: Path, tmp_path: Path, record: Any
) -> None:
    everything = open_store(walkers)
    side = everything.select((everything.index["view"] == "090").to_numpy())
    copy_store(side, tmp_path / "side", view=view)
    options = ("-s", "protocol=kgbd_walks", "--run", tmp_path / "run")
    done = call("gait", "train", "-c", recipe, "--data", tmp_path / "side", *options)
    found = record(tmp_path / "run")
    # First two takes of every condition are enrolled, which leaves NM 3 to 6.
    assert found["protocol"] == "kgbd_walks"
    assert (found["counts"]["gallery"], found["counts"]["probes"]) == (18, 12)
    assert found["cells"]["gallery_views"] == ["all"]
    assert {"rank1", "rank5", "mAP", "mINP", "rank1/nm"} <= found["metrics"].keys()
    assert "rank-1 in percent by probe view" not in done.out
    assert any("one view, 90" in note for note in found["notes"]) == (view == "090")
    call("gait", "eval", "--run", tmp_path / "run", "--json", tmp_path / "again.json")
    assert json.loads((tmp_path / "again.json").read_text())["metrics"] == found["metrics"]


def test_short_sequences_are_left_out_and_counted(
    walkers: Path, call: Any, recipe: Path, tmp_path: Path, record: Any
) -> None:
    short = int((open_store(walkers).lengths < 21).sum())
    assert short > 0
    options = ("--data", walkers, "-s", "data.min_frames=21", "--run", tmp_path / "run")
    done = call("gait", "train", "-c", recipe, *options)
    assert f"{short} of 240 sequences with fewer than 21 frames" in done.err
    counts = record(tmp_path / "run")["counts"]
    assert counts["dropped_short"] == short
    assert counts["train"] + counts["validation"] + counts["test"] == 240 - short


# --- several processes ------------------------------------------------------------------------


def test_two_processes_may_make_the_same_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = DataSettings(walkers=WalkerSettings(identities=2, views=(90,), frames=(20, 22)))
    write = walkers_module.write_walkers
    tried = []

    def both(path: Path, walkers: WalkerSettings, **_: object) -> Store:
        tried.append(path)
        write(path, walkers)  # the other process is faster,
        return write(path, walkers)  # and our own writer finds the place taken

    monkeypatch.setattr(walkers_module, "write_walkers", both)
    store = open_data(settings, tmp_path)
    assert len(tried) == 1
    assert len(store) == 20
    assert file_fingerprint(tried[0]) == store.info.fingerprint
    assert [item.name for item in tmp_path.iterdir()] == [tried[0].name]
    assert open_data(settings, tmp_path).info == store.info
    assert len(tried) == 1


def test_a_failed_conversion_leaves_nothing_and_says_why(tmp_path: Path) -> None:
    broken = tmp_path / "broken.npz"
    np.savez(broken, joints=np.zeros((4, 1, 17, 2)), offsets=np.array([0, 3]))
    with pytest.raises(ValueError, match="offsets must increase from 0 to the 4 frames"):
        open_data(DataSettings(path=broken, layout="coco17"), tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("*"))


def test_other_walkers_are_other_stores(tmp_path: Path) -> None:
    small = WalkerSettings(identities=1, views=(0,), frames=(20, 20))
    one = open_data(DataSettings(walkers=small), tmp_path)
    two = open_data(DataSettings(walkers=small.model_copy(update={"seed": 1})), tmp_path)
    assert one.path != two.path
    assert one.info.fingerprint != two.info.fingerprint


def test_a_changed_layout_file_is_read_again(few: Path, tmp_path: Path) -> None:
    data = as_npz(open_store(few), tmp_path)
    layout = tmp_path / "mine.yaml"
    names = list(open_store(few).layout.joints)
    found = []
    for head in ("nose", "beak"):
        joints = [head, *names[1:]]
        bones = [[joint, joints[0]] for joint in joints[1:]]
        layout.write_text(
            json.dumps({"name": "mine", "joints": joints, "bones": bones, "centre": head})
        )
        found.append(open_data(DataSettings(path=data, layout=str(layout)), tmp_path / "cache"))
    assert [store.layout.joints[0] for store in found] == ["nose", "beak"]


def test_a_recipe_for_real_data_generates_nothing(
    few: Path, recipe: Path, call: Any, tmp_path: Path
) -> None:
    real = DataSettings(source="file")
    with pytest.raises(ValueError, match="needs data: give it with --data FILE"):
        open_data(real, tmp_path / "cache")
    assert len(open_data(real.model_copy(update={"path": few}), tmp_path / "cache"))
    options = ("-s", "data.source=file", "--cache", tmp_path / "cache")
    for command, place in (("train", "--run"), ("study", "--runs")):
        done = call("gait", command, "-c", recipe, place, tmp_path / command, *options, code=2)
        assert f"recipe {recipe} needs data: give it with --data FILE" in done.err
        assert not (tmp_path / command).exists()
    assert not (tmp_path / "cache").exists()


def reordered(store: Store, path: Path) -> Path:
    """The store's recordings with their joints in another order, under a layout of a file."""
    layout = store.layout.to_dict()
    layout |= {"name": "mine", "joints": layout["joints"][::-1]}
    samples = (replace(one, frames=one.frames[:, :, ::-1]) for one in store.samples())
    write_store(path, samples, store.info.model_copy(update={"layout": layout}))
    return path


def test_the_runs_joints_in_another_order_are_put_in_it(
    few: Path, trained_on_few: Path, call: Any, tmp_path: Path
) -> None:
    other, stores = reordered(open_store(few), tmp_path / "other"), tmp_path / "stores"
    found = {}
    for data in (few, other):
        out = tmp_path / f"{data.name}.npz"
        command = ("gait", "embed", "--run", trained_on_few, "--data", data, "--cache", stores)
        done = call(*command, "--out", out)
        found[data] = load_embeddings(out)
    assert "order of coco17" in done.err
    np.testing.assert_array_equal(found[few].embedding, found[other].embedding)
    settings = DataSettings(source="file", path=other, map_to="coco17")
    np.testing.assert_array_equal(open_data(settings, stores).clip(0), open_store(few).clip(0))


def test_other_data_take_their_joints_from_a_run(
    few: Path, trained_on_few: Path, tmp_path: Path
) -> None:
    """A layout that came with a file has no name: the run or the store stands for it."""
    other = reordered(open_store(few), tmp_path / "other")
    assert load_layout(other).joints == open_store(few).layout.joints[::-1]
    assert load_layout(trained_on_few).name == "coco17"
    npz = as_npz(open_store(few), tmp_path)
    store = convert(npz, tmp_path / "store", map_to=other)
    np.testing.assert_array_equal(store.clip(0), open_store(few).clip(0)[:, :, ::-1])


def test_the_options_of_a_recipe_for_other_data_can_be_cleared(
    few: Path, call: Any, recipe: Path, mistake: Any, tmp_path: Path
) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(f"base: {recipe}\ndata: {{options: {{keep: used, confidence: true}}}}\n")
    places = ("--cache", tmp_path / "stores", "--run", tmp_path / "run")
    command = ("gait", "train", "-c", own, *places, "--data")
    data = as_npz(open_store(few), tmp_path)
    words = ("'used'", "data.options=", "-s data.options=null")
    mistake(*command, data, words=words)
    mistake(*command, as_csv(open_store(few), tmp_path), words=("no option 'keep'", *words))
    call(*command, data, "-s", "data.options=null")


@pytest.mark.parametrize("form", [as_npz, lambda store, folder: store.path])
def test_some_samples_may_be_kept(
    form: Callable[[Store, Path], Path], walkers: Path, tmp_path: Path
) -> None:
    store = open_store(walkers)
    keep: Any = {"condition": ["nm"], "view": "54" if form is as_npz else "054"}
    settings = DataSettings(source="file", path=form(store, tmp_path), keep=keep)
    kept = open_data(settings, tmp_path / "cache")
    rows = store.select((store.index["condition"] == "nm") & (store.index["view"] == "054"))
    assert len(kept) == len(rows) == 48
    np.testing.assert_array_equal(kept.clip(7), rows.clip(7))
    assert kept.info.dropped == {
        "samples of another condition": 96,
        "samples of another view": 96,
    }
    assert kept.info.settings["kept"]["condition"] == ["nm"]
    assert kept.info.fingerprint != store.info.fingerprint
    assert open_data(settings, tmp_path / "cache").path == kept.path
    wrong = settings.model_copy(update={"keep": {"condition": ("nn",)}})
    with pytest.raises(ValueError, match=r"condition 'nn'; there are bg, cl, nm .*data\.keep in"):
        open_data(wrong, tmp_path / "cache")


def test_values_to_keep_are_text() -> None:
    for wrong in ({"view": 90}, {"label": []}, {"label": [1]}):
        with pytest.raises(ValueError, match="numbers in quotes"):
            DataSettings(keep=wrong)
    with pytest.raises(ValueError, match="keep"):
        DataSettings(keep={"labels": "x"})  # type: ignore[dict-item]


def test_a_damaged_store_in_the_cache(tmp_path: Path) -> None:
    few = WalkerSettings(identities=1, views=(0,), nm_takes=1, bg_takes=0, cl_takes=0)
    settings = DataSettings(walkers=few)
    path = open_data(settings, tmp_path).path
    assert path is not None
    (path / "index.csv").write_text("sample\n")
    with pytest.raises(ValueError, match=r"index\.csv: it has columns .*; or delete .*walk"):
        open_data(settings, tmp_path)


def test_a_file_of_a_folder_that_is_changed_is_read_again(few: Path, tmp_path: Path) -> None:
    """The number of files, their bytes and the time of the newest stay the same."""
    tree = as_pickles(open_store(few), tmp_path)
    files = sorted(tree.rglob("*.pkl"))
    for number, file in enumerate(files):
        os.utime(file, (1000 + number, 1000 + number))
    settings = DataSettings(path=tree)
    before = open_data(settings, tmp_path / "stores")
    poses = pickle.loads(files[0].read_bytes())
    files[0].write_bytes(pickle.dumps(poses + np.float32(1)))
    os.utime(files[0], (1000.5, 1000.5))
    after = open_data(settings, tmp_path / "stores")
    assert before.info.fingerprint != after.info.fingerprint


def test_a_table_named_in_the_options_that_is_changed_is_read_again(
    case: Callable[[str], Path], tmp_path: Path
) -> None:
    data, labels = case("lab"), tmp_path / "labels.csv"
    found = []
    for label in ("one", "two"):
        labels.write_text("sample,label\n" + "".join(f"{n},{label}\n" for n in ("a 1", "001")))
        settings = DataSettings(path=data, options={"labels": str(labels)})
        found.append(set(open_data(settings, tmp_path / "stores").index["label"]) - {""})
    assert found == [{"one"}, {"two"}]


def test_a_store_that_another_process_is_making_is_waited_for(few: Path, tmp_path: Path) -> None:
    data, said = as_npz(open_store(few), tmp_path), []
    settings = DataSettings(path=data)
    (target,) = {open_data(settings, tmp_path / "stores").path}
    assert target is not None
    aside = tmp_path / "aside"
    target.rename(aside)

    def report(sentence: str) -> None:
        said.append(sentence)
        aside.rename(target)  # the other one is ready
        lock.close()

    with contextlib.ExitStack() as lock:
        lock.enter_context(owned(store_lock(target), target, ""))
        assert len(open_data(settings, tmp_path / "stores", report)) == len(open_store(few))
    assert [one.partition(" on ")[0] for one in said] == [f"waiting for process {os.getpid()}"]
    assert said[0].endswith(f"which is writing {target}")


def test_a_file_and_its_store_are_filled_alike(few: Path, tmp_path: Path) -> None:
    said: list[str] = []
    clips = open_store(few)
    samples = [
        degrade(clips.sample(row), "gaps", 0.2, clips.info.dims) for row in range(len(clips))
    ]
    file = as_npz(write_store(tmp_path / "gaps", samples, clips.info), tmp_path)
    whole = convert(file, tmp_path / "store", map_to="coco20", fps=30)
    settings = DataSettings(source="file", path=file, map_to="coco20", fill_gaps=0.3)
    settings = settings.model_copy(update={"options": {"fps": 30}})
    filled = open_data(settings, tmp_path / "cache")
    of_store = settings.model_copy(update={"path": tmp_path / "store"})
    again = open_data(of_store, tmp_path / "cache", said.append)
    assert filled.info.fingerprint == again.info.fingerprint != whole.info.fingerprint
    assert any("missing joints filled, in gaps of up to 0.3 s" in text for text in said)
    # Of what is filled already nothing is copied.
    twice = of_store.model_copy(update={"path": filled.path})
    assert open_data(twice, tmp_path / "cache").path == filled.path


def test_data_are_brought_to_the_rate_of_the_settings(few: Path, tmp_path: Path) -> None:
    said: list[str] = []
    file = as_npz(open_store(few), tmp_path)
    store = convert(file, tmp_path / "store", fps=60)
    settings = DataSettings(source="file", path=tmp_path / "store", resample_fps=30)
    made = open_data(settings, tmp_path / "cache", said.append)
    np.testing.assert_array_equal(made.clip(0), store.clip(0)[::2])
    assert (made.info.fps, store.info.fps) == (30, 60)
    assert any("resampled from 60 to 30 frames per second" in text for text in said)
    from_file = settings.model_copy(update={"path": file, "options": {"fps": 60}})
    assert open_data(from_file, tmp_path / "cache").info.fps == 30
    faster = settings.model_copy(update={"resample_fps": 90})
    assert open_data(faster, tmp_path / "cache").path == tmp_path / "store"
