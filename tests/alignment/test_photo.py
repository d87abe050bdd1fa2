"""Photo reading: every kind of image file becomes the same upright RGB array; unusable files raise."""

from __future__ import annotations

import inspect
import io
import os
import threading
import warnings

import numpy as np
import pytest
from PIL import Image, ImageFile, PngImagePlugin

from canonface.alignment import read_photo
from canonface.alignment.filetype import describe_content
from canonface.errors import OptionError, PhotoError

H, W = 24, 40


def picture():
    """Return a smooth image with four different corners."""
    y, x = np.mgrid[:H, :W]
    return np.stack([x * 255 // (W - 1), y * 255 // (H - 1), np.full((H, W), 90)], axis=2).astype(np.uint8)


RGB = picture()
GREY = RGB[:, :, 0]


def encoded(image, file_format="PNG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


PNG = encoded(Image.fromarray(RGB))


def png_chunks(*, width, height, depth, colour, rows: bytes) -> bytes:
    """Write a PNG by hand, for the kinds that Pillow reads and cannot write."""
    import struct
    import zlib

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


# --- accepted photos ---------------------------------------------------------------------------------


def test_path_text_bytes_and_array_give_the_same(tmp_path):
    (tmp_path / "a photo.png").write_bytes(PNG)
    for given in (tmp_path / "a photo.png", str(tmp_path / "a photo.png"), PNG, RGB):
        found = read_photo(given)
        assert found.dtype == np.uint8
        assert (found == RGB).all()


def test_arrays_are_copied():
    mine = RGB.copy()
    read_photo(mine)[:] = 0
    assert (mine == RGB).all()


def test_grey_array_becomes_three_equal_channels():
    assert (read_photo(GREY) == GREY[:, :, None]).all()


# What PIL must do to the stored picture so that it looks upright, by EXIF orientation.
ORIENT = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a, -1),
}
"""How an upright picture is stored under each EXIF orientation."""


@pytest.mark.parametrize("orientation", ORIENT)
@pytest.mark.parametrize("file_format", ["PNG", "TIFF", "WEBP"])
def test_exif_orientation_is_undone(orientation, file_format):
    stored = Image.fromarray(np.ascontiguousarray(ORIENT[orientation](RGB)))
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if file_format == "WEBP" else {}
    assert (read_photo(encoded(stored, file_format, exif=exif, **options)) == RGB).all()


def test_damaged_exif_is_ignored():
    broken = encoded(
        Image.fromarray(RGB), "JPEG", exif=b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\xff\x01\x12"
    )
    assert read_photo(broken).shape == RGB.shape


def test_grey_and_one_bit():
    assert (read_photo(encoded(Image.fromarray(GREY))) == GREY[:, :, None]).all()
    bits = GREY > 100
    assert (read_photo(encoded(Image.fromarray(bits))) == np.where(bits, 255, 0)[:, :, None]).all()


def test_transparent_pixels_are_laid_over_white():
    alpha = np.full((H, W), 128, dtype=np.uint8)
    alpha[0], alpha[1] = 0, 255
    found = read_photo(encoded(Image.fromarray(np.dstack([RGB, alpha])))).astype(int)
    assert (found[0] == 255).all()
    assert (found[1] == RGB[1]).all()
    assert np.abs(found[2:] - (RGB[2:] * (128 / 255) + 127)).max() <= 1
    grey = read_photo(encoded(Image.fromarray(np.dstack([GREY, alpha]), "LA"))).astype(int)
    assert (grey[0] == 255).all()
    assert (grey[1] == GREY[1][:, None]).all()


def test_palette_with_and_without_a_transparent_colour():
    palette = Image.fromarray(RGB).quantize(16)
    shown = np.asarray(palette.convert("RGB"))
    assert (read_photo(encoded(palette)) == shown).all()
    transparent = np.asarray(palette) == 3
    assert transparent.any()
    found = read_photo(encoded(palette, transparency=3))
    assert (found[transparent] == 255).all()
    assert (found[~transparent] == shown[~transparent]).all()


def test_transparent_colour_of_an_rgb_png():
    found = read_photo(encoded(Image.fromarray(RGB), transparency=tuple(int(v) for v in RGB[3, 5])))
    assert (found[3, 5] == 255).all()
    assert (found[4, 5] == RGB[4, 5]).all()


@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled_and_not_clipped(file_format):
    deep = np.linspace(0, 65535, H * W).reshape(H, W).astype(np.uint16)
    found = read_photo(encoded(Image.fromarray(deep), file_format))[:, :, 0].astype(float)
    assert np.abs(found - deep / 257).max() <= 0.5


def test_16_bit_big_endian_grey():
    deep = np.linspace(0, 65535, H * W).reshape(H, W).astype(">u2")
    stored = encoded(Image.frombytes("I;16B", (W, H), deep.tobytes()), "TIFF")
    assert np.abs(read_photo(stored)[:, :, 0] - deep / 257).max() <= 0.5


def test_16_bit_rgb_is_scaled():
    deep = (RGB.astype(">u2") * 257).tobytes()
    rows = b"".join(b"\x00" + deep[y * W * 6 : (y + 1) * W * 6] for y in range(H))
    assert (read_photo(png_chunks(width=W, height=H, depth=16, colour=2, rows=rows)) == RGB).all()


@pytest.mark.parametrize("full_scale", [1, 255, 65535])
def test_float_and_32_bit_grey(full_scale):
    values = (GREY.astype(np.float32) + 0.25).clip(0, 255) * np.float32(full_scale / 255)
    found = read_photo(encoded(Image.fromarray(values), "TIFF"))[:, :, 0].astype(float)
    assert np.abs(found - GREY).max() <= 1


def test_32_bit_integers_up_to_255_are_unchanged():
    found = read_photo(encoded(Image.fromarray(GREY.astype(np.int32)), "TIFF"))
    assert (found[:, :, 0] == GREY).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -3.0, 1e6])
def test_float_pixels_without_a_scale_raise(bad):
    values = GREY.astype(np.float32)
    values[2, 2] = bad
    with pytest.raises(PhotoError, match=r"(finite numbers|lie within).*Save it as 8-bit PNG"):
        read_photo(encoded(Image.fromarray(values), "TIFF"))


def test_cmyk_jpeg_is_not_inverted():
    red = np.zeros((H, W, 3), dtype=np.uint8)
    red[:, :, 0] = 255
    stored = encoded(Image.fromarray(red).convert("CMYK"), "JPEG", quality=95)
    assert b"Adobe" in stored  # the marker under which JPEG stores ink inverted
    found = read_photo(stored).astype(int)
    assert found[:, :, 0].min() > 240
    assert found[:, :, 1:].max() < 15


def test_cmyk_tiff():
    assert (
        np.abs(read_photo(encoded(Image.fromarray(RGB).convert("CMYK"), "TIFF")).astype(int) - RGB).max() <= 1
    )


@pytest.mark.parametrize("file_format", ["GIF", "PNG", "WEBP"])
def test_first_frame_of_an_animation(file_format):
    first, second = (Image.fromarray(np.full((H, W, 3), v, dtype=np.uint8)) for v in (200, 10))
    stored = encoded(first, file_format, save_all=True, append_images=[second], duration=100)
    assert (read_photo(stored) == 200).all()


@pytest.mark.parametrize("file_format", ["JPEG", "BMP", "PPM", "TIFF", "WEBP", "JPEG2000"])
def test_usual_formats(file_format):
    assert np.abs(read_photo(encoded(Image.fromarray(RGB), file_format)).astype(int) - RGB).mean() < 8


# --- rejected photos ------------------------------------------------------------------------------


def test_missing_file_says_whether_its_folder_exists(tmp_path):
    with pytest.raises(
        PhotoError, match=r"there is no file .*a\.jpg \(the folder .* exists\).*Check the path"
    ):
        read_photo(tmp_path / "a.jpg")
    with pytest.raises(PhotoError, match="does not exist either"):
        read_photo(tmp_path / "no" / "a.jpg")


def test_directory(tmp_path):
    with pytest.raises(PhotoError, match=r"is a directory\. Give the files in it"):
        read_photo(tmp_path)


def test_empty_file(tmp_path):
    (tmp_path / "empty.jpg").touch()
    with pytest.raises(PhotoError, match=r"empty\.jpg is empty \(0 bytes\). Copy it again"):
        read_photo(tmp_path / "empty.jpg")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything: the next test stands in")
def test_unreadable_permissions(tmp_path):
    (tmp_path / "a.png").write_bytes(PNG)
    (tmp_path / "a.png").chmod(0)
    with pytest.raises(PhotoError, match=r"must be readable.*Change its permissions"):
        read_photo(tmp_path / "a.png")


@pytest.mark.parametrize(
    ("error", "match"),
    [
        (PermissionError(13, "denied"), "not, for this user. Change its permissions"),
        (OSError(5, "Input/output error"), "Input/output error"),
    ],
)
def test_failing_reads(tmp_path, monkeypatch, error, match):
    def fail(self):
        raise error

    monkeypatch.setattr("pathlib.Path.read_bytes", fail)
    with pytest.raises(PhotoError, match=match):
        read_photo(tmp_path / "a.png")


def test_a_name_that_no_file_system_takes():
    with pytest.raises(PhotoError, match="must be readable"):
        read_photo("a\x00b.png")


BIG = np.random.default_rng(0).integers(0, 255, (200, 300, 3), dtype=np.uint8)


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "JPEG2000"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
@pytest.mark.parametrize("switched_on_elsewhere", [False, True])
def test_truncated_files_are_never_half_grey(file_format, share, switched_on_elsewhere, monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", switched_on_elsewhere)
    whole = encoded(Image.fromarray(BIG), file_format)
    assert read_photo(whole).shape == BIG.shape
    with pytest.raises(PhotoError, match=r"must be whole; the given bytes|picture file"):
        read_photo(whole[: int(len(whole) * share)])
    assert ImageFile.LOAD_TRUNCATED_IMAGES is switched_on_elsewhere


def test_jpeg_whose_rest_is_zeros_is_damaged():
    exif = Image.Exif()
    exif[0x010F] = "a maker"
    whole = encoded(Image.fromarray(BIG), "JPEG", exif=exif)
    half = len(whole) // 2
    with pytest.raises(PhotoError, match="the end marker is missing"):
        read_photo(whole[:half] + bytes(len(whole) - half))
    # Data after the end marker (e.g. the film of a motion photo) is ignored.
    assert read_photo(whole + bytes(1000)).shape == BIG.shape


def test_damaged_png_checksum():
    broken = bytearray(PNG)
    broken[60] ^= 0xFF
    with pytest.raises(PhotoError, match="damaged or cut short"):
        read_photo(bytes(broken))


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"%PDF-1.7 ...", "a PDF document"),
        (b"PK\x03\x04....", "a zip archive"),
        (b"\n<!DOCTYPE html><html></html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "a Git LFS pointer"),
        (b"\x00\x00\x00\x18ftypheic\x00\x00", "a HEIC photo"),
        (b"\x00\x00\x00\x18ftypisom\x00\x00", "an MP4 or QuickTime video"),
        (b"path,gender\na.jpg,female\n", "a text file"),
        ("Grüße an alle\n".encode() * 60, "a text file"),
        (bytes(100), "100 bytes that begin with zeros"),
        (b"\x01\xfe\xff\x03\x80abc", "8 bytes of an unknown kind, beginning with 01 fe ff 03"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "a PostScript file"),
    ],
)
def test_non_image_files_are_identified(tmp_path, content, what):
    (tmp_path / "photo.jpg").write_bytes(content)
    with pytest.raises(PhotoError) as caught:
        read_photo(tmp_path / "photo.jpg")
    assert f"photo.jpg is {what}" in str(caught.value)
    assert "Convert it to JPEG or PNG" in str(caught.value)
    assert what in describe_content(content)


def huge_png(width, height) -> bytes:
    """Write a PNG whose header states a huge size; it has no pixels."""
    return png_chunks(width=width, height=height, depth=8, colour=2, rows=b"")


@pytest.mark.parametrize("side", [10_000, 14_000, 60_000])
def test_too_large_photos_raise_before_decoding(side):
    # Pillow would warn above 89 and raise above 179 megapixels; warnings are errors here.
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(PhotoError) as caught:
            read_photo(huge_png(side, side))
    assert "at most 64 megapixels" in str(caught.value)
    assert f"({side} x {side})" in str(caught.value)
    assert "raise max_megapixels" in str(caught.value)


def test_the_limit_is_the_callers(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert read_photo(PNG, max_megapixels=H * W / 1e6).shape == RGB.shape
    assert Image.MAX_IMAGE_PIXELS == 100
    with pytest.raises(PhotoError, match=r"has 0\.0 \(40 x 24\)"):
        read_photo(PNG, max_megapixels=(H * W - 1) / 1e6)
    with pytest.raises(PhotoError, match="the array has"):
        read_photo(RGB, max_megapixels=1e-6)
    for wrong in (0, -1, float("nan")):
        with pytest.raises(OptionError, match="max_megapixels is a positive number"):
            read_photo(PNG, max_megapixels=wrong)


def test_pillows_settings_survive_a_failure():
    before = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, len(warnings.filters)
    with pytest.raises(PhotoError):
        read_photo(b"no picture")
    assert (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, len(warnings.filters)) == before


@pytest.mark.parametrize(("width", "height"), [(1, 1), (15, 400), (400, 1)])
def test_tiny_photos(width, height):
    tiny = Image.new("RGB", (width, height))
    for given in (encoded(tiny), np.asarray(tiny)):
        with pytest.raises(PhotoError, match=rf"at least 16 pixels per side; .* has {width} x {height}"):
            read_photo(given)


@pytest.mark.parametrize(
    ("array", "hint"),
    [
        (RGB / 255, r"got dtype float64.*astype\(np\.uint8\)"),
        (RGB.astype(np.uint16), "got dtype uint16"),
        (RGB.transpose(2, 0, 1), r"the channels come last: use x\.transpose\(1, 2, 0\)"),
        (np.dstack([RGB, GREY]), r"drop the alpha channel: x\[:, :, :3\]"),
        (GREY[:, :, None], r"drop the last axis: x\[:, :, 0\]"),
        (RGB[None], "one photo at a time"),
        (GREY[0], r"got shape \(40,\)"),
        (np.dstack([RGB, RGB]), r"got shape \(24, 40, 6\)"),
        (np.zeros((0, 40, 3), dtype=np.uint8), "at least 16 pixels per side"),
    ],
)
def test_wrong_arrays_raise_with_a_remedy(array, hint):
    with pytest.raises(PhotoError, match=f"(?i){hint}"):
        read_photo(array)


@pytest.mark.parametrize("other", [None, 3, [[1, 2], [3, 4]], Image.fromarray(RGB)])
def test_other_types_raise_with_a_remedy(other):
    unchecked = inspect.unwrap(read_photo)  # without the type check of the tests, which would raise first
    with pytest.raises(PhotoError, match=r"A photo is a path, the bytes.*Convert it"):
        unchecked(other)


def test_threads_may_read_at_the_same_time():
    results: list[bool] = []

    def work() -> None:
        results.extend((read_photo(PNG) == RGB).all() for _ in range(20))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 80


def test_text_chunks_do_not_matter():
    info = PngImagePlugin.PngInfo()
    info.add_text("comment", "a" * 10_000, zip=True)
    assert (read_photo(encoded(Image.fromarray(RGB), pnginfo=info)) == RGB).all()
