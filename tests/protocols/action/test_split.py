"""Divisions as tables: what a row matches, what is refused, and the published counts."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from protocols.action.split import ActionSplit, load_split, parse_split
from protocols.splits import split_names

HALVES = "identity,role\nodd,train\neven,test\n"


def frame(**columns: object) -> pd.DataFrame:
    return pd.DataFrame(columns)


def ntu_names(people: int, setups: int) -> pd.DataFrame:
    """One recording of every setup, camera and person, as the reader fills the columns."""
    rows = [
        (f"S{s:03d}C{c:03d}P{p:03d}R001A001", str(p), str(c), str(s))
        for s in range(1, setups + 1)
        for c in (1, 2, 3)
        for p in range(1, people + 1)
    ]
    return pd.DataFrame(rows, columns=["sample", "identity", "camera", "condition"])


def real(shared: Path, name: str) -> tuple[pd.DataFrame, dict[str, npt.NDArray[np.generic]]]:
    """The index of a real data set as the reader fills it, and the arrays."""
    with np.load(shared / "data" / f"{name}.npz", allow_pickle=False) as archive:
        arrays = {key: archive[key] for key in archive.files if key != "joints"}
    table = pd.DataFrame({"sample": arrays["sequence_name"]})
    table["label"] = arrays["class_names"][arrays["label"]]
    for column, key in (("identity", "subject"), ("view", "view"), ("take", "repetition")):
        if key in arrays:
            table[column] = arrays[key].astype(str)
    return table, arrays


def counts(split: ActionSplit, index: pd.DataFrame, fold: str | None = None) -> tuple[int, ...]:
    found = split.divide(index, fold).counts
    return tuple(found[k] for k in ("train", "validation", "test", "left_out", "unmatched"))


def test_first_matching_row_wins_and_the_rest_is_counted() -> None:
    split = parse_split("own", "label,identity,role\nsit,1,leave\nsit|rise,*,train\nrun,,test\n")
    index = frame(label=["sit", "sit", "RISE", "wave", "run"], identity=["1", "2", "2", "1", "1"])
    division = split.divide(index)
    assert division.role.tolist() == ["leave", "train", "train", "leave", "test"]
    assert division.counts == {
        "train": 2,
        "validation": 0,
        "test": 1,
        "left_out": 1,
        "unmatched": 1,
    }
    assert division.rows("train").tolist() == [1, 2]


def test_odd_and_even_are_for_numbers_in_identity_and_condition() -> None:
    index = frame(identity=["001", "2", "odd", "Ann", ""], label=["odd", "1", "odd", "3", "even"])
    division = parse_split("own", HALVES).divide(index)
    assert division.role.tolist() == ["train", "test", "train", "leave", "leave"]
    by_label = parse_split("own", "label,role\nodd,train\neven,test\n").divide(index)
    assert by_label.role.tolist() == ["train", "leave", "train", "leave", "test"]


def test_split_matches_whole_words() -> None:
    index = frame(split=["xsub_train xview_val", "xsub_train2", "xview_val  xsub_val", ""])
    division = load_split("pku_xsub").divide(index)
    assert division.role.tolist() == ["train", "leave", "test", "leave"]
    with pytest.raises(ValueError, match="finds no train sample"):
        load_split("pku_xview").divide(index)


WORDS = ["train test", "train val", "test train", "train", "test", "val"]


def test_samples_in_two_roles_are_refused() -> None:
    index = frame(sample=list("abcdef"), split=WORDS)
    message = "gives 3 of 6 samples the roles train and validation and test at once: a, b, c"
    with pytest.raises(ValueError, match=message):
        load_split("store").divide(index)


def test_samples_in_two_roles_may_be_tested() -> None:
    index = frame(sample=list("abcdef"), split=WORDS)
    division = load_split("store").divide(index, overlap="test")
    expected = ["test", "validation", "test", "train", "test", "validation"]
    assert division.role.tolist() == expected
    assert division.counts["in_two_roles"] == 3
    assert division.notes == ("Split store lists 3 samples twice; they are not trained on.",)


def test_one_word_in_two_rows_is_no_leak() -> None:
    """The first row that fits counts; another fold's role is not a second one either."""
    index = frame(split=["1_train 2_test", "1_test 2_train", "0 note"])
    assert load_split("jhmdb").divide(index, "1").role.tolist() == ["train", "test", "leave"]
    assert load_split("sbu").divide(frame(split=["0 note", "1"]), "0").counts["test"] == 1


def test_names_are_compared_composed() -> None:
    index = frame(sample=["Zoe\u0308", "b"], identity=["Gele\u0308", "c"])
    split = parse_split("own", "sample,identity,role\nZo\u00eb,Gel\u00eb,train\nb,,test\n")
    assert split.divide(index).role.tolist() == ["train", "test"]


def test_data_of_another_set_are_noticed() -> None:
    """KARD has MSR-Action3D's form of names: 18 actions, 10 people, 3 takes."""
    rows = [
        (f"a{a:02d}_s{s:02d}_e{e:02d}", str(s), f"action {a}")
        for a in range(1, 19)
        for s in range(1, 11)
        for e in range(1, 4)
    ]
    kard = pd.DataFrame(rows, columns=["sample", "identity", "label"])
    division = load_split("msr_action3d").divide(kard)
    assert (division.counts["left_out"], division.counts["absent_names"]) == (7, 3)
    out, lacking, classes = division.notes
    assert out.startswith("Split msr_action3d leaves out 7 of 540 samples: a02_s03_e02, ")
    assert "lack 3 of the 10 names of column sample" in lacking
    assert lacking.endswith("lists: a20_s07_e01, a20_s07_e03, a20_s10_e03.")
    assert "divides 20 classes, but these data have 18" in classes


def test_people_and_classes_that_the_data_lack_are_noticed() -> None:
    split = parse_split("own", "identity,label,role\n1|02,*,train\n9,*,test\n*,Sit|hop,test\n")
    division = split.divide(frame(identity=["1", "2", "3"], label=["sit", "run", "sit"]))
    assert division.notes == (
        "Found by number, not by name: 1 of the listed people, such as '2' for '02'.",
        "The data lack 1 of the 3 names of column identity that split own lists: 9.",
        "The data lack 1 of the 2 names of column label that split own lists: hop.",
    )


def test_samples_without_a_rule_are_noticed() -> None:
    division = load_split("store").divide(
        frame(sample=["a", "b", "c"], split=["train", "test", ""])
    )
    assert division.notes == ("Split store leaves out 1 of 3 samples, no rule fits 1 of them: c.",)


def test_sample_keys_match_as_written() -> None:
    index = frame(sample=["01", "1", "A"])
    split = parse_split("own", "sample,role\n1,train\na,train\n*,test\n")
    assert split.divide(index).role.tolist() == ["test", "train", "test"]


@pytest.mark.parametrize(
    ("identity", "roles", "said"),
    [
        (["01", "2"], ["train", "test"], True),
        (["01", "1", "2"], ["leave", "train", "test"], False),
        (["01", "001", "1", "2"], ["leave", "leave", "train", "test"], False),
    ],
)
def test_people_match_by_number_only_where_one_has_it(
    identity: list[str], roles: list[str], said: bool
) -> None:
    division = parse_split("own", "identity,role\n1,train\n2,test\n").divide(
        frame(identity=identity)
    )
    assert division.role.tolist() == roles
    assert any(note.startswith("Found by number") for note in division.notes) == said


def test_people_are_told_apart_by_case_and_space() -> None:
    index = frame(identity=["Ann", "ann", " Ann", "b"])
    division = parse_split("own", "identity,role\nAnn,train\nb,test\n").divide(index)
    assert division.role.tolist() == ["train", "leave", "leave", "test"]


def test_numbers_of_a_column_with_gaps_are_whole() -> None:
    index = frame(identity=[1.0, 2.0, None])
    assert parse_split("own", HALVES).divide(index).role.tolist() == ["train", "test", "leave"]


def test_subsets_are_told_apart() -> None:
    index = frame(
        view=["1", "2", "3", "003", "3"],
        label=["throw", "drop trash", "Drop Trash", "pick up with two hands", "throw"],
    )
    division = load_split("nwucla_xview").divide(index)
    assert division.role.tolist() == ["train", "train", "test", "test", "test"]
    assert division.notes == (
        "Read as one label: 'Drop Trash' and 'drop trash'.",
        "Read as one view: '003' and '3'.",
        "Split nwucla_xview divides 10 classes, but these data have 4: they are another data set, "
        "or part of it.",
    )
    assert division.subset.tolist() == ["", "", "copies", "copies", "others"]


def test_val_is_tested_only_where_nothing_else_is() -> None:
    store = load_split("store")
    two = store.divide(frame(split=["train", "val", "other"]))
    assert two.role.tolist() == ["train", "test", "leave"]
    three = store.divide(frame(split=["train", "val", "test", "validation"]))
    assert three.role.tolist() == ["train", "validation", "test", "validation"]


def test_folds_are_asked_for_by_name() -> None:
    index = frame(split=["0", "1", "2", "3", "4", "5"])
    sbu = load_split("sbu")
    assert sbu.by_fold
    assert sbu.folds == ("0", "1", "2", "3", "4")
    roles = sbu.divide(index, "3").role.tolist()
    assert roles == ["train", "train", "train", "test", "train", "leave"]
    with pytest.raises(ValueError, match="sbu is divided by fold: give one of 0, 1, 2, 3, 4"):
        sbu.divide(index)
    with pytest.raises(ValueError, match="sbu has no fold '7': give one of 0"):
        sbu.divide(index, "7")
    with pytest.raises(ValueError, match="own has no folds: leave out fold '1'"):
        parse_split("own", HALVES).divide(index, "1")
    free = parse_split("own", "split,role\n{fold},test\n*,train\n")
    assert free.divide(index, "5").rows("test").tolist() == [5]


def test_data_that_do_not_fit_are_refused_in_one_sentence() -> None:
    index = frame(view=["1", "2"], label=["sit", "wave"])
    with pytest.raises(
        ValueError, match=r"ntu60_xview finds no train sample among 2: .* camera"
    ) as e:
        load_split("ntu60_xview").divide(index)
    assert "camera (empty)" in str(e.value)
    assert "choose the split" in str(e.value)
    with pytest.raises(ValueError, match=r"sbu \(fold 1\) finds no test sample among 1"):
        load_split("sbu").divide(frame(split=["0"]), "1")


def test_unknown_names_get_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"no split 'ntu60-xsub'.*did you mean 'ntu60_xsub'"):
        load_split("ntu60-xsub")
    with pytest.raises(ValueError, match="it is one of finegym, jhmdb"):
        load_split("zzzz")
    with pytest.raises(ValueError, match=r"no split file gone\.csv"):
        load_split("gone.csv")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("identity,roll\n1,train\n", "column 'roll' is not one of identity"),
        ("identity\n1\n", "'role' is missing; the header is 'identity'"),
        ("role,role\ntrain,test\n", "column role appears twice"),
        ("identity,role\n1,training\n", "row 1: role 'training' is not one of train"),
        ("identity,role\n1,train\n2\n", "row 2 has 1 cells, the header 2"),
        ("identity,role\n", "the table has no row"),
        ("# classes: ten\nidentity,role\n1,train\n", "classes: ten' must be a whole number"),
        ("identity,role\n1,train,x\n", "row 1 has 3 cells, the header 2"),
        ("identity\n1\n", "'role' is missing"),
        ("", "there is no header"),
        ("# folds: 1\n", "there is no header"),
    ],
)
def test_a_bad_table_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "own.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        load_split(path)
    assert str(path) in str(caught.value)


def test_cells_may_be_quoted_after_a_space(tmp_path: Path) -> None:
    assert parse_split("own", 'identity, role\n1, "train"\n*,test\n').rules[0].role == "train"
    (tmp_path / "own.csv").write_text('identity,role\n"1"x,train\n*,test\n')
    with pytest.raises(ValueError, match="own"):
        load_split(str(tmp_path / "own.csv"))


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(f"# source: me\n# folds: a b\n\n{HALVES}", encoding="utf-8-sig")
    split = load_split(path)
    assert (split.name, split.source, split.folds) == ("mine", "me", ("a", "b"))


def test_shipped_tables_are_read_and_apart_from_the_gait_protocols() -> None:
    assert split_names("action") == [
        *("finegym", "jhmdb", "k400", "msr_action3d", "msr_as1", "msr_as2", "msr_as3"),
        *("ntu120_xset", "ntu120_xsub", "ntu60_xsub", "ntu60_xview", "nwucla_xsub"),
        *("nwucla_xview", "pku_xsub", "pku_xview", "sbu", "store", "utkinect_training"),
        "utkinect_xsub",
    ]
    for name in split_names("action"):
        split = load_split(name)
        assert split.source, name
        assert {rule.role for rule in split.rules} >= {"train"}, name
        assert split.by_fold == bool(split.folds), name
    assert not set(split_names("action")) & set(split_names("gait"))


def test_ntu60_divides_every_person_and_camera_once() -> None:
    names = ntu_names(people=40, setups=17)
    by_person = load_split("ntu60_xsub").divide(names)
    people = {r: set(names["identity"][by_person.role == r].astype(int)) for r in ("train", "test")}
    # The list of Shahroudy et al. (CVPR 2016), Section 3.2.
    official = {1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38}
    assert people == {"train": official, "test": set(range(1, 41)) - official}
    assert by_person.counts["train"] == by_person.counts["test"] == 17 * 3 * 20
    by_camera = load_split("ntu60_xview").divide(names)
    cameras = {r: set(names["camera"][by_camera.role == r]) for r in ("train", "test")}
    assert cameras == {"train": {"2", "3"}, "test": {"1"}}
    assert by_camera.counts["unmatched"] == by_camera.counts["left_out"] == 0


def test_ntu60_leaves_the_setups_of_ntu120_out() -> None:
    names = ntu_names(people=40, setups=32)
    for name in ("ntu60_xsub", "ntu60_xview"):
        division = load_split(name).divide(names)
        late = names["condition"].astype(int) > 17
        np.testing.assert_array_equal(division.role == "leave", late)
        assert division.counts["left_out"] == late.sum()


def test_ntu120_divides_every_person_and_setup_once() -> None:
    names = ntu_names(people=106, setups=32)
    division = load_split("ntu120_xsub").divide(names)
    people = [set(names["identity"][division.role == role]) for role in ("train", "test")]
    assert [len(group) for group in people] == [53, 53]
    assert not people[0] & people[1]
    assert {"1", "38", "45", "103"} <= people[0]
    assert {"3", "41", "44", "106"} <= people[1]
    division = load_split("ntu120_xset").divide(names)
    setups = names["condition"].astype(int)
    np.testing.assert_array_equal(division.role == "train", setups % 2 == 0)
    np.testing.assert_array_equal(division.role == "test", setups % 2 == 1)


def test_nwucla_has_the_published_counts_and_the_known_copies(shared: Path) -> None:
    index, arrays = real(shared, "nwucla")
    division = load_split("nwucla_xview").divide(index)
    assert counts(load_split("nwucla_xview"), index) == (1020, 0, 464, 0, 0)
    copies = arrays["duplicate_of"] >= 0
    np.testing.assert_array_equal(division.subset == "copies", copies)
    assert Counter(division.subset.tolist()) == {"": 1020, "copies": 95, "others": 369}
    np.testing.assert_array_equal(division.role == "train", arrays["split_xview"] == 1)
    assert division.notes == ()
    by_person = load_split("nwucla_xsub").divide(index)
    np.testing.assert_array_equal(by_person.role == "train", arrays["split_xsub"] == 1)
    # Copies are of one person, so that no copy of a training clip is tested across persons.
    originals = arrays["duplicate_of"][copies].astype(np.int64)
    assert set(by_person.role[copies]) == {"train", "test"}
    np.testing.assert_array_equal(by_person.role[copies], by_person.role[originals])


def test_msr_action3d_has_the_published_557(shared: Path) -> None:
    index, arrays = real(shared, "msraction3d")
    assert counts(load_split("msr_action3d"), index) == (284, 0, 273, 10, 0)
    division = load_split("msr_action3d").divide(index)
    (note,) = division.notes
    assert note.startswith("Split msr_action3d leaves out 10 of 567 samples: a02_s03_e02, ")
    np.testing.assert_array_equal(division.role != "leave", arrays["used_in_cvpr12"])
    expected = {"AS1": (114, 105), "AS2": (116, 112), "AS3": (111, 111)}
    for key, (train, test) in expected.items():
        part = load_split(f"msr_{key.lower()}").divide(index)
        assert (part.counts["train"], part.counts["test"]) == (train, test)
        used = part.role != "leave"
        names = set(arrays["class_names"][arrays[key].astype(np.int64)].tolist())
        assert set(index["label"][used]) == names
        np.testing.assert_array_equal(part.role[used], division.role[used])


def test_small_real_sets_are_divided_as_their_files_say(shared: Path) -> None:
    index, arrays = real(shared, "utkinect")
    division = load_split("utkinect_xsub").divide(index)
    np.testing.assert_array_equal(division.role == "train", arrays["split_xsub"] == 1)
    assert division.notes == ()
    assert counts(load_split("utkinect_xsub"), index) == (100, 0, 99, 0, 0)
    held_out = load_split("utkinect_training")
    for fold in held_out.folds:
        part = held_out.divide(index, fold)
        np.testing.assert_array_equal(part.role == "leave", arrays["split_xsub"] == 2)
        assert set(index["identity"][part.role == "test"]) == {fold}
    index, arrays = real(shared, "sbu")
    index["split"] = arrays["fold"].astype(str)
    sizes = [load_split("sbu").divide(index, fold).counts["test"] for fold in "01234"]
    assert sizes == [55, 52, 56, 54, 65]
    assert load_split("sbu").divide(index, "0").notes == ()
    index, arrays = real(shared, "jhmdb")
    words = {1: "train", 2: "test"}
    index["split"] = [
        " ".join(f"{i}_{words[int(value)]}" for i, value in enumerate(row, start=1))
        for row in zip(*(arrays[f"split{i}"] for i in (1, 2, 3)), strict=True)
    ]
    (note,) = load_split("jhmdb").divide(index, "1").notes
    assert "divides 21 classes, but these data have 14" in note
    assert [counts(load_split("jhmdb"), index, fold) for fold in "123"] == [
        (433, 0, 176, 0, 0),
        (433, 0, 176, 0, 0),
        (434, 0, 175, 0, 0),
    ]
