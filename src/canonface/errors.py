"""Everything that can go wrong, as one tree.

Each message says the rule, what was received and what to do. ``reason`` is the short, stable code that a run
writes into a failed row, so that failures can be counted and filtered.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import ClassVar


class CanonfaceError(Exception):
    """Root of every error that canonface raises on purpose."""

    reason: ClassVar[str] = "error"


class OptionError(CanonfaceError, ValueError):
    """An argument or an option has a value that cannot be used."""

    reason = "bad-option"


class PhotoError(CanonfaceError):
    """A photo is missing, unreadable or unusable."""

    reason = "photo-unreadable"


class AlignmentError(CanonfaceError):
    """A face could not be found or placed on the mesh."""

    reason = "alignment-failed"


class NoFaceError(AlignmentError):
    """The photo shows no face that the detector is sure of."""

    reason = "no-face"


class FaceCutError(AlignmentError):
    """Too much of the face lies outside the photo."""

    reason = "face-cut"


class NothingAskedError(AlignmentError):
    """No probe of a face could be asked: the face, the photo or the model's crop hides all of them."""

    reason = "nothing-asked"


class ModelError(CanonfaceError):
    """A model could not be loaded, or it failed while it was asked."""

    reason = "model-failed"


class ModelOutputError(ModelError):
    """A model answered with the wrong shape, or with NaN or infinity."""

    reason = "model-output"


class OutOfMemoryError(ModelError):
    """A single occluded photo does not fit the memory of the device."""

    reason = "out-of-memory"


class TargetError(CanonfaceError):
    """The target does not exist for this model or this photo."""

    reason = "bad-target"


class AttributionError(CanonfaceError):
    """A method of others has no map of a face: its file is missing, or its gradient is 0."""

    reason = "no-heat"


class LabelsError(CanonfaceError):
    """A labels file cannot be read or does not match the photos."""

    reason = "bad-labels"


class AssetError(CanonfaceError):
    """A weights file could not be fetched, or is not the file it claims to be."""

    reason = "asset"


class MissingDependencyError(CanonfaceError, ImportError):
    """An optional package is needed for what was asked."""

    reason = "missing-package"


class RunError(CanonfaceError):
    """A run directory cannot be read, written or continued."""

    reason = "run"


class ConfigurationChangedError(RunError):
    """A run directory was started with another configuration."""

    reason = "configuration-changed"


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error, of whichever library, says that a device or the machine ran out of memory."""
    if isinstance(error, CanonfaceError):
        return False
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    # torch raises plain RuntimeErrors for the CPU and MPS allocators, onnxruntime errors of its own.
    text = str(error).casefold()
    phrases = ("out of memory", "can't allocate memory", "failed to allocate memory", "bad_alloc")
    return isinstance(error, Exception) and any(phrase in text for phrase in phrases)


def single_image_too_large() -> str:
    """Message for a model that runs out of memory with one image."""
    return (
        "A model must at least fit one image into memory; it ran out of memory with a batch of 1. Use a smaller "
        "input or model, or another device."
    )


def near_names(given: str, known: Iterable[str], limit: int = 3) -> str:
    """Phrase that lists the known names, the nearest to ``given`` first: the tail of an error message."""
    names = list(known)
    folded = {name.casefold(): name for name in names}
    near = [folded[match] for match in get_close_matches(given.casefold(), folded, n=limit, cutoff=0.5)]
    hint = f"did you mean {' or '.join(repr(name) for name in near)}? " if near else ""
    shown = ", ".join(names[:20]) + (f", ... ({len(names)} in all)" if len(names) > 20 else "")
    return f"{hint}Known: {shown or 'none'}."
