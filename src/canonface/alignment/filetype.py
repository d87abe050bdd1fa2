"""Identification of non-image files by magic bytes, for error messages."""

from __future__ import annotations

_SIGNATURES: tuple[tuple[int, bytes, str], ...] = (
    (0, b"%PDF", "a PDF document"),
    (0, b"%!PS", "a PostScript file"),
    (0, b"\xc5\xd0\xd3\xc6", "an encapsulated PostScript file"),
    (0, b"PK\x03\x04", "a zip archive (or a document made of one)"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (0, b"Rar!", "a RAR archive"),
    (0, b"\x93NUMPY", "a NumPy array file"),
    (0, b"\x89HDF", "an HDF5 file"),
    (0, b"PAR1", "a Parquet file"),
    (0, b"\x7fELF", "a program"),
    (0, b"MZ", "a Windows program"),
    (0, b"version https://git-lfs", "a Git LFS pointer: the photo itself was not fetched (git lfs pull)"),
    (0, b"<!doctype html", "a web page (a download that failed?)"),
    (0, b"<html", "a web page (a download that failed?)"),
    (0, b"<svg", "an SVG drawing"),
    (0, b"<?xml", "an XML document"),
    (0, b"8BPS", "a Photoshop document"),
    (0, b"\x1aE\xdf\xa3", "a Matroska or WebM video"),
    (4, b"ftyphei", "a HEIC photo, which this installation cannot read"),
    (4, b"ftyphev", "a HEIC photo, which this installation cannot read"),
    (4, b"ftypmif1", "a HEIF photo, which this installation cannot read"),
    (4, b"ftypavif", "an AVIF photo, which this installation cannot read"),
    (4, b"ftyp", "an MP4 or QuickTime video"),
    (8, b"AVI ", "an AVI video"),
    (8, b"WAVE", "a sound file"),
    (0, b"\xff\xd8\xff", "a JPEG file without a readable picture"),
    (0, b"\x89PNG", "a PNG file without a readable picture"),
    (0, b"RIFF", "a WebP file without a readable picture"),
    (0, b"GIF8", "a GIF file without a readable picture"),
    (0, b"II*\x00", "a TIFF or camera raw file without a readable picture"),
    (0, b"MM\x00*", "a TIFF or camera raw file without a readable picture"),
)


def describe_content(content: bytes) -> str:
    """Return a phrase that describes the file: ``"a PDF document"``, ``"a text file"``, or its first bytes."""
    head = content[:64]
    folded = head.lstrip().lower()
    for offset, signature, description in _SIGNATURES:
        if head[offset:].startswith(signature) or (offset == 0 and folded.startswith(signature)):
            return description
    if not any(head):
        return f"{len(content):,} bytes that begin with zeros"
    if _is_text(content[:512]):
        return "a text file"
    return f"{len(content):,} bytes of an unknown kind, beginning with {head[:8].hex(' ')}"


def _is_text(sample: bytes) -> bool:
    try:
        # The sample may end inside a character, so errors in its last bytes are ignored.
        text = sample.decode("utf-8", errors="ignore" if len(sample) == 512 else "strict")
    except UnicodeDecodeError:
        return False
    return bool(text) and sum(c.isprintable() or c.isspace() for c in text) > 0.95 * len(text)


def jpeg_ends(content: bytes) -> bool:
    """Return False if a JPEG file has no end marker after its first scan.

    A partial download whose full size was allocated beforehand ends in zeros, which decoders read as pixels. The end
    marker of the thumbnail, inside a header segment, does not count.
    """
    at = 2
    while at + 4 <= len(content) and content[at] == 0xFF:
        marker = content[at + 1]
        if marker == 0xDA:
            return content.find(b"\xff\xd9", at) >= 0
        fill_byte = marker == 0xFF
        at += 1 if fill_byte else 2 + int.from_bytes(content[at + 2 : at + 4], "big")
    return True  # No scan where one should be: the decoder will say what is wrong.
