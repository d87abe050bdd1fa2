"""Portraits: faces cropped to a small network's input, with the triangle of the mesh under every pixel."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from canonface.alignment import Aligner, LandmarkerAligner
from canonface.data import LabelledPhotos, PhotoList, Photos
from canonface.errors import CanonfaceError, LabelsError, RunError
from canonface.files import atomic_write
from canonface.mesh import load_mesh, mesh_digest
from canonface.models import prepare
from canonface.occluders.face_raster import face_raster
from canonface.pipeline import Progress
from canonface.types import Face, InputSpec, Mesh, ModelInput, Pose

SIDE = 112
"""Side of the network's input in pixels: a face's default crop fills 86 of them."""
PART = 100
"""Number of photos in one file of portraits."""


@dataclass(frozen=True, eq=False)
class Portraits:
    """Aligned faces as small square pictures; all arrays have one row per face.

    Attributes:
        mesh: the mesh.
        pixels: ``(n, s, s, 3)`` RGB, the default face crop.
        triangle: ``(n, s, s)`` visible triangle of the mesh under each pixel; -1 where there is none.
        vertices_xy: ``(n, V, 2)`` in pixels of the picture.
        depth: ``(n, V)`` depth in the photo, larger is farther.
        visible: ``(n, V)`` True where the picture shows the vertex.
        people: person of each face; a photo without a known person is one person.
        labels: column -> value of each face; the empty string where there is none.
        names: names of the photos.
        failed: number of photos that could not be aligned.
    """

    mesh: Mesh = field(repr=False)
    pixels: UInt8[np.ndarray, "n s s 3"] = field(repr=False)
    triangle: Int[np.ndarray, "n s s"] = field(repr=False)
    vertices_xy: Float[np.ndarray, "n v 2"] = field(repr=False)
    depth: Float[np.ndarray, "n v"] = field(repr=False)
    visible: Bool[np.ndarray, "n v"] = field(repr=False)
    people: tuple[str, ...] = field(repr=False)
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    names: tuple[str, ...] = field(default=(), repr=False)
    failed: int = 0

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def side(self) -> int:
        """Height and width of the pictures."""
        return int(self.pixels.shape[1])

    def face(self, index: int, pixels: UInt8[np.ndarray, "s s 3"] | None = None) -> Face:
        """Return one of the faces, optionally with other pixels."""
        return Face(
            image=self.pixels[index] if pixels is None else pixels,
            vertices_xy=self.vertices_xy[index].astype(np.float64),
            depth=self.depth[index].astype(np.float64),
            visible=self.visible[index],
            pose_deg=Pose(0.0, 0.0, 0.0),
            quality=1.0,
            mesh=self.mesh,
        )

    @classmethod
    def of(cls, faces: Sequence[Face], people: Sequence[str] | None = None, side: int = SIDE) -> Portraits:
        """Return portraits of aligned faces; without ``people`` each face is another person."""
        spec = InputSpec(size_hw=(side, side))
        shown = [prepare(face, spec) for face in faces]
        return cls(
            mesh=faces[0].mesh,
            pixels=np.stack([spec.to_pixels(item.x) for item in shown]),
            triangle=np.stack([visible_triangle(item) for item in shown]),
            vertices_xy=np.stack([item.vertices_xy for item in shown]).astype(np.float32),
            depth=np.stack([face.depth for face in faces]).astype(np.float32),
            visible=np.stack([item.visible for item in shown]),
            people=tuple(people) if people is not None else tuple(str(i) for i in range(len(faces))),
            names=tuple(face.path for face in faces),
        )


def visible_triangle(shown: ModelInput) -> Int[np.ndarray, "h w"]:
    """Return the nearest triangle under each pixel of an input, -1 where there is none or a corner is hidden."""
    mesh = shown.face.mesh
    triangle = face_raster(shown, "A painted region").triangle
    whole = shown.visible[mesh.triangles].all(axis=1)
    return np.where((triangle >= 0) & whole[triangle], triangle, -1).astype(np.int16)


def make_portraits(
    photos: Photos,
    folder: Path,
    *,
    labels: str | Path | None = None,
    identity: str = "identity",
    most: int | None = None,
    side: int = SIDE,
    seed: int = 0,
    aligner: Aligner | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Portraits:
    """Align photos and crop their largest faces; the result is cached in a folder.

    Args:
        photos: as `canonface.audit` takes them.
        folder: folder of the cache.
        labels: CSV file with a column path; None: the photos' own, if they are a CSV file.
        identity: column of the labels that names the person.
        most: number of photos, drawn at random; None: all.
        side: side of the pictures in pixels.
        seed: seed of that draw.
        aligner: finds the faces; by default the landmarker.
        progress: called after each file of photos.

    Raises:
        PhotoError: there are no photos.
        LabelsError: the labels cannot be read.
        RunError: no photo could be aligned, or the folder cannot be written to.
    """
    labelled = LabelledPhotos.open(photos, labels)
    found, known = labelled.photos, labelled.labels
    order = np.random.default_rng([seed, 1]).permutation(len(found))[:most]
    names = [found.names[i] for i in np.sort(order)]
    mesh = load_mesh(1)
    key = json.dumps(
        {"photos": found.digest, "most": most, "side": side, "seed": seed, "mesh": mesh_digest(mesh)}
    )
    place = aligner or LandmarkerAligner(mesh)
    parts: list[dict[str, Any]] = []
    for start in range(0, len(names), PART):
        path = folder / f"portraits-{start // PART:03d}.npz"
        stored = read_stored(path, key)
        if stored is None:
            stored = _crop(found, names[start : start + PART], place, side)
            write_stored(path, key, stored)
        parts.append(stored)
        if progress is not None:
            done = min(start + PART, len(names))
            progress(Progress(done, len(names), failed=done - sum(len(p["names"]) for p in parts), resumed=0))
    parts = [part for part in parts if len(part["names"])]
    if not parts:
        raise RunError(f"Cues are painted on aligned faces; none of {len(names)} photos could be aligned.")
    arrays = {name: np.concatenate([part[name] for part in parts]) for name in _ARRAYS}
    kept = [str(name) for part in parts for name in part["names"]]
    columns = labelled.columns
    if identity != "identity" and identity not in columns:
        raise LabelsError(f"The labels name the person in a column; there is no column {identity!r}.")
    people = [known[name].get(identity) or f"photo {name}" for name in kept]
    return Portraits(
        mesh=mesh,
        **arrays,
        people=tuple(people),
        labels={column: tuple(known[name].get(column, "") for name in kept) for column in columns},
        names=tuple(kept),
        failed=len(names) - len(kept),
    )


_ARRAYS = ("pixels", "triangle", "vertices_xy", "depth", "visible")


def _crop(found: PhotoList, names: list[str], aligner: Aligner, side: int) -> dict[str, Any]:
    """Return the arrays and the names of those photos that can be aligned."""
    faces, kept = [], []
    for name in names:
        try:
            faces.append(aligner(found.path(name))[0])
        except CanonfaceError:
            continue
        kept.append(name)
    if not faces:
        return {"names": np.array([], dtype="U1")}
    made = Portraits.of(faces, side=side)
    return {name: getattr(made, name) for name in _ARRAYS} | {"names": np.array(kept)}


def read_stored(path: Path, key: str) -> dict[str, Any] | None:
    """Read the arrays that were stored under this key; None where there are none."""
    if not path.exists():
        return None
    with np.load(path, allow_pickle=False) as file:
        if str(file["key"]) != key:
            return None
        return {name: file[name] for name in file.files if name != "key"}


def write_stored(path: Path, key: str, arrays: Mapping[str, np.ndarray]) -> None:
    """Store arrays under a key, whole or not at all.

    Raises:
        RunError: the folder cannot be written to.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, lambda file: np.savez(file, allow_pickle=False, key=np.array(key), **arrays))
    except OSError as error:
        raise RunError(
            f"A study needs a folder that can be written to; {path} cannot be written: {error.strerror or error}."
        ) from error
