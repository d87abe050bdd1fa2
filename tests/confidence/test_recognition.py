"""Recognition against a gallery: eq. 7 by hand, the margin, the photo itself left out, errors in words."""

import numpy as np
import pytest
import slow_confidences as slow

from canonface import functional as F
from canonface.confidence import CleanPrediction, Gallery, RecognitionConfidence
from canonface.errors import ModelOutputError, OptionError, TargetError

# Ada at 0 and 90 degrees, Bob at 45, Cy at 180.
GALLERY = Gallery(
    ("Ada", "Ada", "Bob", "Cy"),
    np.array([[1.0, 0.0], [0.0, 2.0], [3.0, 3.0], [-1.0, 0.0]]),
    ("ada1", "ada2", "bob1", "cy1"),
)
ROOT = np.sqrt(0.5)


def bind(identity="label:identity", form="closest", query=(5.0, 0.0), photo="", labels=None):
    labels = {"identity": "Ada"} if labels is None else labels
    original = CleanPrediction(np.array([query]), "embedding", (), labels, photo)
    return RecognitionConfidence(GALLERY, identity, form).bind(original)


def test_closest_photo_of_the_labelled_person():
    bound = bind()
    got = bound(np.array([[5.0, 0.0], [1.0, 1.0], [0.0, 0.1], [-1.0, 0.0]]))
    np.testing.assert_allclose(got, [1, ROOT, 1, 0], atol=1e-7)
    assert (bound.target, bound.unit) == ("Ada", "cosine to the closest photo of Ada")


def test_margin_over_the_closest_other():
    bound = bind(form="margin")
    got = bound(np.array([[5.0, 0.0], [1.0, 1.0], [-1.0, 0.0]]))
    np.testing.assert_allclose(got, [1 - ROOT, ROOT - 1, -1], atol=1e-7)
    assert bound.unit == "margin of Ada over others, in cosine"


def test_it_is_the_pure_function_and_the_slow_replica():
    rng = np.random.default_rng(1)
    features = rng.normal(size=(5, 8))
    gallery = Gallery(("a", "b", "a", "a", "c"), features)
    queries = rng.normal(size=(6, 8)).astype(np.float32)
    got = RecognitionConfidence(gallery, "a").bind(CleanPrediction(queries[:1], "embedding"))(queries)
    for value, query in zip(got, queries, strict=True):
        assert value == pytest.approx(F.recognition_confidence(query, features[[0, 2, 3]]), abs=1e-6)
        assert value == pytest.approx(slow.recognition(query, features[[0, 2, 3]]), abs=1e-6)


def test_the_photo_itself_is_left_out():
    query = np.array([[5.0, 0.0]])
    assert bind(photo="ada1")(query)[0] == pytest.approx(0.0, abs=1e-7)
    assert bind("predicted", photo="ada1").target == "Bob"
    with pytest.raises(
        TargetError, match="The only photo of 'Bob' in the gallery is the one that is explained"
    ):
        bind("Bob", photo="bob1")
    # Also where it stands under another name.
    margin = bind(form="margin", photo="bob1", query=(1.0, 1.0))
    np.testing.assert_allclose(margin(np.array([[1.0, 1.0]])), [ROOT + ROOT], atol=1e-6)


def test_the_predicted_person_is_that_of_the_closest_photo():
    assert bind("predicted", query=(1.0, 1.1)).target == "Bob"
    assert bind("predicted", query=(-1.0, 0.1), labels={}).target == "Cy"


def test_a_face_that_turns_into_another_is_a_positive_drop():
    for form in ("closest", "margin"):
        got = bind(form=form)(np.array([[5.0, 0.0], [-5.0, 0.1]]))
        assert got[0] - got[1] > 0.5


def test_description_holds_a_digest_and_no_features():
    described = RecognitionConfidence(GALLERY, form="margin").describe()
    assert described["gallery"] == {"sha256": GALLERY.digest, "photos": 4, "identities": 3}
    assert (described["form"], described["target"]) == ("margin", "label:identity")


def test_errors():
    with pytest.raises(OptionError, match="form is one of closest, margin; got 'far'"):
        RecognitionConfidence(GALLERY, form="far")
    with pytest.raises(TargetError, match=r"no identity 'Adah': did you mean 'Ada'"):
        RecognitionConfidence(GALLERY, "Adah")
    with pytest.raises(TargetError, match=r"no identity 'Eve'.*Known: Ada, Bob, Cy"):
        bind(labels={"identity": "Eve"})
    with pytest.raises(TargetError, match="this photo has none"):
        bind(labels={})
    with pytest.raises(TargetError, match=r"column 'identity': did you mean 'identities'"):
        bind(labels={"identities": "Ada"})
    with pytest.raises(OptionError, match="the gallery holds one person"):
        RecognitionConfidence(Gallery(("a",), np.eye(1)), form="margin")
    with pytest.raises(OptionError, match="compares feature vectors, and this model returns logits"):
        RecognitionConfidence(GALLERY).check("logits", ())
    with pytest.raises(OptionError, match="vectors of 2 numbers, and the model returns 3"):
        bind(query=(1.0, 0.0, 0.0))
    with pytest.raises(ModelOutputError, match="zeros alone for 1 of 2 inputs"):
        bind()(np.array([[1.0, 0.0], [0.0, 0.0]]))


def test_a_gallery_that_holds_only_the_photo_itself():
    own = Gallery(("a", "b"), np.eye(2), ("1", "1"))
    with pytest.raises(TargetError, match="no other photo than the one"):
        RecognitionConfidence(own, "predicted").bind(CleanPrediction(np.eye(2)[:1], "embedding", photo="1"))
    twice = Gallery(("a", "a", "b"), np.eye(3), ("1", "2", "1"))
    with pytest.raises(TargetError, match="no photo of others"):
        RecognitionConfidence(twice, "a", "margin").bind(
            CleanPrediction(np.eye(3)[:1], "embedding", photo="1")
        )


def test_a_gallery_of_another_model_is_refused():
    known = Gallery(("a", "b"), np.eye(2), (), "this model")

    def bind_with(model):
        return RecognitionConfidence(known, "a").bind(
            CleanPrediction(np.eye(2)[:1], "embedding", model=model)
        )

    assert bind_with("this model").target == bind_with("").target == "a"
    with pytest.raises(OptionError, match="with another model or another input: make the gallery anew"):
        bind_with("that model")


def test_a_copy_of_the_photo_in_the_gallery_is_reported(caplog):
    with caplog.at_level("WARNING", logger="canonface"):
        bind(query=(5.0, 0.1))
        bind(photo="ada1")
        bind("Bob")
        assert not caplog.records
        bind(query=(5.0, 0.01), photo="ada1 in another file")(np.ones((3, 2)))
    assert len(caplog.records) == 1
    assert "1 gallery photos of 'Ada' have the features of the explained photo ada1 in anot" in caplog.text
