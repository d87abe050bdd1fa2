"""The bars of an evaluation: as long as the means, with the intervals on them."""

import numpy as np
import pytest

from canonface.evaluation import METRICS, Evaluation
from canonface.plots import bars, save

METHODS = ("cms", "cis", "gradcam", "random")


def evaluation(groups=("",) * 12, of_pairs=False, names=("average-drop", "win", "drop")):
    random = np.random.default_rng(0)
    scores = {name: random.uniform(0, 100, (12, 4)) for name in names}
    if "drop" in scores:
        scores["drop"] = scores["drop"] / 100 - 0.6
    return Evaluation(
        model="toy",
        unit="probability of it",
        methods=METHODS,
        metrics=tuple(METRICS[name] for name in names),
        names=tuple(f"{i}.jpg" for i in range(12)),
        people=tuple(str(i // 2) for i in range(12)),
        groups=groups,
        scores=scores,
        original=np.ones(12),
        left=np.ones((12, 4)),
        taken=np.full((12, 4), 0.1),
        choices={},
        of_pairs=of_pairs,
        by_identity=True,
    )


def panels(figure):
    return [axes for axes in figure.axes if axes.axison]


def test_a_bar_is_as_long_as_its_mean_and_its_line_as_its_interval():
    found = evaluation()
    figure = bars(found, {"gradcam": "GradCAM"})
    assert [axes.get_title() for axes in panels(figure)] == ["Average Drop % ↑", "Win % ↑", "Mean drop ↑"]
    for axes, metric in zip(panels(figure), found.metrics, strict=True):
        expected = [e.interval for e in found.estimates() if e.metric == metric]
        assert [bar.get_width() for bar in axes.patches] == pytest.approx([e.value for e in expected])
        lines = [line.get_xdata() for line in axes.lines if len(set(line.get_xdata())) == 2]
        np.testing.assert_allclose(lines, [[e.low, e.high] for e in expected])
    labels = [label.get_text() for label in panels(figure)[0].get_yticklabels()]
    assert labels == ["CMS", "CIS", "GradCAM", "random"]
    assert panels(figure)[2].get_xlabel() == "probability of it"


def test_controls_are_hatched():
    axes = panels(bars(evaluation()))[0]
    assert [bool(bar.get_hatch()) for bar in axes.patches] == [False, False, False, True]


def test_pairs_of_each_kind_have_a_row():
    figure = bars(evaluation(("same",) * 6 + ("different",) * 6, of_pairs=True))
    assert len(panels(figure)) == 6
    assert [axes.get_title(loc="left") for axes in panels(figure)][::3] == [
        "same (6 pairs)",
        "different (6 pairs)",
    ]


def test_a_missing_number_is_named(tmp_path):
    found = evaluation()
    found.scores["average-drop"][:] = np.nan
    figure = bars(found)
    assert [text.get_text() for text in panels(figure)[0].texts] == ["none"] * 4
    assert save(figure, tmp_path / "bars.svg").stat().st_size > 1000


def test_no_percentage_beyond_100_is_on_the_axis():
    for axes in panels(bars(evaluation()))[:2]:
        ticks = axes.get_xticks()
        assert len(ticks) >= 3
        assert max(ticks) <= 100
