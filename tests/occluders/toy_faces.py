"""Faces made from the mesh itself, turned at will: no photo, no network."""

import numpy as np

from canonface.geometry import rotation_of, visible_vertices
from canonface.mesh import load_mesh, make_mesh
from canonface.models import prepare
from canonface.types import Face, InputSpec, ModelInput, Pose

RGB = InputSpec(size_hw=(64, 64), mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
GREY = InputSpec(size_hw=(48, 48), colour="grey", scale=1 / 127.5, mean=(1.0,))


def photo(seed=0, size=120, width=None):
    """Return smooth colours with a little noise; square without a width."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, : width or size] / size
    smooth = np.stack([120 + 80 * np.sin(5 * x), 110 + 60 * np.cos(4 * y), 90 + 50 * x * y], axis=2)
    return np.clip(smooth + rng.normal(scale=8, size=smooth.shape), 0, 255).astype(np.uint8)


def toy_face(yaw=0.0, pixels_per_cm=4.0, mesh=None, halo=False, seed=0, pitch=0.0, size_hw=(120, 120)):
    """Return the canonical face itself, turned and centred in a photo."""
    mesh = mesh or load_mesh(0, halo=halo)
    turned = mesh.vertices @ rotation_of(Pose(yaw, pitch, 0.0)).T * pixels_per_cm
    xy = turned[:, :2] * (1, -1) + (size_hw[1] / 2, size_hw[0] / 2)
    depth = -turned[:, 2]
    return Face(
        image=photo(seed, *size_hw),
        vertices_xy=xy,
        depth=depth,
        visible=visible_vertices(xy, depth, mesh.triangles) | (np.arange(len(xy)) >= mesh.face_count),
        pose_deg=Pose(yaw, pitch, 0.0),
        quality=1.0,
        mesh=mesh,
    )


def toy_input(spec=RGB, **options):
    return prepare(toy_face(**options), spec)


def flat_input(centres, scale=1.0, size=40):
    """Return a frontal planar mesh: canonical centimetre = ``1 / scale`` pixels, one vertex a centre."""
    corners = np.array([[-30.0, -30.0], [70.0, -30.0], [70.0, 70.0], [-30.0, 70.0]])
    pixels = np.concatenate([corners, np.asarray(centres, float)])
    xyz = np.column_stack([pixels * (1, -1) / scale, np.zeros(len(pixels))])
    mesh = make_mesh("flat/1", xyz, np.array([[0, 2, 1], [0, 3, 2]]))
    face = Face(
        image=photo(size=size),
        vertices_xy=pixels,
        depth=np.full(len(pixels), np.nan),
        visible=np.ones(len(pixels), dtype=bool),
        pose_deg=Pose(0.0, 0.0, 0.0),
        quality=1.0,
        mesh=mesh,
    )
    spec = InputSpec(size_hw=(size, size), crop="image")
    return ModelInput(
        face=face,
        spec=spec,
        x=spec.from_pixels(face.image.astype(float)),
        vertices_xy=pixels,
        visible=face.visible,
        matrix=np.eye(2, 3),
    )
