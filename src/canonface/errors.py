"""Exceptions of canonface, all derived from `CanonfaceError`.

A message states the rule, the value received and the remedy. ``reason`` is a short, stable code that a run writes
into the row of a failed face, so that failures can be counted and filtered.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import ClassVar


class CanonfaceError(Exception):
    """Base class of every exception that canonface raises."""

    reason: ClassVar[str] = "error"


class OptionError(CanonfaceError, ValueError):
    """An argument or option has an invalid value."""

    reason = "bad-option"


class PhotoError(CanonfaceError):
    """A photo is missing, unreadable or unusable."""

    reason = "photo-unreadable"


class AlignmentError(CanonfaceError):
    """A face could not be detected or placed on the mesh."""

    reason = "alignment-failed"


class NoFaceError(AlignmentError):
    """The detector found no face in the photo."""

    reason = "no-face"


class FaceCutError(AlignmentError):
    """Too much of the face lies outside the photo."""

    reason = "face-cut"


class NoVisibleProbeError(AlignmentError):
    """No probe of the face is visible: the face, the photo's border or the model's crop hides all of them."""

    reason = "nothing-asked"


class ModelError(CanonfaceError):
    """A model could not be loaded, or it raised an exception when it was run."""

    reason = "model-failed"


class ModelOutputError(ModelError):
    """A model returned the wrong shape, NaN or infinity."""

    reason = "model-output"


class OutOfMemoryError(ModelError):
    """A single occluded photo does not fit into the memory of the device."""

    reason = "out-of-memory"


class TargetError(CanonfaceError):
    """The target does not exist for this model or this photo."""

    reason = "bad-target"


class AttributionError(CanonfaceError):
    """An attribution method has no map for a face: its file is missing, or its gradient is 0."""

    reason = "no-heat"


class LabelsError(CanonfaceError):
    """A labels file cannot be read or does not match the photos."""

    reason = "bad-labels"


class AssetError(CanonfaceError):
    """A weights file could not be fetched, or its checksum or content is wrong."""

    reason = "asset"


class MissingDependencyError(CanonfaceError, ImportError):
    """The requested function needs an optional package that is not installed."""

    reason = "missing-package"


class RunError(CanonfaceError):
    """A run directory cannot be read, written or continued."""

    reason = "run"


class ConfigurationChangedError(RunError):
    """A run directory was started with a different configuration."""

    reason = "configuration-changed"


def is_out_of_memory(error: BaseException) -> bool:
    """Return True if an exception of any library means that the device or the machine ran out of memory."""
    if isinstance(error, CanonfaceError):
        return False
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    # torch raises a plain RuntimeError for its CPU and MPS allocators; onnxruntime raises its own class.
    text = str(error).casefold()
    phrases = ("out of memory", "can't allocate memory", "failed to allocate memory", "bad_alloc")
    return isinstance(error, Exception) and any(phrase in text for phrase in phrases)


def single_image_too_large() -> str:
    """Return the error message for a model that runs out of memory with one image."""
    return (
        "A model must at least fit one image into memory; it ran out of memory with a batch of 1. Use a smaller "
        "input or model, or another device."
    )


def near_names(given: str, known: Iterable[str], limit: int = 3) -> str:
    """Return the end of an error message: the names most similar to ``given``, then the known names."""
    names = list(known)
    folded = {name.casefold(): name for name in names}
    near = [folded[match] for match in get_close_matches(given.casefold(), folded, n=limit, cutoff=0.5)]
    hint = f"did you mean {' or '.join(repr(name) for name in near)}? " if near else ""
    shown = ", ".join(names[:20]) + (f", ... ({len(names)} in all)" if len(names) > 20 else "")
    return f"{hint}Known: {shown or 'none'}."
