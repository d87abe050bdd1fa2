"""Classes from labels and poses."""

import pytest

from canonface.confidence.pose_bins import POSE_BINS
from canonface.errors import LabelsError, OptionError
from canonface.finetuning import TASKS, age_range, mirrored_pose
from canonface.finetuning.tasks import chosen_classes, make_task
from canonface.types import Pose


@pytest.mark.parametrize(
    ("value", "name"),
    [
        *[("0", "0-9"), ("9.9", "0-9"), ("10", "10-19"), ("93", "90+"), ("120", "90+")],
        *[("3-9", "3-9"), ("35 - 45", "35-45"), ("20–29", "20-29"), ("more than 70", "70+"), ("70+", "70+")],
        *[("", ""), ("old", ""), ("-4", ""), ("nan", "")],
    ],
)
def test_ages(value, name):
    assert age_range(value) == name


def test_mirroring_a_pose_twice_returns_it():
    assert mirrored_pose("right-level") == "left-level"
    assert mirrored_pose("front-up") == "front-up"
    assert [mirrored_pose(mirrored_pose(name)) for name in POSE_BINS] == list(POSE_BINS)
    assert {mirrored_pose(name) for name in POSE_BINS} == set(POSE_BINS)


def test_a_pose_is_its_bin():
    assert TASKS["pose"].of_pose(Pose(30.0, -20.0, 0.0)) == "left-down"


def test_ages_are_sorted_by_years_and_poses_by_bins():
    values = ["10-19", "3-9", "70+", "0-2"] * 3
    assert chosen_classes(TASKS["age"], values, None, 3) == ("0-2", "3-9", "10-19", "70+")
    assert chosen_classes(TASKS["pose"], ["left-up", "right-down", "front-level"], None, 1) == (
        *("right-down", "front-level", "left-up"),
    )


def test_wanted_classes_keep_their_order():
    assert chosen_classes(make_task("c", ["c"]), ["a", "b", "c", ""], ["c", "a"], 1) == ("c", "a")


def test_one_class_is_refused():
    with pytest.raises(LabelsError, match=r"have 1 for the task 'gender' \(male 3\)"):
        chosen_classes(TASKS["gender"], ["male"] * 3 + [""], None, 1)


def test_the_error_about_a_rare_class_says_what_to_do():
    with pytest.raises(LabelsError, match=r"at least 3 photos.*got a 4, b 3, c 1\..*of c.*--classes a,b"):
        chosen_classes(make_task("x", ["x"]), [*"aaaabbbc"], None, 3)


def test_the_error_does_not_suggest_leaving_one_class():
    with pytest.raises(LabelsError, match=r"got a 4, b 1\. Add photos of b\.$"):
        chosen_classes(make_task("x", ["x"]), [*"aaaab"], None, 3)


@pytest.mark.parametrize("wanted", [["a", "d"], ["a", "a"]])
def test_wanted_classes_occur_and_differ(wanted):
    with pytest.raises(OptionError, match=r"each named once; got 'a', .*Known: a, b"):
        chosen_classes(make_task("x", ["x"]), ["a", "b"], wanted, 1)


def test_the_error_about_a_missing_column_names_near_ones():
    with pytest.raises(LabelsError, match=r"column 'gender'.*did you mean 'genders'"):
        make_task("gender", ["path", "genders"])
    with pytest.raises(LabelsError, match=r"give one with --labels.*'pose'"):
        make_task("hats", [])
    assert make_task("pose", []).column is None
