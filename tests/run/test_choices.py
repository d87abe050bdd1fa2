"""Settings, sampling and engine as objects say what the keywords say."""

import io
from contextlib import redirect_stderr

import numpy as np
import pytest

import canonface
from canonface import Engine, InputSpec, Sampling, load_model
from canonface.demo import demo_folder
from canonface.errors import OptionError
from canonface.explanation import PRESETS, make_settings

PHOTO = demo_folder() / "photos" / "op_P001_studio.jpg"
SMALL = {"subdivision": 0, "spacing": 2.5}


@pytest.fixture(scope="module")
def model():
    def sides(batch):
        light = batch[:, :, :, :12].mean(axis=(1, 2, 3))
        return np.stack([light, 1 - light], axis=1)

    return load_model(sides, spec=InputSpec((24, 24)), outputs="probabilities", labels=("light", "dark"))


@pytest.fixture(scope="module")
def face():
    [found] = canonface.align(PHOTO, subdivision=0)
    return found


def test_settings_are_the_keywords(face, model):
    settings = make_settings("default", target="light", fill="blur", spacing=2.5, patch=5)
    by_object = canonface.explain(face, model, settings=settings)
    by_keyword = canonface.explain(face, model, "light", fill="blur", spacing=2.5, patch=5)
    np.testing.assert_array_equal(by_object.drops, by_keyword.drops)


def test_a_keyword_replaces_a_field(face, model):
    settings = make_settings("default", target="dark", spacing=2.5, patch=5)
    replaced = canonface.explain(face, model, "light", settings=settings)
    assert replaced.target == "light"
    assert replaced.patch == 5


def test_a_sampling_is_the_keywords(model, tmp_path):
    sampling = Sampling(design="random", share=0.5, seed=3)
    by_object = canonface.audit(PHOTO, model, tmp_path / "a", target="light", sampling=sampling, **SMALL)
    by_keyword = canonface.audit(
        PHOTO, model, tmp_path / "b", target="light", design="random", share=0.5, seed=3, **SMALL
    )
    np.testing.assert_array_equal(by_object.drops(), by_keyword.drops())
    assert by_object.manifest.configuration == by_keyword.manifest.configuration


def test_an_engine_is_its_name_and_batch(face, model):
    by_object = canonface.explain(face, model, "light", engine=Engine("dense", 7), spacing=2.5)
    by_keyword = canonface.explain(face, model, "light", engine="dense", batch=7, spacing=2.5)
    np.testing.assert_array_equal(by_object.drops, by_keyword.drops)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"fil": "blur"}, "got 'fil': did you mean 'fill'"),
        ({"settings": PRESETS["paper"], "preset": "paper"}, "leave one out"),
        ({"engine": "denze"}, "did you mean 'dense'"),
        ({"engine": "dense", "batch": 0}, "A batch is a whole number, at least 1; got 0"),
        ({"cluster": "identity"}, "got 'cluster'"),
        ({"level": 0}, "got 'level'"),  # the old name of an audit's subdivision, which explain never had
        ({"sampling": Sampling(cluster="identity")}, "cluster is for many faces"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(face, model, options, words):
    with pytest.raises(OptionError, match=words):
        canonface.explain(face, model, "light", **options)


def test_names_of_0_1_0_warn_and_work(model, tmp_path):
    with pytest.warns(DeprecationWarning, match=r"level=\.\.\. is now subdivision=\.\.\."):
        run = canonface.audit(PHOTO, model, tmp_path / "run", target="light", level=0, spacing=2.5)
    assert run.mesh.name.endswith("/0")
    with pytest.warns(DeprecationWarning, match=r"max_questions=\.\.\. is now max_forward_passes"):
        run = canonface.audit(
            PHOTO, model, tmp_path / "budget", target="light", max_questions=10, subdivision=0, spacing=2.5
        )
    assert run.stopping_state.max_forward_passes == 10
    with pytest.warns(DeprecationWarning, match=r"Run\.stopping_state"):
        assert run.reached == run.stopping_state


def test_a_keyword_takes_the_place_of_the_other_choice_of_probes():
    by_spacing = make_settings("default", make_settings("default", stride=3), spacing=0.5)
    assert (by_spacing.spacing, by_spacing.stride) == (0.5, None)
    by_stride = make_settings("default", make_settings("default", spacing=0.5), stride=3)
    assert (by_stride.spacing, by_stride.stride) == (None, 3)


def test_a_fill_of_ones_own_does_not_give_way_to_a_method():
    with pytest.raises(OptionError, match="fill is an option of occlusion"):
        make_settings("default", make_settings("default", fill="black"), method="rise")
    assert make_settings("paper", method="rise").fill is None


@pytest.mark.parametrize("settings", [{"target": "happy"}, {"confidence": "logit"}])
def test_what_a_pair_has_no_use_for_is_refused_in_settings_too(face, model, settings):
    with pytest.raises(OptionError, match=r"that of verification .*leave it out"):
        canonface.explain_pair(face, face, model, same=True, settings=make_settings("default", **settings))


def test_a_gallery_refuses_another_confidence_in_settings_too(model, tmp_path):
    settings = make_settings("default", confidence="logit")
    with pytest.raises(OptionError, match=r"A gallery is for confidence='recognition'.*got 'logit'"):
        canonface.audit(PHOTO, model, tmp_path / "run", gallery=PHOTO.parent, settings=settings)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"share": 7}, "A share of probes"),
        ({"precision": -1}, "A precision is"),
        ({"sead": 1}, "did you mean 'seed'"),
    ],
)
def test_choices_are_checked_before_the_model_is_loaded(tmp_path, options, words):
    with pytest.raises(OptionError, match=words):
        canonface.audit(tmp_path / "nothing", "no-such-model", tmp_path / "run", **options)


def test_progress_true_shows_a_bar(model, tmp_path):
    screen = io.StringIO()
    with redirect_stderr(screen):
        canonface.audit(PHOTO, model, tmp_path / "run", target="light", progress=True, **SMALL)
    assert "sides" in screen.getvalue()
    assert "1/1" in screen.getvalue()


def test_a_run_that_is_finished_shows_no_bar(model, tmp_path):
    canonface.audit(PHOTO, model, tmp_path / "run", target="light", **SMALL)
    screen = io.StringIO()
    with redirect_stderr(screen):
        canonface.audit(PHOTO, model, tmp_path / "run", target="light", progress=True, **SMALL)
    assert screen.getvalue() == ""


def test_evaluations_and_studies_show_a_bar_too(model, tmp_path):
    run = canonface.audit(PHOTO, model, tmp_path / "run", target="light", **SMALL)
    screen = io.StringIO()
    with redirect_stderr(screen):
        canonface.evaluate(run, model, ["random"], metrics=["drop"], progress=True)
        canonface.studies.density(
            PHOTO, model, tmp_path / "study", target="light", progress=True, subdivision=0
        )
    assert "sides" in screen.getvalue()
    assert screen.getvalue().count("1/1") >= 3


def test_no_public_signature_is_wide():
    import inspect

    for name in canonface.__all__:
        value = getattr(canonface, name)
        if inspect.isfunction(value):
            named = [p for p in inspect.signature(value).parameters.values() if p.kind is not p.VAR_KEYWORD]
            assert len(named) <= 12, f"{name} takes {len(named)} parameters"
