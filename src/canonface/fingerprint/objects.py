"""Fingerprint of one object: what it does and what it holds."""

from __future__ import annotations

import functools
from typing import Any

from canonface.fingerprint.digests import Digester


def object_fingerprint(value: Any) -> str:
    """SHA-256 of a callable or another object: its source, and what it reads, closes over, is bound to or holds.

    What it reads are the globals that it names, as data or as functions with what they read in turn; a module that it
    imports counts by name alone. See ``digests`` for what counts how.
    """
    return Digester(_package(value)).of(value).hex()


def _package(value: Any) -> str:
    """Name of the top-level package whose code is asked."""
    while isinstance(value, functools.partial):
        value = value.func
    module = getattr(value, "__module__", None) or type(value).__module__
    return str(module).partition(".")[0]
