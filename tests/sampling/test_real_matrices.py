"""Bands on drops of real models and photos, whose tails are heavier than any simulation's."""

import numpy as np
import pytest
from sampled_matrices import first, with_design
from scipy.stats import binom

import canonface
from canonface.data.photos import read_csv
from canonface.run.estimate import sampled_rows
from canonface.sampling import Design, estimate_map, full_map, look_confidence_level, looks_at

SEEDS = 200


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory):
    """Drops at every probe of 160 photos in the wild, by the zoo's gender model."""
    folder = data / "fairface_val980"
    paths = [folder / row["path"] for row in read_csv(folder / "labels.csv")[:180]]
    run = canonface.audit(paths, "gender", tmp_path_factory.mktemp("real") / "run", target="female")
    assert run.faces.num_rows >= 150
    return sampled_rows(run, np.ones(run.faces.num_rows, bool), None)


def at_least(level, runs=SEEDS):
    """Return the share of covered runs that a correct band exceeds with probability 0.999."""
    return binom.ppf(0.001, runs, level) / runs


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.parametrize("name", ["random", "stratified", "low-discrepancy"])
def test_bands_hold_the_full_map(whole, name):
    truth = full_map(whole)
    held = {"people": [], "photos": []}
    widest, errors, agreed = [], [], []
    for seed in range(SEEDS):
        part = with_design(whole, Design(name, 0.1, seed))
        for of, found in held.items():
            band = estimate_map(part, of=of).map
            found.append(band.holds(truth))
        known = np.isfinite(band.values)
        widest.append(band.widest)
        errors.append(np.abs(band.values - truth)[known].max())
        agreed.append(np.corrcoef(band.values[known], truth[known])[0, 1])
    print(f"{name}: people {np.mean(held['people']):.3f}, photos {np.mean(held['photos']):.3f}")
    print(f"r {np.mean(agreed):.3f}, widest {np.mean(widest):.4f}, error {np.quantile(errors, 0.95):.4f}")
    assert np.mean(held["people"]) >= at_least(0.95)
    assert np.mean(held["photos"]) >= at_least(0.95)
    assert np.mean(widest) < 2 * np.quantile(errors, 0.95), "not by being absurdly wide"
    assert np.mean(agreed) > 0.9


@pytest.mark.slow
@pytest.mark.data
def test_stopping_early_does_not_break_the_band(whole):
    """Photos in a new random order each time; the run stops at the first look that is precise enough."""
    truth, count = full_map(whole), len(whole.drops)
    looks = looks_at(count)
    level = look_confidence_level(0.95, len(looks))
    held, photos = [], []
    for seed in range(SEEDS):
        order = np.random.default_rng(seed).permutation(count)
        part = with_design(whole, Design("low-discrepancy", 0.2, seed))
        for taken in looks:
            band = estimate_map(first(part, order[:taken]), confidence_level=level).map
            if band.trusted and band.widest <= 0.1:
                break
        held.append(band.holds(truth))
        photos.append(taken)
    print(f"held {np.mean(held):.3f}; photos {np.median(photos):.0f} of {count}")
    assert np.mean(held) >= at_least(0.95)
    assert np.median(photos) < count, "it did stop early"
