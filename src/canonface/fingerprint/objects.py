"""Fingerprint of an object: its code and its content, and the fingerprints that 0.1.0 gave it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from canonface.fingerprint.digests import Digester
from canonface.fingerprint.former import FormerDigester


class Fingerprint(str):
    """A fingerprint as text, with the texts that earlier versions of canonface wrote for the same thing.

    Pickled, it is a plain text.

    Args:
        text: the fingerprint.
        former: returns the earlier texts; called when a stored text differs.
    """

    __slots__ = ("_former",)
    _former: Callable[[], Iterable[str]]

    def __new__(cls, text: str, former: Callable[[], Iterable[str]] = tuple) -> Fingerprint:
        """Make the text."""
        made = super().__new__(cls, text)
        made._former = former
        return made

    def accepts(self, stored: str) -> bool:
        """Return whether a stored text is the fingerprint of the same thing, whichever version wrote it."""
        return self == stored or stored in self._former()

    def mapped(self, make: Callable[[str], str]) -> Fingerprint:
        """Return a text that is made of the fingerprint; it accepts what is made of the earlier ones."""
        return Fingerprint(make(str(self)), lambda: map(make, self._former()))

    def __copy__(self) -> Fingerprint:
        """Return the text itself, which cannot change."""
        return self

    def __deepcopy__(self, memo: Any) -> Fingerprint:
        """Return the text itself, which cannot change."""
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as a plain text."""
        return str, (str(self),)


def accepts(now: Any, stored: Any) -> bool:
    """Return whether a stored value equals a value, or is an earlier fingerprint of the same thing."""
    return now.accepts(stored) if isinstance(now, Fingerprint) else bool(now == stored)


def object_fingerprint(value: Any) -> Fingerprint:
    """Return the SHA-256 of a callable or another object: its source, and what it reads, closes over or holds.

    It reads the globals that it names: data by content, functions by source with what they read in turn, modules by
    name. See ``digests`` for the rules.
    """
    package = _package(value)
    digester = Digester(package)
    digest = digester.of(value).hex()
    return Fingerprint(digest, lambda: _former(value, package)) if digester.met_own else Fingerprint(digest)


def _former(value: Any, package: str) -> Iterator[str]:
    """Yield the fingerprints of 0.1.0: canonface's own code counted otherwise where canonface was installed."""
    for installed in (False, True):
        try:
            yield FormerDigester(package, installed).of(value).hex()
        except LookupError:  # Code of canonface that takes part was not recorded.
            continue


def _package(value: Any) -> str:
    """Return the name of an object's top-level package."""
    while isinstance(value, functools.partial):
        value = value.func
    module = getattr(value, "__module__", None) or type(value).__module__
    return str(module).partition(".")[0]
