"""Pixels under discs and surface patches, against slow replicas and by their laws."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_occluders import slow_disc, slow_surface
from toy_faces import flat_input, toy_face, toy_input

from canonface.errors import OptionError
from canonface.mesh import load_mesh, make_mesh
from canonface.models import prepare
from canonface.occluders import OCCLUDERS, Disc, PatchOccluder, Square, Surface, make_occluder
from canonface.types import InputSpec

places = st.tuples(st.floats(-6, 46), st.floats(-6, 46))


def masks_of(occluder, shown, vertices):
    """Return the hidden pixels ``(n, h, w)`` of the first fill."""
    occlusions = occluder.occlusions(shown, np.asarray(vertices))[0]
    hidden = np.zeros((len(occlusions), *shown.spec.size_hw), bool)
    for i, (x0, y0, x1, y1) in enumerate(occlusions.boxes.tolist()):
        hidden[i, y0:y1, x0:x1] = True if occlusions.masks is None else occlusions.masks[i]
    return hidden


def hill(side=6):
    """Return a square of 15 cm with a steep hill, which occludes other parts when turned."""
    x, y = (axis.ravel() for axis in np.meshgrid(np.linspace(-7, 8, side), np.linspace(8, -7, side)))
    number = np.arange(side * side).reshape(side, side)
    a, b, c, d = (
        part.ravel() for part in (number[:-1, :-1], number[1:, :-1], number[1:, 1:], number[:-1, 1:])
    )
    triangles = np.concatenate([np.column_stack([a, b, c]), np.column_stack([a, c, d])])
    return make_mesh("hill/1", np.column_stack([x, y, 9 * np.exp(-(x**2 + y**2) / 12)]), triangles)


class TestDisc:
    @settings(max_examples=60, deadline=None)
    @given(places, st.floats(1, 20))
    def test_it_equals_the_slow_replica(self, place, side):
        shown = flat_input([place])
        np.testing.assert_array_equal(masks_of(Disc(side), shown, [4])[0], slow_disc(*place, side, (40, 40)))

    @settings(max_examples=60, deadline=None)
    @given(places, st.floats(1, 20))
    def test_it_lies_within_its_bounding_square(self, place, side):
        shown = flat_input([place])
        disc, square = (masks_of(shape(side), shown, [4])[0] for shape in (Disc, Square))
        assert not (disc & ~square).any()

    def test_a_disc_of_one_pixel_is_that_pixel(self):
        [disc] = masks_of(Disc(1), flat_input([(7.3, 9.8)]), [4])
        assert np.argwhere(disc).tolist() == [[10, 7]]

    def test_its_side_is_that_of_the_square_of_its_area(self):
        shown = flat_input([(20, 20)])
        area = masks_of(Disc(25), shown, [4])[0].sum()
        assert Disc(25).side(shown) ** 2 == pytest.approx(area, rel=0.02)


class TestSurface:
    @settings(max_examples=40, deadline=None)
    @given(
        st.tuples(st.integers(-3, 43), st.integers(-3, 43)),
        st.integers(0, 9).map(lambda k: 2 * k + 1),
        st.floats(0.3, 9),
    )
    def test_on_a_flat_face_that_looks_into_the_camera_it_is_the_disc(self, place, side, scale):
        shown = flat_input([place], scale=scale)
        surface, disc = (masks_of(shape(side), shown, [4])[0] for shape in (Surface, Disc))
        np.testing.assert_array_equal(surface, disc)

    @pytest.mark.parametrize("yaw", [0.0, 35.0, -60.0])
    def test_it_equals_the_slow_replica(self, yaw):
        mesh = hill()
        shown = prepare(toy_face(yaw, mesh=mesh), InputSpec(size_hw=(20, 20)))
        probes = np.flatnonzero(shown.visible)[::4]
        depth = shown.face.depth
        for probe, got in zip(probes, masks_of(Surface("6cm"), shown, probes), strict=True):
            near = slow_surface(mesh.vertices, mesh.triangles, shown.vertices_xy, depth, probe, 3.0, (20, 20))
            assert near.any()
            np.testing.assert_array_equal(got, near)

    def test_it_follows_the_size_of_the_face(self):
        spec = InputSpec(size_hw=(120, 120), crop="image")
        small, large = (
            masks_of(Surface("2cm"), prepare(toy_face(pixels_per_cm=p), spec), [4])[0].sum()
            for p in (3.0, 6.0)
        )
        assert large / small == pytest.approx(4, rel=0.15)

    def test_a_cheek_that_turns_away_has_a_smaller_patch(self):
        spec = InputSpec(size_hw=(120, 120), crop="image")
        mesh = load_mesh(0)
        cheek = int(mesh.regions["right_cheek"][3])
        areas = []
        for yaw in (40.0, 0.0, -30.0):  # a positive yaw turns the subject's right cheek to the camera
            face = toy_face(yaw, pixels_per_cm=5.0)
            areas.append(masks_of(Surface("2cm"), prepare(face, spec), [cheek])[0].sum())
        assert areas[0] > areas[1] > areas[2] > 0

    def test_a_patch_on_the_far_cheek_does_not_show_through_the_nose(self):
        spec = InputSpec(size_hw=(120, 120), crop="image")
        shown = prepare(toy_face(-60.0, pixels_per_cm=5.0), spec)
        mesh = shown.face.mesh
        nose = masks_of(Surface("1cm"), shown, mesh.regions["nose_tip"]).any(axis=0)
        behind = [
            vertex
            for vertex in mesh.regions["right_cheek"]
            if nose[tuple(np.rint(shown.vertices_xy[vertex, ::-1]).astype(int))]
        ]
        assert behind
        square, surface = (masks_of(shape("1cm"), shown, behind) for shape in (Square, Surface))
        several = surface.sum(axis=(1, 2)) > 1  # else nothing of it is seen, and it hides its own pixel
        assert (square & nose).any(axis=(1, 2)).all()
        assert not (surface[several] & nose).any()

    def test_pixels_off_the_face_are_hidden_by_the_halo_only(self):
        spec = InputSpec(size_hw=(120, 120), crop="image")
        shown = prepare(toy_face(20.0, pixels_per_cm=4.0, halo=True), spec)
        mesh = shown.face.mesh
        face = np.flatnonzero(shown.visible[: mesh.face_count])
        halo = mesh.face_count + np.flatnonzero(shown.visible[mesh.face_count :])
        on_face = masks_of(Surface("30cm"), shown, face[:1])[0]  # as large as the face
        patches = masks_of(Surface("2cm"), shown, face)
        several = patches.sum(axis=(1, 2)) > 1  # a vertex on the outline may hide one pixel off the face
        assert several.mean() > 0.98
        assert not (patches[several] & ~on_face).any()
        off_face = masks_of(Surface("2cm"), shown, halo)
        assert not (off_face & on_face).any()
        # far from the face, a disc
        outer = int(np.abs(shown.vertices_xy[halo, 0] - 60).argmax())
        scale = 4.0
        assert off_face[outer].sum() == pytest.approx(np.pi * scale**2, rel=0.15)

    def test_without_near_pixels_the_vertex_hides_its_own_pixel(self):
        shown = toy_input(InputSpec(size_hw=(24, 24)))
        [mask] = masks_of(Surface("0.001cm"), shown, [4])
        x, y = np.rint(shown.vertices_xy[4]).astype(int)
        assert np.argwhere(mask).tolist() == [[y, x]]
        far = replace(shown, vertices_xy=shown.vertices_xy + 1000)
        assert not masks_of(Surface("1cm"), far, [4]).any()

    def test_a_mesh_without_triangles_is_refused_with_a_sentence(self):
        shown = flat_input([(20, 20)])
        bare = make_mesh("bare/1", shown.face.mesh.vertices)
        shown = replace(shown, face=replace(shown.face, mesh=bare))
        with pytest.raises(
            OptionError, match=r"A surface patch needs a mesh with triangles.*'bare/1' has none"
        ):
            Surface("1cm").occlusions(shown, np.array([4]))


class TestRegistry:
    def test_names_and_objects(self):
        assert list(OCCLUDERS) == ["square", "disc", "surface"]
        assert make_occluder("disc", "20%", "blur") == Disc("20%", "blur")
        own = Surface("1cm")
        assert make_occluder(own) is own

    def test_unknown_occluders_are_refused(self):
        with pytest.raises(OptionError, match="did you mean 'disc'"):
            make_occluder("disk")
        with pytest.raises(OptionError, match="an object with the methods"):
            make_occluder(Disc)
        with pytest.raises(OptionError, match="leave them out"):
            make_occluder(Disc(), patch=3)


class FourMethods:
    """An occluder written for version 0.1.0: no base class, the four methods of the protocol."""

    def describe(self):
        return {"name": "dot"}

    def check(self, spec):
        pass

    def side(self, shown):
        return 1.0

    def occlusions(self, shown, vertices):
        return Square(1).occlusions(shown, vertices)


class TestBaseClass:
    def test_an_object_with_the_four_methods_needs_no_base_class(self):
        own = FourMethods()
        assert make_occluder(own) is own

    def test_occlusions_must_be_defined(self):
        with pytest.raises(TypeError, match="occlusions"):
            type("Empty", (PatchOccluder,), {})()

    def test_descriptions_of_the_shapes_are_those_of_the_last_version(self):
        for name, shape in OCCLUDERS.items():
            described = shape("1cm", "average").describe()
            assert list(described) == ["name", "patch", "fill", "texture"]
            assert (described["name"], described["patch"], described["fill"]) == (name, "1cm", "average")
