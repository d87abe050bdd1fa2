"""Photo reading: files of any colour mode as upright RGB arrays."""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Shaped, UInt8

from canonface.alignment.filetype import describe_content, jpeg_ends
from canonface.errors import OptionError, PhotoError

if TYPE_CHECKING:
    from PIL.Image import Image

Photo = str | Path | bytes | np.ndarray
"""Types that `read_photo` accepts."""

MIN_SIDE = 16
"""Smallest side of a photo in pixels; neither a detector nor a person can recognise a smaller face."""

FORMATS = (
    "JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "PPM", "JPEG2000", "AVIF", "HEIF", "ICO", "PCX", "SGI",
)  # fmt: skip
"""Formats that are read, if the installed Pillow supports them. EPS is excluded: it would start Ghostscript."""

_pillow_globals = threading.Lock()


def read_photo(photo: Photo, max_megapixels: float = 64) -> UInt8[np.ndarray, "h w 3"]:
    """Read a photo as 8-bit RGB, rotated upright by its EXIF orientation.

    Transparent pixels are composited over white. 16-bit values are scaled to 8 bits (``v * 255 / 65535``), never
    clipped. Of an animation the first frame is read. Colour profiles are ignored.

    Args:
        photo: a path, the bytes of a file, or a ``uint8`` array of shape (h, w, 3) RGB or (h, w) grey.
        max_megapixels: largest accepted size in millions of pixels; checked before decoding.

    Returns:
        The photo as a new array: ``(h, w, 3)`` RGB in 0..255, rows downwards.

    Raises:
        PhotoError: the photo is missing, unreadable, damaged, not an image, too large or too small.
        OptionError: ``max_megapixels`` is not positive.
    """
    if not max_megapixels > 0:
        raise OptionError(f"max_megapixels is a positive number of millions of pixels; got {max_megapixels}.")
    if isinstance(photo, np.ndarray):
        rgb = _from_array(photo)
        _check_size("the array", rgb.shape[1::-1], max_megapixels)
        return rgb
    if isinstance(photo, bytes):
        return _decode(photo, "the given bytes", max_megapixels)
    if isinstance(photo, str | Path):
        return _decode(_read_file(Path(photo)), str(photo), max_megapixels)
    raise PhotoError(
        f"A photo is a path, the bytes of a file or a uint8 array of shape (h, w, 3) RGB; got a "
        f"{type(photo).__module__}.{type(photo).__qualname__}. Convert it, e.g. np.asarray(image.convert('RGB'))."
    )


def _read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        folder = path.parent if path.parent.is_dir() else None
        hint = f"the folder {folder} exists" if folder else f"the folder {path.parent} does not exist either"
        raise PhotoError(f"A photo must exist; there is no file {path} ({hint}). Check the path.") from None
    except IsADirectoryError:
        raise PhotoError(
            f"A photo is one file; {path} is a directory. Give the files in it, one by one."
        ) from None
    except PermissionError:
        raise PhotoError(
            f"A photo must be readable; {path} is not, for this user. Change its permissions."
        ) from None
    except (OSError, ValueError) as error:
        raise PhotoError(f"A photo must be readable; {path} is not: {error}. Copy it again.") from error


def _decode(content: bytes, name: str, max_megapixels: float) -> UInt8[np.ndarray, "h w 3"]:
    if not content:
        raise PhotoError(f"A photo has content; {name} is empty (0 bytes). Copy it again from its source.")
    from PIL import Image, ImageOps, UnidentifiedImageError

    with _strict_pillow():
        try:
            Image.init()
            with Image.open(io.BytesIO(content), formats=[f for f in FORMATS if f in Image.OPEN]) as image:
                _check_size(name, image.size, max_megapixels)
                image.load()
                if image.format in ("JPEG", "MPO") and not jpeg_ends(content):
                    raise OSError("the end marker is missing")
                return _to_rgb(ImageOps.exif_transpose(image), name)
        except UnidentifiedImageError:
            raise PhotoError(
                f"A photo is a picture file (JPEG, PNG, WebP, TIFF, ...); {name} is {describe_content(content)}. "
                "Convert it to JPEG or PNG, or leave it out."
            ) from None
        except PhotoError:
            raise
        except MemoryError:
            raise PhotoError(f"{name} does not fit into memory when decoded. Give a smaller copy.") from None
        except Exception as error:  # Pillow's decoders raise what they like on damaged files
            raise PhotoError(
                f"A photo must be whole; {name} ({len(content):,} bytes) is damaged or cut short: {error}. "
                "Copy or download it again."
            ) from error


@contextmanager
def _strict_pillow() -> Iterator[None]:
    """Silence Pillow's warnings, and override two process-wide settings of Pillow.

    ``LOAD_TRUNCATED_IMAGES``, which other packages switch on, would fill a truncated file with grey.
    ``MAX_IMAGE_PIXELS`` would raise before our own limit can report the size of the photo.
    """
    from PIL import Image, ImageFile

    with _pillow_globals, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
        Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = None, False
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = before


def _check_size(name: str, size: tuple[int, ...], max_megapixels: float) -> None:
    width, height = size
    if width * height > max_megapixels * 1e6:
        raise PhotoError(
            f"A photo has at most {max_megapixels:g} megapixels; {name} has {width * height / 1e6:.1f} "
            f"({width} x {height}). Make it smaller, or raise max_megapixels."
        )
    if min(size) < MIN_SIDE:
        raise PhotoError(
            f"A photo has at least {MIN_SIDE} pixels per side; {name} has {width} x {height}. "
            "Use a larger copy of it."
        )


def _to_rgb(image: Image, name: str) -> UInt8[np.ndarray, "h w 3"]:
    """Convert an image of any Pillow mode to 8-bit RGB."""
    from PIL import Image

    if image.mode.startswith("I;16"):
        return _grey_to_rgb(np.asarray(image).astype(np.float64) * (255 / 65535))
    if image.mode in ("I", "F"):
        return _grey_to_rgb(_scaled_to_8_bits(np.asarray(image).astype(np.float64), name))
    if image.mode in ("RGBA", "RGBa", "LA", "La", "PA") or "transparency" in image.info:
        over = image.convert("RGBA")
        white = Image.new("RGBA", over.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, over)
    return np.array(image.convert("RGB"))


def _scaled_to_8_bits(values: Float[np.ndarray, "h w"], name: str) -> Float[np.ndarray, "h w"]:
    """Scale 32-bit grey to 0..255: full scale is the smallest of 1 (floats), 255 and 65535 that holds all values."""
    if not np.isfinite(values).all():
        raise PhotoError(f"Pixels are finite numbers; {name} holds NaN or infinity. Save it as 8-bit PNG.")
    low, high = float(values.min()), float(values.max())
    scales = [1, 255, 65535] if np.any(values % 1) or high <= 1 else [255, 65535]
    full = next((scale for scale in scales if high <= scale), None)
    if full is None or low < 0:
        raise PhotoError(
            f"32-bit pixels lie within 0..1, 0..255 or 0..65535; {name} spans {low:g} to {high:g}. "
            "Save it as 8-bit PNG."
        )
    return values * (255 / full)


def _grey_to_rgb(grey: Shaped[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w 3"]:
    return np.repeat(np.rint(grey).astype(np.uint8)[:, :, None], 3, axis=2)


def _from_array(array: np.ndarray) -> UInt8[np.ndarray, "h w 3"]:
    rule = "A photo array has shape (h, w, 3) RGB or (h, w) grey, and dtype uint8, values 0..255"
    if array.dtype != np.uint8:
        raise PhotoError(
            f"{rule}; got dtype {array.dtype}. Scale it to 0..255, then np.rint(x).astype(np.uint8)."
        )
    if array.ndim == 2:
        return _grey_to_rgb(array)
    if array.ndim == 3 and array.shape[2] == 3:
        return np.array(array, order="C")
    hint = "Give one photo at a time." if array.ndim == 4 else "Reshape it."
    if array.ndim == 3 and array.shape[0] in (1, 3):
        hint = "The channels come last: use x.transpose(1, 2, 0)."
    elif array.ndim == 3 and array.shape[2] == 4:
        hint = "Drop the alpha channel: x[:, :, :3]."
    elif array.ndim == 3 and array.shape[2] == 1:
        hint = "Drop the last axis: x[:, :, 0]."
    raise PhotoError(f"{rule}; got shape {array.shape}. {hint}")
