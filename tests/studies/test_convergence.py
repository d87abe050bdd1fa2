"""Convergence: simulated worlds with a known reliability, and the study of a run."""

import csv

import numpy as np
import pytest
from slow_reliability import signal_and_noise

from canonface.errors import OptionError
from canonface.pipeline import audit
from canonface.studies import convergence
from canonface.studies.convergence import convergence_of, draw_people
from canonface.studies.reliability import People


@pytest.fixture
def random():
    return np.random.default_rng(5)


def world(random, photos, noise, places=1500):
    return People.of(signal_and_noise(random, photos, places, noise), np.arange(photos))


def test_a_reliability_within_the_data_is_interpolated(random):
    found = convergence_of(world(random, 120, 2.0), draws=20)
    assert not found.extrapolated
    assert found.crossed == pytest.approx(38, rel=0.1)
    assert found.needed == pytest.approx(38, rel=0.1)
    assert found.needed_low < 38 < found.needed_high
    assert [round(step.photos) for step in found.steps] == [5, 10, 20, 50, 100, 120]
    for step in found.steps:
        assert step.reliability == pytest.approx(step.photos / (step.photos + 2), abs=0.03)
    assert "crosses 0.95" in found.words()[1]
    assert found.misfit < 0.03


def test_a_reliability_beyond_the_data_is_extrapolated(random):
    found = convergence_of(world(random, 30, 10.0), draws=20)
    assert found.extrapolated
    assert np.isnan(found.crossed)
    assert found.needed == pytest.approx(190, rel=0.2)
    assert "extrapolated beyond the data" in found.words()[1]
    assert found.summary()["crossed_at_photos"] is None
    assert found.reliability == pytest.approx(0.75, abs=0.05)


def test_maps_without_common_signal_need_no_finite_number_of_photos(random):
    found = convergence_of(People.of(random.normal(size=(40, 5000)), np.arange(40)), draws=20)
    assert abs(found.reliability) < 0.1
    assert found.needed_high == np.inf
    still = convergence_of(People.of(np.zeros((8, 20)), np.arange(8)), draws=5)
    assert np.isnan(still.reliability)
    assert "no number of photos can be given" in still.words()[1]


def test_the_correlation_with_all_photos_is_biased_and_the_reliability_is_not(random):
    """A map of noise correlates with the map that contains it; its reliability stays near 0."""
    noise = People.of(random.normal(size=(40, 5000)), np.arange(40))
    step = convergence_of(noise, sizes=[20], draws=20).steps[0]
    assert step.with_all == pytest.approx(np.sqrt(0.5), abs=0.05)
    assert abs(step.reliability) < 0.1


@pytest.mark.parametrize("noise", [4.0, 40.0])
def test_the_interval_covers_the_true_number(noise):
    """Faces differ smoothly, as real ones do. 95% of 40 worlds are 38."""
    held = 0
    for seed in range(40):
        random = np.random.default_rng(seed)
        ways = random.normal(size=(60, 200))
        signal = random.normal(size=200)
        maps = signal + random.normal(size=(80, 60)) @ ways * np.sqrt(noise / 60)
        truth = 19 * noise * (ways.var(axis=1)).mean() / signal.var()
        found = convergence_of(People.of(maps, np.arange(80)), sizes=[], draws=20)
        held += found.needed_low <= truth <= found.needed_high
    assert held >= 33


def test_people_are_drawn_with_all_their_photos(random):
    photos = np.array([3, 3, 3, 3, 3])
    assert {len(draw_people(photos, 7, random)) for _ in range(20)} == {2}
    assert {len(draw_people(photos, 8, random)) for _ in range(20)} == {3}
    assert {len(draw_people(photos, 99, random)) for _ in range(5)} == {5}
    assert {len(draw_people(photos, 1, random)) for _ in range(5)} == {1}


def test_options_that_cannot_be_used(random):
    people = world(random, 10, 1.0, places=50)
    with pytest.raises(OptionError, match="at least 2 draws"):
        convergence_of(people, draws=1)
    with pytest.raises(OptionError, match="at least 4 photos"):
        convergence_of(people, sizes=[2, 5])
    with pytest.raises(OptionError, match="between 0 and 1"):
        convergence_of(people, target=1.0)


def test_the_study_of_a_run_needs_no_photos_and_is_reproducible(toy_run):
    found, again = (convergence(toy_run.folder, sizes=[8], draws=10) for _ in range(2))
    assert found.table() == again.table()
    assert list(found.maps) == [8, 14]
    assert found.maps[8].faces == 8
    np.testing.assert_allclose(found.maps[14].map, toy_run.cms().map, atol=1e-12)
    assert [row["people"] for row in found.table()] == [4, 7]
    assert found.table()[-1]["with_all"] == 1


def test_a_sampled_run_has_a_convergence_without_pictures(people_folder, tmp_path):
    from conftest import toy_model

    run = audit(
        people_folder / "labels.csv", toy_model(), tmp_path / "run", target="yes", stride=4, share=0.2
    )
    found = convergence(run, sizes=[8], draws=10)
    assert found.maps == {}
    assert np.isfinite(found.steps[-1].reliability)


def test_the_command_writes_figure_table_and_findings(toy_run, tmp_path, monkeypatch, capsys):
    from canonface.cli.main import main

    monkeypatch.setenv("COLUMNS", "200")
    out = tmp_path / "out"
    words = [
        "canonface",
        "study",
        "convergence",
        toy_run.folder,
        "-o",
        out,
        "--sizes",
        "8",
        "--draws",
        "5",
    ]
    monkeypatch.setattr("sys.argv", list(map(str, words)))
    with pytest.raises(SystemExit) as end:
        main()
    said = capsys.readouterr().out
    assert end.value.code in (0, None)
    assert "The map of all 14 photos (7 people) has a split-half reliability of" in said
    assert (out / "convergence.png").stat().st_size > 20_000
    with (out / "convergence.csv").open() as file:
        assert [row["photos"] for row in csv.DictReader(file)] == ["8", "14"]
    monkeypatch.setattr("sys.argv", [*map(str, words[:-4]), "--sizes", "8,ten"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert "Numbers stand between commas" in capsys.readouterr().err
