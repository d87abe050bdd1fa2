"""The training loop: it learns, stops, keeps the best epoch and is reproducible."""

import numpy as np
import pytest
import torch

from canonface.errors import OptionError
from canonface.finetuning.heads import fit_head
from canonface.finetuning.training_loop import Schedule, TrainingData, class_weights, fit

QUICK = {"epochs": 60, "patience": 10, "batch": 16, "rate": 0.01, "decay": 0.0, "mirror": False, "seed": 0}


def world(n=120, d=5, noise=0.0, seed=0):
    """Return features, and classes given by the sign of their first entry, some of them wrong."""
    draw = np.random.default_rng(seed)
    features = draw.normal(size=(n, d)) * [1, 10, 0.1, 1, 1] + [0, 100, 0, 0, 0]
    classes = (features[:, 0] > 0) ^ (draw.random(n) < noise)
    return features[None], np.array([classes, classes]).astype(np.int64)


def fitted(features, classes, **changes):
    n = features.shape[1]
    schedule = Schedule(**{**QUICK, **changes})
    return fit_head(features, classes, 2, np.arange(n // 2), np.arange(n // 2, n), schedule, balance=True)


def test_a_head_learns_a_linear_class_and_takes_raw_features():
    features, classes = world(n=600)
    head, _ = fitted(features, classes)
    fresh, right = world(seed=7)
    with torch.no_grad():
        predicted = head(torch.tensor(fresh[0], dtype=torch.float32)).argmax(dim=1).numpy()
    assert (predicted == right[0]).mean() > 0.95


def test_it_stops_without_gain_and_keeps_the_best_epoch():
    features, classes = world(noise=0.3)
    head, history = fitted(features, classes, epochs=500, patience=5, rate=0.05)
    assert history.stopped_early
    assert len(history.losses) == history.best + 6
    assert history.losses[history.best] <= min(history.losses) + 1e-4
    short, again = fitted(features, classes, epochs=history.best + 1, patience=5, rate=0.05)
    assert again.best == history.best
    assert torch.equal(head.weight, short.weight), "epochs after the best are undone"


def test_it_ends_with_the_epochs():
    _, history = fitted(*world(), epochs=3)
    assert (len(history.losses), history.stopped_early) == (3, False)


def test_the_same_seed_gives_the_same_bits_and_leaves_torchs_generator_alone():
    features, classes = world(noise=0.1)
    torch.manual_seed(3)
    state = torch.get_rng_state()
    one, _ = fitted(features, classes)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(4)
    two, _ = fitted(features, classes)
    other, _ = fitted(features, classes, seed=1)
    assert torch.equal(one.weight, two.weight)
    assert torch.equal(one.bias, two.bias)
    assert not torch.equal(one.weight, other.weight)


def test_mirror_images_have_their_own_class():
    """Mirroring changes the sign of the feature and the class; without it, all photos are of class 1."""
    draw = np.random.default_rng(0)
    one_side = np.abs(draw.normal(size=(80, 1))) + 0.5
    features, classes = np.stack([one_side, -one_side]), np.repeat([[1], [0]], 80, axis=1)
    schedule = Schedule(**{**QUICK, "mirror": True})
    head, _ = fit_head(features, classes, 2, np.arange(60), np.arange(60, 80), schedule, balance=False)
    with torch.no_grad():
        predictions = head(torch.tensor([[1.0], [-1.0]])).argmax(dim=1).tolist()
    assert predictions == [1, 0]


def test_balance_gives_a_rare_class_the_same_weight():
    classes = np.array([0] * 30 + [1] * 10)
    weights = class_weights(classes, 2, balance=True)
    assert weights.tolist() == pytest.approx([40 / 60, 40 / 20])
    assert (weights[classes]).sum() == pytest.approx(40)
    assert class_weights(classes, 2, balance=False).tolist() == [1, 1]


@pytest.mark.parametrize(
    "change", [{"epochs": 0}, {"patience": 0}, {"batch": 0}, {"rate": 0.0}, {"decay": -1.0}]
)
def test_a_schedule_is_checked(change):
    with pytest.raises(OptionError, match="got"):
        Schedule(**{**QUICK, **change})


def test_an_infinite_loss_is_an_error():
    head = torch.nn.Linear(1, 2)
    data = TrainingData(
        lambda photos, mirrored: torch.full((len(photos), 1), torch.inf), np.zeros((2, 4), int), np.ones(2)
    )
    with pytest.raises(OptionError, match="smaller learning rate"):
        fit(head, data, np.arange(2), np.arange(2, 4), Schedule(**QUICK))
