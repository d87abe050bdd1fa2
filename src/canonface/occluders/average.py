"""The average fill: the average face in the place, pose and colours of the hidden part."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from hashlib import sha256

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from canonface.assets import asset_path
from canonface.errors import OptionError
from canonface.occluders.blur import blurred, blurred_box
from canonface.occluders.face_raster import face_raster
from canonface.types import ModelInput

_BASE = "landmarker-468"
_TEXTURE = "average_face.png"
MOST_CONTRAST = 4 / 3


def average(
    shown: ModelInput,
    side: float | Float[np.ndarray, "n"],
    boxes: Int[np.ndarray, "n 4"],
    masks: Sequence[Bool[np.ndarray, "_ _"]] | None,
) -> Float[np.ndarray, "c h w"] | list[Float[np.ndarray, "c _ _"]]:
    """Return the texture of the average face, warped through the mesh and adapted to this face's colours.

    Each channel of the texture is shifted and scaled to the mean and spread of this face's pixels. The spread grows
    by a third at most: beards and shadows widen it and would make skin glare. Off the face, where no average is
    known, the input is blurred as by the fill ``blur``.

    Raises:
        OptionError: the face's mesh is no subdivision of the default one, on which the texture is defined.
    """
    mesh, spec = shown.face.mesh, shown.spec
    if not mesh.name.startswith(_BASE):
        raise OptionError(
            f"The fill 'average' needs the default mesh ({_BASE}/...), on which the average face is known; got "
            f"{mesh.name!r}: choose another fill, e.g. 'inpaint'."
        )
    inside = face_raster(shown, "The fill 'average'").inside
    own = spec.to_pixels(shown.x)
    face = _face_of(shown, own)
    if not isinstance(side, np.ndarray):
        return spec.from_pixels(np.where(inside[..., None], face, blurred(own, side)))
    contents = []
    for i, (x0, y0, x1, y1) in enumerate(boxes.tolist()):
        part, on_face = face[y0:y1, x0:x1], inside[y0:y1, x0:x1, None]
        # Blurring is slow: only where the hole reaches beyond the face.
        if (~on_face[..., 0] if masks is None else masks[i] & ~on_face[..., 0]).any():
            part = np.where(on_face, part, blurred_box(own, float(side[i]), boxes[i]))
        contents.append(spec.from_pixels(part))
    return contents


def _face_of(shown: ModelInput, own: UInt8[np.ndarray, "h w 3"]) -> Float[np.ndarray, "h w 3"]:
    """Return the average face in the place, pose and colours of this one, 0..255; 0 off the face."""
    import cv2

    raster, texture = face_raster(shown, "The fill 'average'"), average_texture()
    places = raster.interpolate(shown.face.mesh.uv) * texture.shape[0] - 0.5
    x, y = (np.ascontiguousarray(places[..., axis], dtype=np.float32) for axis in (0, 1))
    warped = cv2.remap(texture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).astype(np.float64)
    face = np.zeros(own.shape)
    if raster.inside.any():
        face[raster.inside] = _matched_colours(warped[raster.inside], own[raster.inside].astype(np.float64))
    return face


def _matched_colours(
    values: Float[np.ndarray, "p 3"], like: Float[np.ndarray, "p 3"]
) -> Float[np.ndarray, "p 3"]:
    """Return colours with the mean and, up to `MOST_CONTRAST`, the spread of ``like``, channel by channel, 0..255."""
    spread = values.std(axis=0)
    contrast = np.minimum(like.std(axis=0) / np.where(spread > 0, spread, 1.0), MOST_CONTRAST)
    return np.asarray(np.clip((values - values.mean(axis=0)) * contrast + like.mean(axis=0), 0, 255))


@cache
def average_texture() -> UInt8[np.ndarray, "s s 3"]:
    """Return the average face in the mesh's texture coordinates: RGB, row 0 at v = 0, read-only.

    ``benchmarks/make_average_face.py`` made it from bundled photos of ten people, with equal weight for each person.
    """
    import cv2

    coded = np.fromfile(asset_path(_TEXTURE), dtype=np.uint8)
    texture: np.ndarray = np.array(cv2.imdecode(coded, cv2.IMREAD_COLOR))[:, :, ::-1].copy()
    texture.flags.writeable = False
    return texture


@cache
def texture_digest() -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of the texture's file, by which runs identify it."""
    return sha256(asset_path(_TEXTURE).read_bytes()).hexdigest()[:16]
