"""Our numbers against those of Quantus, where it has the metric for our inputs; skipped without it.

Quantus brings pandas, scikit-learn, scikit-image and a second OpenCV, so no extra of canonface includes it.
"""

import numpy as np
import pytest
import torch

from canonface.evaluation import curve_inputs, localisation, most_relevant_first, noisy_linear_imputation

quantus = pytest.importorskip("quantus", reason="Quantus is not installed: pip install quantus")
pytestmark = pytest.mark.filterwarnings("ignore")

SIZE = 8


@pytest.fixture
def world():
    """A linear softmax classifier of one channel, three inputs and maps without ties."""
    random = np.random.default_rng(0)
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(SIZE * SIZE, 3)).eval()
    x = random.random((3, 1, SIZE, SIZE)).astype(np.float32)
    # Their "black" is the least value of the input.
    x[:, :, 0, 0] = 0
    return net, x, np.array([0, 1, 2]), random.random((3, 1, SIZE, SIZE))


def quiet(metric, **options):
    return metric(disable_warnings=True, display_progressbar=False, **options)


def test_deletion_is_pixel_flipping(world):
    net, x, classes, attributions = world
    theirs = quiet(quantus.PixelFlipping, features_in_step=4, perturb_baseline="black", normalise=False)(
        model=net, x_batch=x, y_batch=classes, a_batch=attributions, device="cpu", softmax=True
    )
    for i in range(3):
        inputs = curve_inputs(
            x[i], np.zeros_like(x[i]), most_relevant_first(attributions[i, 0]), SIZE * SIZE // 4, "deletion"
        )
        with torch.no_grad():
            ours = net(torch.from_numpy(inputs)).softmax(1).numpy()[:, classes[i]]
        # theirs leaves out the unchanged input
        np.testing.assert_allclose(ours[1:], theirs[i], atol=1e-5)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_imputation_without_noise(share):
    random = np.random.default_rng(1)
    x = random.random((3, SIZE, SIZE))
    removed = np.zeros(SIZE * SIZE, bool)
    removed[random.permutation(SIZE * SIZE)[: round(share * SIZE * SIZE)]] = True
    theirs = quantus.functions.perturb_func.noisy_linear_imputation(x, np.flatnonzero(removed), noise=0.0)
    ours = noisy_linear_imputation(x, removed.reshape(SIZE, SIZE))
    np.testing.assert_allclose(ours, theirs, atol=1e-9)


def test_pointing_mass_and_roc_area(world):
    net, x, classes, attributions = world
    inside = np.zeros((3, 1, SIZE, SIZE), bool)
    inside[0, 0, 2:5, 1:4] = inside[1, 0, :, 4:] = inside[2, 0, 6, 6] = True
    attributions[2, 0, 6, 6] = 2.0
    given = {
        "model": net,
        "x_batch": x,
        "y_batch": classes,
        "a_batch": attributions,
        "s_batch": inside,
        "device": "cpu",
    }
    hits = quiet(quantus.PointingGame, normalise=False)(**given)
    masses = quiet(quantus.RelevanceMassAccuracy, normalise=False)(**given)
    areas = quiet(quantus.AUC, normalise=False)(**given)
    for i in range(3):
        found = localisation(attributions[i, 0], inside[i, 0])
        assert found.hit == float(hits[i])
        assert found.mass == pytest.approx(masses[i])
        assert found.auc == pytest.approx(areas[i])
