"""Regions hidden one and two at a time: models whose answers are known by hand, and sums that merge."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canonface.confidence import RecognitionConfidence
from canonface.demo import demo_folder
from canonface.errors import LabelsError, NoFaceError, OptionError, PhotoError, TargetError
from canonface.explanation import explain_regions, make_gallery
from canonface.explanation.regions import region_names
from canonface.mesh import load_mesh, region_mask
from canonface.models import load_model, prepare
from canonface.occluders import region_pixels
from canonface.pipeline import audit_regions
from canonface.pipeline.moments import Moments
from canonface.pipeline.regions import RegionSummary
from canonface.types import InputSpec

SPEC = InputSpec(size_hw=(64, 64))
PHOTOS = demo_folder() / "photos"
OPTIONS = {"regions": ["mouth", "eyes", "left_cheek"], "confidence": "value", "fill": "black"}


@pytest.fixture(scope="module")
def face(demo_faces):
    return next(face for face in demo_faces if face.path.endswith("op_P001_studio.jpg"))


def place(face, name):
    """Pixels of a region in the model's input."""
    return region_pixels(prepare(face, SPEC), [np.flatnonzero(region_mask(face.mesh, name))])[0]


def seen_in(face, name):
    """A model's sense: 1 while the region is as it was, 0 once it is black."""
    mask = place(face, name)
    whole = prepare(face, SPEC).x[:, mask].mean()
    return lambda batch: np.asarray(batch)[:, :, mask].mean(axis=(1, 2)) / whole


def model_of(prediction):
    """A black box with one number as its answer."""
    return load_model(lambda batch: prediction(batch)[:, None], spec=SPEC, outputs="values", labels=("it",))


def ask(face, prediction, *regions, **options):
    return explain_regions(
        face, model_of(prediction), "it", regions=regions, confidence="value", fill="black", **options
    )


class TestOneFace:
    def test_a_model_that_adds_up_has_no_interaction(self, face):
        eyes, mouth = seen_in(face, "eyes"), seen_in(face, "mouth")
        effects = ask(face, lambda b: eyes(b) + 2 * mouth(b), "eyes", "mouth", "nose")
        np.testing.assert_allclose(effects.drops, [1, 2, 0], atol=0.03)
        np.testing.assert_allclose(effects.joint[0, 1], 3, atol=1e-4)
        np.testing.assert_allclose(effects.interactions[0, 1:], 0, atol=0.03)
        assert effects.confidence == pytest.approx(3)
        assert effects.model_calls == 1 + 3 + 3

    def test_where_either_suffices_the_interaction_is_positive(self, face):
        eyes, mouth = seen_in(face, "eyes"), seen_in(face, "mouth")
        effects = ask(face, lambda b: np.maximum(eyes(b), mouth(b)), "eyes", "mouth")
        np.testing.assert_allclose(effects.drops, 0, atol=1e-6)
        assert effects.interactions[0, 1] == pytest.approx(1, abs=1e-6)

    def test_where_both_are_needed_the_interaction_is_negative(self, face):
        eyes, mouth = seen_in(face, "eyes"), seen_in(face, "mouth")
        effects = ask(face, lambda b: np.minimum(eyes(b), mouth(b)), "eyes", "mouth")
        np.testing.assert_allclose(effects.drops, 1, atol=1e-6)
        assert effects.interactions[0, 1] == pytest.approx(-1, abs=1e-6)

    def test_areas_are_shares_of_the_face(self, face):
        effects = ask(face, seen_in(face, "mouth"), "mouth", "forehead")
        [whole] = region_pixels(prepare(face, SPEC), [np.arange(face.mesh.face_count)])
        expected = [place(face, name).sum() / whole.sum() for name in ("mouth", "forehead")]
        np.testing.assert_allclose(effects.areas, expected)
        wider = ask(face, seen_in(face, "mouth"), "mouth", "forehead", dilate_cm=0.5)
        assert (wider.areas > effects.areas).all()

    def test_places_that_are_partly_the_same_do_not_interact(self, face):
        effects = ask(face, seen_in(face, "mouth"), "mouth", "upper_lip", "nose_tip")
        assert effects.overlap[0, 1] == 1
        assert np.isnan(effects.interactions[0, 1])
        assert np.isfinite(effects.joint).all()
        assert np.isfinite(effects.interactions[0, 2])

    def test_without_interactions_pairs_are_not_asked(self, face):
        effects = ask(face, seen_in(face, "mouth"), "mouth", "eyes", interactions=False)
        assert effects.model_calls == 1 + 2
        assert np.isnan(effects.joint[0, 1])
        np.testing.assert_array_equal(np.diagonal(effects.joint), effects.drops)

    def test_a_profile_does_not_show_its_far_eye(self, demo_faces):
        profile = next(face for face in demo_faces if face.path.endswith("op_P009_view_profile_a.jpg"))
        far = "right_eye" if profile.pose_deg.yaw < 0 else "left_eye"
        near = "left_eye" if far == "right_eye" else "right_eye"
        effects = ask(profile, seen_in(profile, near), far, near)
        assert np.isnan(effects.drops[0])
        assert np.isnan(effects.joint[0, 1])
        assert effects.drops[1] == pytest.approx(1, abs=0.05)
        assert effects.visible[0] < 0.25 < effects.visible[1]

    def test_several_fills_are_averaged(self, face):
        mouth = seen_in(face, "mouth")
        options = {"regions": ["mouth"], "confidence": "value"}
        one, two, both = (
            explain_regions(face, model_of(mouth), "it", fill=fill, **options).drops[0]
            for fill in ("black", "#ffffff", "black+#ffffff")
        )
        assert both == pytest.approx((one + two) / 2, abs=1e-6)


class TestRecognition:
    @pytest.fixture
    def model(self):
        weights = np.random.default_rng(3).normal(size=(6, 3, 64, 64))
        return load_model(
            lambda batch: np.einsum("nchw,kchw->nk", batch, weights), spec=SPEC, outputs="embedding"
        )

    @pytest.fixture
    def people(self, tmp_path):
        names = ("op_P001_studio.jpg", "op_P001_view_profile_a.jpg", "op_P005_studio.jpg")
        lines = (f"{PHOTOS / name},{name[3:7]}" for name in names)
        (tmp_path / "labels.csv").write_text("\n".join(["path,identity", *lines]) + "\n")
        return tmp_path / "labels.csv"

    def test_a_face_is_not_compared_with_its_own_photo(self, face, model, people):
        gallery = make_gallery(people, model)
        options = {"regions": ["mouth"], "confidence": RecognitionConfidence(gallery)}
        effects = explain_regions(face, model, face_labels={"identity": "P001"}, **options)
        own, other = gallery.features[:2].astype(float)
        cosine = own @ other / np.linalg.norm(own) / np.linalg.norm(other)
        assert effects.confidence == pytest.approx(cosine, abs=1e-5)
        assert effects.confidence < 0.999
        summary = audit_regions(people, model, **options)
        assert summary.faces == 2
        assert [reason for _, reason in summary.failed] == ["bad-target"], "P005 has no other photo"


class TestNames:
    def test_the_default_is_every_group_and_what_is_in_none(self):
        names = region_names(load_mesh(1), "groups")
        assert {"eyes", "mouth", "forehead", "philtrum"} <= set(names)
        assert "right_eye" not in names
        assert region_names(load_mesh(1), "all") == tuple(load_mesh(1).regions)
        assert "off_face" in region_names(load_mesh(1, halo=True), "groups")

    def test_what_is_none_is_refused_in_words(self, face):
        mouth = seen_in(face, "mouth")
        with pytest.raises(OptionError, match="there is no 'mouht': did you mean 'mouth'"):
            ask(face, mouth, "mouht")
        with pytest.raises(OptionError, match="At least one region"):
            ask(face, mouth)
        with pytest.raises(OptionError, match="the options are confidence and fill; got 'patch'"):
            ask(face, mouth, "mouth", patch=3)


numbers = st.lists(
    st.lists(st.one_of(st.floats(-1, 1), st.just(float("nan"))), min_size=3, max_size=3),
    min_size=1,
    max_size=8,
)


class TestMoments:
    @settings(deadline=None)
    @given(numbers, st.randoms())
    def test_any_order_and_grouping_gives_the_mean_and_its_error(self, rows, random):
        parts = [Moments.of(np.array(row)) for row in rows]
        while len(parts) > 1:
            parts.append(
                parts.pop(random.randrange(len(parts))).merge(parts.pop(random.randrange(len(parts))))
            )
        for column, (mean, sem) in enumerate(zip(parts[0].mean, parts[0].sem, strict=True)):
            values = [row[column] for row in rows if row[column] == row[column]]
            assert mean == pytest.approx(np.mean(values) if values else np.nan, nan_ok=True, abs=1e-9)
            several = len(values) > 1
            expected = np.std(values, ddof=1) / np.sqrt(len(values)) if several else np.nan
            assert sem == pytest.approx(expected, nan_ok=True, abs=1e-7)


class TestManyFaces:
    @pytest.fixture
    def faces(self, demo_faces):
        return demo_faces[5:9]

    @pytest.fixture
    def model(self):
        middle = (slice(None), slice(None), slice(24, 56), slice(16, 48))
        return model_of(lambda batch: np.asarray(batch)[middle].mean(axis=(1, 2, 3)))

    def test_it_is_the_mean_over_the_faces_that_show_a_region(self, faces, model):
        summary = audit_regions(faces, model, "it", **OPTIONS)
        each = [explain_regions(face, model, "it", **OPTIONS) for face in faces]
        assert summary.faces == len(faces)
        for name in ("drops", "joint", "interactions"):
            values = np.array([getattr(effects, name) for effects in each])
            shown = np.isfinite(values).any(axis=0)
            np.testing.assert_allclose(
                getattr(summary, name).mean[shown], np.nanmean(values[:, shown], axis=0), atol=1e-12
            )
            np.testing.assert_array_equal(getattr(summary, name).count, np.isfinite(values).sum(axis=0))

    def test_halves_merge_to_the_whole(self, faces, model):
        whole = audit_regions(faces, model, "it", **OPTIONS)
        halves = [audit_regions(part, model, "it", **OPTIONS) for part in (faces[:1], faces[1:])]
        merged = halves[0].merge(halves[1])
        np.testing.assert_allclose(merged.drops.mean, whole.drops.mean, atol=1e-12)
        np.testing.assert_allclose(merged.interactions.sem, whole.interactions.sem, atol=1e-12)
        assert merged.faces == whole.faces
        other = audit_regions(faces[:1], model, "it", regions=["mouth"], confidence="value")
        with pytest.raises(OptionError, match="Summaries of one question are merged; names differ"):
            whole.merge(other)

    def test_the_strongest_come_first(self, faces, model):
        summary = audit_regions(faces, model, "it", **OPTIONS)
        assert isinstance(summary, RegionSummary)
        sizes = [abs(pair.mean) for pair in summary.strongest()]
        assert sizes == sorted(sizes, reverse=True)
        assert len(summary.strongest(1)) == 1

    def test_photos_that_fail_are_listed_and_the_others_go_on(self, model, tmp_path):
        from PIL import Image

        Image.new("RGB", (80, 80)).save(tmp_path / "nobody.png")
        seen = []
        photos = [tmp_path / "nobody.png", PHOTOS / "op_P001_studio.jpg"]
        summary = audit_regions(photos, model, "it", progress=seen.append, **OPTIONS)
        assert summary.faces == 1
        [(name, reason)] = summary.failed
        assert name.endswith("nobody.png")
        assert reason == "no-face"
        assert [(state.done, state.total) for state in seen] == [(1, 2), (2, 2)]
        with pytest.raises(NoFaceError):
            audit_regions(photos[:1], model, "it", **OPTIONS)
        with pytest.raises(PhotoError, match="at least one photo"):
            audit_regions([], model, "it", **OPTIONS)

    def test_labels_name_the_target(self, tmp_path):
        def two(batch):
            mean = np.asarray(batch).mean(axis=(1, 2, 3))
            return np.stack([mean, 1 - mean], axis=1)

        model = load_model(two, spec=SPEC, outputs="probabilities", labels=("light", "dark"))
        table = tmp_path / "labels.csv"
        table.write_text(f"path,tone\n{PHOTOS / 'op_P001_studio.jpg'},dark\n")
        options = {"regions": ["mouth"], "fill": "black"}
        dark = audit_regions(table, model, "label:tone", **options)
        light = audit_regions(table, model, "light", **options)
        np.testing.assert_allclose(dark.drops.mean, -light.drops.mean, atol=1e-6)
        with pytest.raises(LabelsError, match="tine"):
            audit_regions(table, model, "label:tine", **options)
        with pytest.raises(TargetError, match="dim"):
            audit_regions(table, model, "dim", **options)
