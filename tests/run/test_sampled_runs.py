"""Runs that ask a part of the questions: the design on disk, resuming, stopping, and what the map then is."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from canonface.demo import demo_folder
from canonface.errors import ConfigurationChangedError, LabelsError, OptionError, RunError
from canonface.explanation import explain
from canonface.models import load_model
from canonface.pipeline import audit, loop
from canonface.pipeline import photos as photo_pipeline
from canonface.pipeline.stopping import StoppingRule
from canonface.run import Run
from canonface.run.stopping import InterimLook, Order, StoppingState
from canonface.sampling import Design, estimate_map
from canonface.types import InputSpec

SPEC = InputSpec(size_hw=(32, 32))
WEIGHTS = np.random.default_rng(1).normal(size=(2, 3, 32, 32))


def toy(batch):
    return np.einsum("nchw,kchw->nk", batch, WEIGHTS) / 8


@pytest.fixture(scope="module")
def model():
    return load_model(toy, spec=SPEC, labels=("no", "yes"), name="toy")


@pytest.fixture(scope="module")
def photos():
    return demo_folder() / "photos"


@pytest.fixture(scope="module")
def whole(photos, model, tmp_path_factory):
    return audit(photos, model, tmp_path_factory.mktemp("whole") / "run", target="yes", stride=10)


def sample(photos, model, out, **options):
    return audit(photos, model, out, **({"target": "yes", "stride": 10, "share": 0.2, "seed": 5} | options))


def test_a_sampled_run_asks_what_its_design_says_and_nothing_else(photos, model, whole, tmp_path):
    run = sample(photos, model, tmp_path / "run")
    assert run.manifest.configuration["design"] == {"name": "low-discrepancy", "share": 0.2, "seed": 5}
    assert "design" not in whole.manifest.configuration, "a full run's manifest is as it was"
    places = run.mesh.vertices[run.probes].astype(float)
    faces = list(zip(*(run.faces.column(c).to_pylist() for c in ("photo", "face")), strict=True))
    asked = Design("low-discrepancy", 0.2, 5).probed(places, faces)
    np.testing.assert_array_equal(run.drops(), np.where(asked, whole.drops(), np.nan))
    # One image more than drops, for the face as it is; fewer, where patches fall on the same pixels.
    calls, drops = np.array(run.faces.column("model_calls").to_pylist()), np.isfinite(run.drops()).sum(axis=1)
    assert (calls <= drops + 1).all()
    assert (calls >= 0.85 * drops).all()
    estimate = run.estimate()
    hidden = np.isnan(whole.drops()) & asked
    assert estimate.probed == np.isfinite(run.drops()).sum()
    assert (estimate.hidden, estimate.inferred) == (hidden.sum(), (~asked).sum())


def test_its_map_is_the_estimate_and_says_so(photos, model, whole, tmp_path):
    run = sample(photos, model, tmp_path / "run", labels=demo_folder() / "labels.csv")
    estimate, cms = run.estimate(), run.cms()
    assert cms.note == "20.1% of the probes of each face evaluated, the rest inferred"
    assert cms.half_width == estimate.map.widest
    assert (whole.cms().note, np.isnan(whole.cms().half_width)) == ("", True)
    assert cms.faces == 40
    assert estimate.clusters == 11, "people, by the labels"
    # The picture at the probes is the estimate there, but for the rounding of patches to pixels.
    values, seen = cms.vertex_values[run.probes], np.isfinite(estimate.map.values)
    assert np.corrcoef(values[seen], estimate.map.values[seen])[0, 1] > 0.97
    columns, rows = np.rint(run.canvas.project(run.mesh)[run.probes][seen]).astype(int).T
    ratio = cms.sem[rows, columns] / estimate.map.se[seen]
    assert np.median(ratio) == pytest.approx(1, abs=0.05)
    both = (cms.seen > 0) & (whole.cms().seen > 0)
    assert np.corrcoef(cms.map[both], whole.cms().map[both])[0, 1] > 0.8
    groups = run.estimate(by="gender")
    assert {name: found.faces for name, found in groups.items()} == {
        name: cms.faces for name, cms in run.cms(by="gender").items()
    }
    with pytest.raises(OptionError, match="this one is an estimate"):
        cms.merge(whole.cms())


def test_a_full_run_has_a_band_too(whole):
    estimate = whole.estimate(cluster=None)
    assert (estimate.bandwidth, estimate.inferred) == (0, 0)
    np.testing.assert_allclose(estimate.drops, np.nanmean(whole.drops(), axis=0))
    assert np.isfinite(estimate.map.widest)
    assert whole.estimate(of="photos").map.widest == pytest.approx(0)
    assert whole.estimate(confidence_level=0.99).map.widest > estimate.map.widest


def test_a_share_of_all_is_a_full_run(photos, model, whole, tmp_path):
    run = sample(photos, model, tmp_path / "run", design="random", share=1.0)
    np.testing.assert_array_equal(run.drops(), whole.drops())
    assert "design" not in run.manifest.configuration


@pytest.mark.parametrize("options", [{}, {"precision": 1e-9, "precision_of": "regions"}])
def test_a_killed_run_goes_on_and_asks_the_same(photos, model, tmp_path, monkeypatch, options):
    unbroken = sample(photos, model, tmp_path / "unbroken", **options)
    monkeypatch.setattr(loop._Writer, "max_rows", 1)
    for stop_at in (3, 20, 35):

        def kill(state, stop_at=stop_at):
            if state.done == stop_at:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            sample(photos, model, tmp_path / "broken", progress=kill, **options)
    resumed = sample(photos, model, tmp_path / "broken", **options)
    np.testing.assert_array_equal(resumed.drops(), unbroken.drops())
    np.testing.assert_array_equal(resumed.estimate().map.half_width, unbroken.estimate().map.half_width)
    assert resumed.stopping_state == unbroken.stopping_state


def test_another_design_is_refused(photos, model, tmp_path):
    sample(photos, model, tmp_path / "run", stride=200)
    for changed, words in [
        ({"share": 0.3}, r"design\.share: 0\.2 then, 0\.3 now"),
        ({"design": "random"}, r'design\.name: "low-discrepancy" then, "random" now'),
        ({"seed": 6}, r"design\.seed: 5 then, 6 now"),
        ({"share": None}, r"design: \{.*\} then, null now"),
        ({"precision": 0.1}, r"order: null then, \{.*\"clusters\": 40.*\} now"),
    ]:
        with pytest.raises(ConfigurationChangedError, match=words):
            sample(photos, model, tmp_path / "run", stride=200, **changed)


def test_a_run_stops_when_it_is_precise_and_says_what_it_reached(photos, model, tmp_path, monkeypatch):
    # At its first look the toy's map is carried by 6.7 faces.
    monkeypatch.setattr("canonface.sampling.band.FEW_EFFECTIVE", 6.0)
    narrow = sample(photos, model, tmp_path / "narrow", precision=1e-9)
    assert narrow.stopping_state.stopped == "all-photos"
    looks = narrow.stopping_state.looks
    assert [look.photos for look in looks] == [32, 40], "nobody is known: photos are counted"
    # Wide enough for the first look, which has fewer faces and the wider band.
    wide = sample(photos, model, tmp_path / "wide", precision=looks[0].half_width * 1.001)
    assert wide.stopping_state.stopped == "precision"
    assert wide.stopping_state.looks == looks[:1]
    assert wide.faces.num_rows == looks[0].faces == 32
    assert wide.estimate().map.widest == pytest.approx(looks[0].half_width, rel=1e-9)
    assert wide.cms().half_width == pytest.approx(looks[0].half_width, rel=1e-9)
    assert json.loads((tmp_path / "wide" / "reached.json").read_text())["precision_of"] == "map"
    # The looks do not depend on the precision: the same run may be asked for more.
    more = sample(photos, model, tmp_path / "wide", precision=1e-9)
    assert more.stopping_state == narrow.stopping_state
    np.testing.assert_array_equal(more.drops(), narrow.drops())


def test_the_level_of_a_look_is_paid_for(photos, model, tmp_path):
    run = sample(photos, model, tmp_path / "run", precision=1e-9)
    assert run.manifest.configuration["order"] == {"seed": 5, "clusters": 40, "looks": 2}
    plain = sample(photos, model, tmp_path / "plain")
    assert run.estimate().map.confidence_level == pytest.approx(1 - 0.05 / 3)
    assert run.estimate().map.widest > plain.estimate(cluster=None).map.widest


def test_photos_are_taken_in_an_order_of_chance_person_by_person(photos, model, tmp_path):
    labels = demo_folder() / "labels.csv"
    seen = []

    def note(state):
        seen.append(state.done)

    run = sample(photos, model, tmp_path / "run", max_forward_passes=300, labels=labels, progress=note)
    assert run.stopping_state.stopped == "max-forward-passes"
    assert run.manifest.configuration["cluster"] == "identity"
    names = run.labels("identity")
    taken = run.faces.column("photo").to_pylist()
    assert taken != list(range(len(taken))), "not the first of the list"
    asked = np.array(run.faces.column("model_calls").to_pylist())
    assert run.stopping_state.looks[-1].forward_passes == asked.sum()
    assert 300 <= asked.sum() < 300 + asked.max()
    everyone = Run.open(tmp_path / "run").estimate()
    assert everyone.clusters == len(set(names)) < 11
    # All photos of a person but the last one are there.
    rows = [line.split(",") for line in labels.read_text().splitlines()[1:]]
    of = {name: sum(row[1] == name for row in rows) for name in set(names)}
    assert sum(names.count(name) < of[name] for name in of) <= 1
    assert seen[-1] == len(taken)


def test_a_budget_may_be_raised_and_each_raise_has_its_price(photos, model, tmp_path):
    """Looking, and going on if one does not like what one sees, is peeking: the bands become wider for it."""
    levels, taken = [], []
    for budget in (300, 500, 10**6):
        run = sample(photos, model, tmp_path / "run", max_forward_passes=budget)
        levels.append(run.estimate().map.confidence_level)
        taken.append(run.stopping_state.looks[-1].photos)
    assert levels == pytest.approx([1 - 0.05 / 2, 1 - 0.05 / 4, 1 - 0.05 / 8])
    assert run.stopping_state.stopped == "all-photos"
    assert run.stopping_state.unplanned == tuple(taken) == tuple(sorted(taken))
    assert run.estimate(confidence_level=0.9).map.confidence_level == pytest.approx(1 - 0.1 / 8)
    # A smaller budget takes nothing back: what was asked is paid for, and another start is no other look.
    again = sample(photos, model, tmp_path / "run", max_forward_passes=300)
    assert again.stopping_state == replace(
        run.stopping_state, max_forward_passes=300, stopped="max-forward-passes"
    )
    once = sample(photos, model, tmp_path / "once", max_forward_passes=10**6)
    assert once.estimate().map.widest < run.estimate().map.widest


def test_a_budget_beside_a_precision_is_a_look_more(photos, model, tmp_path):
    run = sample(photos, model, tmp_path / "run", precision=1e-9, max_forward_passes=300)
    assert (run.stopping_state.stopped, run.stopping_state.looks[-1].extra) == ("max-forward-passes", 1)
    assert run.estimate().map.confidence_level == pytest.approx(1 - 0.05 / 3 / 2)
    more = sample(photos, model, tmp_path / "run", precision=1e-9)
    assert [(look.photos, look.extra) for look in more.stopping_state.looks] == [(32, 0), (40, 0)]
    assert more.estimate().map.confidence_level == pytest.approx(1 - 0.05 / 3), (
        "planned looks keep their level"
    )


def test_rows_made_elsewhere_decide_alike(photos, model, tmp_path, monkeypatch):
    """The parts of two processes, each with half of the photos, beside a manifest: nothing is asked again."""
    import pyarrow.parquet as pq

    unbroken = sample(photos, model, tmp_path / "unbroken", precision=1e-9)
    folder = tmp_path / "merged"
    (folder / "parts").mkdir(parents=True)
    shutil.copy(tmp_path / "unbroken" / "run.json", folder)
    for number in range(2):
        half = unbroken.table.take(list(range(1 - number, unbroken.table.num_rows, 2)))
        pq.write_table(half, folder / "parts" / f"part-00000{number}-{number:08x}.parquet")

    monkeypatch.setattr(photo_pipeline, "explain_face", lambda *_: pytest.fail("it was asked before"))
    merged = sample(photos, model, folder, precision=1e-9)
    assert merged.stopping_state == unbroken.stopping_state
    np.testing.assert_array_equal(merged.estimate().map.half_width, unbroken.estimate().map.half_width)
    np.testing.assert_array_equal(merged.cms().map, unbroken.cms().map)


def test_a_run_that_nobody_has_looked_at_has_no_map_yet(photos, model, tmp_path):
    def kill(state):
        if state.done == 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sample(photos, model, tmp_path / "run", precision=1e-9, progress=kill)
    run = Run.open(tmp_path / "run")
    for look_early in (run.estimate, run.cms):
        with pytest.raises(RunError, match="from its first interim look on, after 32 people or at its end"):
            look_early()


def test_the_column_that_names_people_is_kept(photos, model, tmp_path):
    """Also where nothing is to be stopped, and under another name than the usual one."""
    rows = (demo_folder() / "labels.csv").read_text().splitlines()
    header = rows[0].replace("identity", "who")
    (tmp_path / "labels.csv").write_text("\n".join([header, *rows[1:]]))
    labels = {"labels": tmp_path / "labels.csv"}
    photos_alone = sample(photos, model, tmp_path / "alone", **labels)
    people = sample(photos, model, tmp_path / "people", cluster="who", **labels)
    assert (photos_alone.estimate().clusters, people.estimate().clusters) == (40, 11)
    assert photos_alone.estimate(cluster="who").clusters == 11
    with pytest.raises(ConfigurationChangedError, match='cluster: "who" then, null now'):
        sample(photos, model, tmp_path / "people", **labels)


def test_rows_after_the_last_look_wait_for_the_next(photos, model, tmp_path):
    def kill(state):
        if state.done == 36:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sample(photos, model, tmp_path / "run", precision=1e-9, progress=kill)
    run = Run.open(tmp_path / "run")
    assert run.faces.num_rows == 36
    assert run.estimate().faces == run.cms().faces == 32


def test_failed_photos_count_as_taken(photos, model, tmp_path):
    folder = tmp_path / "photos"
    shutil.copytree(photos, folder)
    for name in sorted(path.name for path in folder.iterdir())[:10]:
        (folder / name).write_text("no photo")
    run = sample(folder, model, tmp_path / "run", precision=1e-9)
    assert [look.photos for look in run.stopping_state.looks] == [32, 40]
    assert run.stopping_state.looks[-1].faces == 30


def test_a_run_without_a_face_reaches_nothing(tmp_path, model):
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "none.jpg").write_text("no photo")
    run = sample(folder, model, tmp_path / "run", precision=0.5)
    assert run.stopping_state.stopped == "all-photos"
    assert run.stopping_state.looks == (InterimLook(photos=1),)
    with pytest.raises(RunError, match="at least one explained face"):
        run.estimate()


def test_a_map_carried_by_one_face_is_never_precise(tmp_path):
    """The rule asks for enough faces that matter, or it would stop before it met them."""
    drops = np.zeros((40, 4))
    drops[3] = 1e-6
    from sampled_worlds import sampled

    places = np.arange(12.0).reshape(4, 3)
    estimate = estimate_map(sampled(drops, np.ones(drops.shape, bool), np.arange(40), places, 1.0))
    order, photos = Order(0, 40, 2), [f"photo {i}" for i in range(40)]
    until = StoppingRule(
        order, photos, lambda _photos, _level: estimate, tmp_path, StoppingState(precision=0.5)
    )
    assert not until.due(31, 0, known=False)
    assert until.due(32, 0, known=True)
    assert not until.look(32, 0)
    assert until.state.looks[0].half_width < 0.5
    until.estimate = lambda *_: replace(estimate, map=replace(estimate.map, effective=19.0))
    assert until.look(32, 0)
    assert StoppingState.read(tmp_path).stopped == "precision"


def test_what_cannot_be_reached_is_refused_before_anything_is_asked(photos, model, tmp_path):
    for options, words in [
        ({"precision": 0.0}, "half-width above 0"),
        ({"precision": 0.1, "precision_of": "nose"}, "'map' or of its 'regions'; got 'nose'"),
        ({"precision_of": "regions"}, "without one: give both, or neither"),
        ({"max_forward_passes": 0}, "at least 1; got 0"),
        ({"design": "adaptive"}, "use it with explain"),
        ({"share": 2.0}, "above 0 and at most 1"),
    ]:
        with pytest.raises(OptionError, match=words):
            sample(photos, model, tmp_path / "run", **options)
    with pytest.raises(LabelsError, match="no column 'who'"):
        sample(photos, model, tmp_path / "run", cluster="who", labels=demo_folder() / "labels.csv")
    assert not (tmp_path / "run").exists()


def test_a_map_that_few_faces_carry_is_said_to_be_unsure(photos, tmp_path, caplog):
    sure = load_model(lambda batch: 60 * toy(batch), spec=SPEC, labels=("no", "yes"))
    run = sample(photos, sure, tmp_path / "run", stride=60)
    assert not run.estimate(cluster=None).map.trusted
    assert "the map is carried by few faces" in caplog.text


def test_a_file_that_is_no_result_is_named(photos, model, tmp_path):
    run = sample(photos, model, tmp_path / "run", max_forward_passes=100)
    (tmp_path / "run" / "reached.json").write_text("{}")
    with pytest.raises(
        RunError, match=r"reached\.json holds the state of a run that may stop early, and cannot be read"
    ):
        _ = run.stopping_state


def test_one_face_coarse_to_fine(demo_faces, model):
    face = demo_faces[7]
    whole = explain(face, model, "yes", stride=4)
    cis = explain(face, model, "yes", stride=4, design="adaptive")
    asked = np.isfinite(cis.drops) & ~cis.inferred
    np.testing.assert_array_equal(np.isfinite(cis.drops), np.isfinite(whole.drops))
    np.testing.assert_allclose(cis.drops[asked], whole.drops[asked], atol=1e-6)
    assert asked.sum() <= 0.4 * np.isfinite(whole.drops).sum() + 1
    assert 0.85 * asked.sum() < cis.model_calls <= asked.sum() + 1
    left = cis.inferred
    true = np.sqrt(np.mean((cis.drops - whole.drops)[left] ** 2))
    assert 0.3 * true < cis.inferred_error < 3 * true
    assert whole.inferred is None
    half = explain(face, model, "yes", stride=4, design="adaptive", share=0.2)
    assert half.model_calls < cis.model_calls


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"design": "random"}, "by design='full' or 'adaptive'; got 'random'"),
        ({"share": 0.5}, "go with design='adaptive'"),
        ({"precision": 0.5}, "go with design='adaptive'"),
    ],
)
def test_single_faces_refuse_what_is_for_many(demo_faces, model, options, words):
    with pytest.raises(OptionError, match=words):
        explain(demo_faces[0], model, **options)
