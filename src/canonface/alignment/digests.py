"""What a file holds, as a short text: two runs on files of one name and other content are told apart."""

from __future__ import annotations

from hashlib import file_digest
from pathlib import Path


def file_sha256(path: str | Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with Path(path).open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
