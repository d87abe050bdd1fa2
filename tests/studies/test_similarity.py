"""Similarity and complexity of maps, against slow replicas and by hand."""

import numpy as np
import pytest

from canonface.studies.similarity import complexity, structural_similarity


@pytest.fixture
def random():
    return np.random.default_rng(11)


def slow_ssim(a, b, inside):
    """Return the mean SSIM, pixel by pixel; the picture is continued by reflection."""
    a, b = (np.where(inside, (image / np.abs(image[inside]).max() + 1) / 2, 0.5) for image in (a, b))
    reach = np.arange(-5, 6)
    line = np.exp(-(reach**2) / (2 * 1.5**2))
    window = np.outer(line, line) / line.sum() ** 2
    padded = [np.pad(image, 5, mode="reflect") for image in (a, b)]
    values = []
    for row, column in np.argwhere(inside):
        x, y = (image[row : row + 11, column : column + 11] for image in padded)
        mx, my = (window * x).sum(), (window * y).sum()
        sx, sy = (window * (x - mx) ** 2).sum(), (window * (y - my) ** 2).sum()
        sxy = (window * (x - mx) * (y - my)).sum()
        c1, c2 = 0.01**2, 0.03**2
        values.append((2 * mx * my + c1) * (2 * sxy + c2) / ((mx**2 + my**2 + c1) * (sx + sy + c2)))
    return np.mean(values)


def test_structural_similarity_equals_the_slow_replica(random):
    a, b = random.normal(size=(2, 18, 21))
    inside = random.random((18, 21)) < 0.7
    assert structural_similarity(a, b, inside) == pytest.approx(slow_ssim(a, b, inside), abs=1e-9)


def test_structural_similarity_of_special_maps(random):
    a = random.normal(size=(20, 20))
    inside = np.ones((20, 20), dtype=bool)
    assert structural_similarity(a, 7 * a, inside) == pytest.approx(1)
    assert structural_similarity(a, -a, inside) < -0.9
    assert np.isnan(structural_similarity(a, np.zeros((20, 20)), inside))
    assert np.isnan(structural_similarity(a, a, ~inside))


def test_complexity_by_hand():
    assert complexity(np.zeros(9)) == 0
    assert complexity(np.array([0.0, 1.0, np.nan, 0.0, 1.0])) == pytest.approx(np.log(2))
    assert complexity(np.arange(100.0)) == pytest.approx(np.log(100))
    assert complexity(np.array([0.0] * 3 + [1.0])) == pytest.approx(
        -0.75 * np.log(0.75) - 0.25 * np.log(0.25)
    )
    assert np.isnan(complexity(np.array([np.nan])))
