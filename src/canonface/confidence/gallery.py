"""A gallery: feature vectors of photos of known people, computed once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from canonface.errors import OptionError, TargetError, near_names
from canonface.fingerprint import Fingerprint
from canonface.functional import unit_rows

_ARRAYS = ("identities", "features", "photos")


@dataclass(frozen=True, eq=False)
class Gallery:
    """Feature vectors of photos of known people, all from one model.

    Attributes:
        identities: name of the person in each photo.
        features: ``(n, d)`` the model's embeddings; stored at length 1, as ``float32``.
        photos: SHA-256 of each photo, so that a photo is never compared with itself; empty, or an empty text
            where not known.
        model: the model and its input, as text; empty if not known.

    Raises:
        OptionError: the gallery is empty, the three do not match, or a vector holds NaN, infinity or only zeros.
    """

    identities: tuple[str, ...]
    features: Float[np.ndarray, "n d"] = field(repr=False)
    photos: tuple[str, ...] = field(default=(), repr=False)
    model: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        identities = _texts("identities", self.identities)
        photos = _texts("photos", self.photos) or ("",) * len(identities)
        features = _normalised(self.features)
        if not identities:
            raise OptionError("A gallery holds at least one photo; this one is empty.")
        if not len(identities) == len(features) == len(photos):
            raise OptionError(
                f"A gallery has an identity and a feature vector for every photo; got {len(identities)} "
                f"identities, {len(features)} vectors and {len(photos)} photos."
            )
        if not all(identities):
            raise OptionError(f"Every photo of a gallery has an identity; {identities.count('')} have none.")
        for name, value in zip(_ARRAYS, (identities, features, photos), strict=True):
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.identities)

    def of(self, identity: str, without: str = "") -> Float[np.ndarray, "k d"]:
        """Return the feature vectors of one identity.

        Args:
            identity: name of the person.
            without: SHA-256 of a photo to leave out, the one that is explained.

        Raises:
            TargetError: the gallery has no photo of the identity, or only the one to leave out.
        """
        shown = self.shows(identity)
        others = shown & self.other_than(without)
        if not others.any():
            raise TargetError(
                f"The only photo of {identity!r} in the gallery is the one that is explained: add "
                "another photo."
            )
        return np.asarray(self.features[others])

    def shows(self, identity: str) -> Bool[np.ndarray, "n"]:
        """Return a mask of the photos that show an identity.

        Raises:
            TargetError: none does; near names are listed.
        """
        shown = np.array([name == identity for name in self.identities])
        if not shown.any():
            known = sorted(set(self.identities))
            raise TargetError(f"The gallery has no identity {identity!r}: {near_names(identity, known)}")
        return shown

    def other_than(self, photo: str) -> Bool[np.ndarray, "n"]:
        """Return a mask of the photos without the one given by its SHA-256; all True if that is empty."""
        return np.array([not photo or mine != photo for mine in self.photos])

    @property
    def digest(self) -> str:
        """SHA-256 of the whole content."""
        content = sha256(json.dumps([self.identities, self.photos, self.features.shape]).encode())
        content.update(self.features.astype("<f4").tobytes())

        def with_model(model: str) -> str:
            whole = content.copy()
            whole.update(model.encode())
            return whole.hexdigest()

        return (
            self.model.mapped(with_model) if isinstance(self.model, Fingerprint) else with_model(self.model)
        )

    def save(self, path: str | Path) -> Path:
        """Write the gallery to an ``.npz`` file that holds no pickle.

        Returns:
            The path.
        """
        path = _npz(path)
        with path.open("wb") as file:
            np.savez(
                file,
                identities=np.array(self.identities),
                features=self.features,
                photos=np.array(self.photos),
                model=np.array(self.model),
            )
        return path

    @classmethod
    def load(cls, path: str | Path) -> Gallery:
        """Read a gallery that `save` wrote. No pickle is ever loaded.

        Raises:
            OptionError: there is no such file, or it holds no gallery.
        """
        path = _npz(path)
        if not path.is_file():
            raise OptionError(f"A gallery is a file; there is none at {path}.")
        try:
            with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                identities, features, photos = (file[name] for name in _ARRAYS)
                # Older files do not name their model.
                model = file["model"] if "model" in file.files else np.array("")
        except Exception as error:  # A damaged file fails in zipfile, zlib or NumPy.
            raise OptionError(
                f"A gallery file is an .npz with the arrays {', '.join(_ARRAYS)} and no pickle; {path.name} is not: "
                f"{error or type(error).__name__}"
            ) from error
        kinds = "".join(array.dtype.kind for array in (identities, features, photos, model))
        if (kinds, features.ndim, model.ndim) != ("UfUU", 2, 0):
            raise OptionError(
                f"A gallery file holds texts and feature vectors (n, d); {path.name} has identities of "
                f"{identities.dtype}, features of {features.dtype} and shape {features.shape}, photos of "
                f"{photos.dtype} and a model of {model.dtype}."
            )
        return cls(tuple(identities.ravel().tolist()), features, tuple(photos.ravel().tolist()), str(model))


def _normalised(features: Float[np.ndarray, "..."]) -> Float[np.ndarray, "n d"]:
    rows = unit_rows(features, "the gallery's features")
    given = np.asarray(features)
    # Normalised vectors stay bit by bit as they are, so that a saved gallery keeps its digest.
    if given.dtype != np.float32 or np.abs(rows - given).max(initial=0.0) > 1e-6:
        given = rows
    kept: Float[np.ndarray, "n d"] = np.array(given, dtype=np.float32)
    kept.flags.writeable = False
    return kept


def _texts(name: str, given: Sequence[str]) -> tuple[str, ...]:
    if isinstance(given, str):
        raise OptionError(f"{name} is a sequence of texts, one per photo; got the text {given!r}.")
    return tuple(map(str, given))


def _npz(path: str | Path) -> Path:
    path = Path(path).expanduser()
    if path.suffix.lower() != ".npz":
        raise OptionError(f"A gallery file ends in .npz; got {path.name}.")
    return path
