"""The planted-cue study: plans, trials, results, and networks that use one region by construction or by training."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from canonface.cli.main import app
from canonface.demo import demo_folder
from canonface.errors import ConfigurationChangedError, LabelsError, OptionError, RunError
from canonface.plots import planted_maps_figure, planted_rates_figure
from canonface.studies.planted import study as study_module
from canonface.studies.planted.cue_scores import Chance, CueScore, score
from canonface.studies.planted.cues import MarkCue
from canonface.studies.planted.marks import Area, Mark, paint, shown_pixels
from canonface.studies.planted.model_maps import chosen_methods, model_maps
from canonface.studies.planted.network import HEADS, as_model
from canonface.studies.planted.portraits import Portraits, make_portraits
from canonface.studies.planted.reliance import Reliance, measure_reliance
from canonface.studies.planted.result import Planted
from canonface.studies.planted.study import PlantedDesign, planted, two_values
from canonface.studies.planted.trial import (
    SIZES,
    Trial,
    TrialPlan,
    make_plans,
    paintable,
    read_trial,
    run_trial,
    save_trial,
)

HIT = CueScore(True, True, False, False, 0.0, 0.5, 0.9, ("chin",))
MISS = CueScore(False, False, False, False, 3.0, 0.1, 0.4, ("forehead",))


@pytest.fixture(scope="module")
def portraits(demo_faces):
    return Portraits.of(demo_faces)


def tiled(portraits, times):
    """Repeat the same photos of the same people."""
    names = ("pixels", "triangle", "vertices_xy", "depth", "visible")
    arrays = {name: np.concatenate([getattr(portraits, name)] * times) for name in names}
    return replace(portraits, **arrays, people=portraits.people * times, names=portraits.names * times)


class Greenness(torch.nn.Module):
    """Network that detects the cue by construction: the excess of green over red and blue in all pixels."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor([-1.0, 2.0, -1.0]).view(1, 3, 1, 1))

    def forward(self, x):
        green = torch.relu(torch.nn.functional.conv2d(x, self.weight) - 2).sum(dim=(1, 2, 3))
        return torch.stack([4 - torch.log1p(green), torch.log1p(green) - 4], dim=1)


@pytest.mark.parametrize("region", ["right_cheek", "chin", "left_eyebrow"])
def test_the_map_of_a_network_that_reads_one_region_is_a_hit(portraits, region):
    area = Area.named(portraits.mesh, region)
    chosen = np.argsort(-shown_pixels(portraits.triangle, area))[:6]
    mark = Mark(area.triangles, np.array([0.0, 230.0, 30.0]), 0.9)
    pixels = np.stack([paint(portraits.pixels[i], portraits.triangle[i], [mark]) for i in chosen])
    model = as_model(Greenness(), portraits.side, "greenness")
    maps, seconds = model_maps(portraits, chosen.tolist(), pixels, model, chosen_methods(["gradient"]))
    assert list(maps) == ["canonical", "canonical, log-odds", "gradient"]
    for cms in maps.values():
        found = score(cms, area)
        assert found.hit
        assert found.auc > 0.9
        assert cms.faces == 6
    assert seconds["canonical"] > 0


def test_reliance_of_a_network_that_reads_green(portraits):
    """All marks are green here, so the network does not rely on the place: moved paint counts as much."""
    cue = MarkCue.on(portraits.mesh, "chin", 1.0, ["chin", "right_cheek"])

    class Green:
        area, others = cue.area, cue.others

        def _mark(self, area):
            return [Mark(area.triangles, np.array([0.0, 255.0, 0.0]), 0.95)]

        def draw(self, rng):
            return self._mark(self.area)

        def moved(self, rng):
            return self._mark(self.others[0])

        def distract(self, rng):
            return []

        kind = "mark"

    front = np.argsort(-shown_pixels(portraits.triangle, cue.others[0]))[:8]
    found = measure_reliance(portraits, Green(), Greenness(), front, np.random.default_rng(0))
    assert found.planted > 0.95
    assert found.moved > 0.95
    assert found.on_place < 0.05
    assert found.removed < 0.1
    assert found.hidden < 0.1


def test_plans_are_random_and_even(portraits):
    regions = paintable(portraits)
    plans = make_plans(portraits, "mark", 2 * len(regions), seed=1)
    for attribute, options in (("region", regions), ("size", SIZES), ("head", HEADS)):
        drawn = [getattr(plan, attribute) for plan in plans]
        assert set(drawn) == set(options)
        counts = [drawn.count(option) for option in options]
        assert max(counts) - min(counts) <= 1
    assert [plan.region for plan in plans[: len(regions)]] != regions
    assert make_plans(portraits, "mark", 5, seed=1) == plans[:5]
    assert make_plans(portraits, "mark", 5, seed=2) != plans[:5]
    assert {plan.region for plan in make_plans(portraits, "make-up", 3, seed=1)} == {"eyelids"}


def trial(number, kind="mark", reason="", canonical=HIT, gradient=MISS):
    plan = TrialPlan(number, kind, "chin" if kind == "mark" else "eyelids", 0.7, "flat", 0)
    if reason:
        return Trial(plan, reason, (70, 10, 20))
    values = {name: np.linspace(-1, 1, 1833) for name in ("canonical", "gradient")}
    return Trial(
        plan, "", (70, 10, 20), 5, 0.97, Reliance(0.9, 0.1, 0.2, 0.1), 12, Chance(0.2, 0.1),
        {"canonical": canonical, "gradient": gradient}, values, {"training": 3.0, "canonical": 6.0, "gradient": 1.2},
    )  # fmt: skip


def test_a_trial_is_read_as_it_was_written(tmp_path):
    for one in (trial(3), trial(4, reason="accuracy 0.612 on held-out photos")):
        save_trial(one, tmp_path)
        found = read_trial(tmp_path / f"{one.plan.name}.json")
        assert str(found) == str(one)
        assert {name: values.tolist() for name, values in found.values.items()} == {
            name: values.astype(np.float32).tolist() for name, values in one.values.items()
        }
    (tmp_path / "mark-003.npz").unlink()
    with pytest.raises(RunError, match="Delete both files"):
        read_trial(tmp_path / "mark-003.json")


@pytest.fixture
def found(portraits):
    trials = (
        trial(0), trial(1), trial(2, canonical=MISS), trial(3, reason="accuracy 0.612 on held-out photos"),
        trial(4, reason="only 90 photos show enough of the region"), trial(0, "make-up", gradient=HIT),
    )  # fmt: skip
    return Planted(portraits.mesh, trials, ("canonical", "gradient"), 41, 2)


def test_only_trials_that_count_are_counted(found):
    rows = {(row.kind, row.method): row for row in found.rows()}
    assert str(rows["mark", "canonical"].hits) == "2/3, 67% [21%, 94%]"
    assert rows["mark", "gradient"].hits.hits == 0
    assert rows["make-up", "gradient"].hits.hits == 1
    assert rows["mark", "canonical"].seconds == 0.5
    assert found.chance("mark") == pytest.approx((0.2, 0.1))
    assert found.words() == [
        "marks: 3 of 5 trials count; 1 left out: the network did not learn its cue (accuracy under 90% on held-out "
        "photos); 1 left out: too few photos show enough of the region",
        "marks: the canonical map's peak names the region in 2 of 3 trials (67%, 95% interval 21% to 94%; chance "
        "20%); target 95%: not reached",
        "make-up: 1 of 1 trials count",
        "make-up: the canonical map's peak names the region in 1 of 1 trials (100%, 95% interval 21% to 100%; chance "
        "20%)",
    ]
    assert {row["trial"] for row in found.trial_table()} == {
        "mark-000", "mark-001", "mark-002", "mark-003", "mark-004", "make-up-000",
    }  # fmt: skip
    assert [row["method"] for row in found.table()] == ["chance", "canonical", "gradient"] * 2
    groups = {(row["by"], row["value"], row["method"]): row["hits"] for row in found.groups()}
    assert groups == {
        ("head", "flat", "canonical"): 2, ("head", "flat", "gradient"): 0, ("size", 0.7, "canonical"): 2,
        ("size", 0.7, "gradient"): 0,
    }  # fmt: skip
    assert found.summary()["left_out"]["mark-003"] == "accuracy 0.612 on held-out photos"


def test_the_figures_show_the_first_trials_and_all_methods(found):
    maps = planted_maps_figure(found)
    texts = [text.get_text() for text in maps.texts]
    assert {"Planted", "Canonical (ours)", "Gradient", "hit", "3.0 cm off"} <= set(texts)
    rates = planted_rates_figure(found)
    assert [axes.get_title(loc="left") for axes in rates.axes if axes.get_title(loc="left")] == [
        "coloured marks, trials: 3", "eye make-up, trials: 1",
    ]  # fmt: skip


def test_an_interrupted_study_continues(portraits, tmp_path, monkeypatch):
    run = []

    def toy(plan, *_, **__):
        run.append(plan.name)
        return replace(trial(plan.number, plan.kind), plan=plan)

    monkeypatch.setattr(study_module, "make_portraits", lambda *_, **__: tiled(portraits, 5))
    monkeypatch.setattr(study_module, "run_trial", toy)
    options = {"trials": 2, "make_up": 1, "methods": ["gradient"]}
    planted("photos", tmp_path, **options)
    assert run == ["mark-000", "mark-001", "make-up-000"]
    again = planted("photos", tmp_path, design=PlantedDesign(trials=3, make_up=1), methods=["gradient"])
    assert run[3:] == ["mark-002"]
    assert len(again.trials) == 4
    with pytest.raises(ConfigurationChangedError, match="differs in seed"):
        planted("photos", tmp_path, **options, seed=1)
    with pytest.raises(ConfigurationChangedError, match="differs in methods"):
        planted("photos", tmp_path, trials=2, make_up=1)
    with pytest.raises(OptionError, match="both design and trials"):
        planted("photos", tmp_path, design=PlantedDesign(), trials=2)
    with pytest.raises(TypeError, match="trails"):
        planted("photos", tmp_path, trails=2)


def test_too_few_photos(tmp_path):
    with pytest.raises(RunError, match="at least 150 photos with a face; got 2"):
        planted(sorted((demo_folder() / "photos").iterdir())[:2], tmp_path, trials=1)
    with pytest.raises(OptionError, match="trials=-1"):
        planted(demo_folder() / "photos", tmp_path, trials=-1)


def test_portraits_are_cached(tmp_path):
    paths = sorted((demo_folder() / "photos").iterdir())[:3]
    said = []
    first = make_portraits(paths, tmp_path, progress=said.append)
    assert [state.done for state in said] == [3]

    class Refusing:
        name = "refusing"
        mesh = first.mesh

        def describe(self):
            return {"name": "refusing"}

        def __call__(self, photo, path=""):
            raise AssertionError("aligned again")

    again = make_portraits(paths, tmp_path, aligner=Refusing())
    np.testing.assert_array_equal(again.pixels, first.pixels)
    assert again.names == first.names
    assert len(set(again.people)) == 3


def test_make_up_goes_with_a_column_of_two_values(portraits):
    few = replace(
        portraits, labels={"gender": ("male", "female") * 20 + ("male",), "age": ("1", "2", "3") * 14}
    )
    assert two_values(few, "gender").tolist()[:3] == [False, True, False]
    with pytest.raises(LabelsError, match="no column 'sex'"):
        two_values(few, "sex")
    with pytest.raises(LabelsError, match="'age' has 3"):
        two_values(few, "age")


def test_the_command_reports_too_few_photos(tmp_path):
    result = CliRunner().invoke(
        app, ["study", "planted", str(demo_folder() / "photos" / "op_P001_studio.jpg"), "-o", str(tmp_path)]
    )
    assert isinstance(result.exception, RunError)
    assert "at least 150 photos" in str(result.exception)


@pytest.mark.slow
def test_the_map_of_a_trained_network_is_a_hit(portraits):
    """Run a whole trial: forty photos are few, but enough to learn one region."""
    many = tiled(portraits, 6)
    plan = TrialPlan(0, "mark", "chin", 1.0, "flat", seed=1)
    found = run_trial(plan, many, chosen_methods(["gradcam"]), faces=12)
    assert found.reason == ""
    assert found.accuracy >= 0.9
    assert found.reliance.on_place > 0.5
    assert found.reliance.planted - found.reliance.removed > 0.5
    assert found.scores["canonical"].hit
    assert found.scores["canonical"].auc > 0.8
    assert set(found.scores) == {"canonical", "canonical, log-odds", "gradcam"}
