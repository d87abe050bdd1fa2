"""Files: SHA-256 and atomic writes."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Callable
from hashlib import file_digest
from pathlib import Path
from typing import BinaryIO


def sha256_file(path: str | Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal.

    Raises:
        OSError: the file cannot be read.
    """
    with Path(path).open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def atomic_write(path: Path, content: bytes | str | Callable[[BinaryIO], None]) -> None:
    """Write a file so that other processes see the old file or the whole new one, also after a crash.

    The content goes to a temporary file in the same folder, is synced to the disk and renamed. On failure the old
    file stays as it was, and the temporary file is removed.

    Args:
        path: the file; its folder exists.
        content: bytes; text, written as UTF-8; or a function that writes to the open binary file.

    Raises:
        OSError: the folder is missing or read-only, the disk is full, or the like.
    """
    # A name of its own for each writer, and a short one: a long file name leaves no room for a suffix.
    temporary = path.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        with temporary.open("xb") as file:
            if callable(content):
                content(file)
            else:
                file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        # After a rename nothing is left to remove; an error of the removal must not hide the first one.
        with contextlib.suppress(OSError):
            temporary.unlink()
