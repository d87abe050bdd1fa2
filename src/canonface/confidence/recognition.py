"""Zero-shot recognition: cosine between a face and the gallery photos of its person (eq. 7)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from canonface.confidence.base import BoundConfidence, CleanPrediction
from canonface.confidence.gallery import Gallery
from canonface.confidence.targets import PREDICTED, label_column, labelled, make_plain, one_of, words
from canonface.errors import ModelOutputError, OptionError, TargetError
from canonface.fingerprint import accepts
from canonface.functional import closest_cosines, cosines
from canonface.types import Outputs

RECOGNITION_FORMS = ("closest", "margin")
# Two photos of one person rarely reach this; copies of one file in another size or quality often do.
SAME_PHOTO_COSINE = 1 - 1e-4

logger = logging.getLogger("canonface")


@dataclass(frozen=True)
class RecognitionConfidence:
    r"""Confidence of a recognition model that a face shows a person of a gallery.

    Attributes:
        gallery: feature vectors of known people, from the same model. The face's own photo is left out of it.
        identity: ``label:COLUMN``, the person in the face's label; a person of the gallery by name; or ``predicted``,
            the person of the closest photo of the gallery.
        form: ``closest``: cosine to the closest photo of the person, eq. 7; ``margin``: that minus the cosine to the
            closest photo of anyone else, above 0 if the face is recognised.
    """

    gallery: Gallery
    identity: str = "label:identity"
    form: str = "closest"

    def __post_init__(self) -> None:
        make_plain(self, "identity")
        one_of("form", self.form, RECOGNITION_FORMS)
        if self.identity != PREDICTED and self.label_column is None:
            self.gallery.shows(self.identity)
        if self.form == "margin" and len(set(self.gallery.identities)) == 1:
            raise OptionError(
                "A margin is the distance to other people, and the gallery holds one person: add others, or use "
                "form='closest'."
            )

    @property
    def unit(self) -> str:
        """Text for a colour bar over faces with different persons."""
        return _unit(self.form, words(self.identity, "identity"))

    @property
    def label_column(self) -> str | None:
        """Column of the labels that holds each face's person; None if the person is no label."""
        return label_column(self.identity)

    def describe(self) -> Mapping[str, Any]:
        """Return the options that decide the result; the gallery by its digest."""
        people = len(set(self.gallery.identities))
        return {
            "name": "recognition",
            "form": self.form,
            "target": self.identity,
            "gallery": {"sha256": self.gallery.digest, "photos": len(self.gallery), "identities": people},
        }

    def check(self, kind: Outputs, names: tuple[str, ...]) -> None:  # noqa: ARG002
        """Raise OptionError unless the model returns feature vectors."""
        refuse_other_than_embeddings(kind, "recognition")

    def bind(self, original: CleanPrediction) -> BoundConfidence:
        """Return the confidence with the person of one face; see `canonface.confidence.Confidence.bind`."""
        self.check(original.kind, original.names)
        self._check_model(original)
        usable = self.gallery.other_than(original.photo)
        identity = self._identity(original, usable)
        true = self.gallery.of(identity, original.photo)
        others = self._others(identity, usable) if self.form == "margin" else None
        _warn_of_copies(original, identity, true)

        def confidence_fn(outputs: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n"]:
            queries = directed(outputs)
            closest = closest_cosines(queries, true)
            return closest if others is None else closest - closest_cosines(queries, others)

        return BoundConfidence(target=identity, unit=_unit(self.form, identity), fn=confidence_fn)

    def _check_model(self, original: CleanPrediction) -> None:
        width, found = self.gallery.features.shape[1], original.outputs.shape[1]
        if width != found:
            raise OptionError(
                f"A gallery comes from the explained model; it holds vectors of {width} numbers, and the model "
                f"returns {found}: make the gallery anew with this model."
            )
        known = self.gallery.model
        if known and original.model and not accepts(original.model, known):
            raise OptionError(
                "A gallery comes from the explained model, with the same crop at the same size; this one was "
                "made with another model or another input: make the gallery anew with this model."
            )

    def _identity(self, original: CleanPrediction, usable: Bool[np.ndarray, "n"]) -> str:
        if self.identity == PREDICTED:
            if not usable.any():
                raise TargetError(
                    "The gallery holds no other photo than the one that is explained: add others."
                )
            near = cosines(directed(original.outputs), self.gallery.features[usable])
            return self.gallery.identities[int(np.flatnonzero(usable)[near.argmax()])]
        column = self.label_column
        return self.identity if column is None else labelled(original.labels, column, "name an identity")

    def _others(self, identity: str, usable: Bool[np.ndarray, "n"]) -> Float[np.ndarray, "k d"]:
        others = usable & ~self.gallery.shows(identity)
        if not others.any():
            raise TargetError(
                "A margin is the distance to other people, and the gallery has no photo of others than the one that "
                "is explained: add others."
            )
        return np.asarray(self.gallery.features[others])


def _warn_of_copies(original: CleanPrediction, identity: str, true: Float[np.ndarray, "k d"]) -> None:
    """Warn of gallery photos that look like copies of the photo; the SHA-256 finds only identical files.

    They are kept: two frames of a video are as similar, and a threshold should not decide what a run contains.
    """
    copies = int((cosines(directed(original.outputs), true) > SAME_PHOTO_COSINE).sum())
    if copies:
        logger.warning(
            "%d gallery photos of %r have the features of the explained photo %s (a cosine above %g): if they are "
            "copies of it, leave them out of the gallery, since the map would compare the photo with itself.",
            copies,
            identity,
            original.photo[:12] or "in memory",
            SAME_PHOTO_COSINE,
        )


def directed(outputs: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
    """Return feature vectors; raise ModelOutputError if one is zero and has no direction."""
    zero = ~outputs.any(axis=1)
    if zero.any():
        raise ModelOutputError(
            f"A feature vector has a direction; the model returned zeros alone for {int(zero.sum())} of "
            f"{len(outputs)} inputs."
        )
    return outputs


def refuse_other_than_embeddings(kind: Outputs, confidence: str) -> None:
    """Raise OptionError unless a model's outputs are feature vectors."""
    if kind != "embedding":
        raise OptionError(
            f"confidence={confidence!r} compares feature vectors, and this model returns {kind}: use another "
            "confidence, or load the model with outputs='embedding' if its numbers are a face's features."
        )


def _unit(form: str, person: str) -> str:
    if form == "closest":
        return f"cosine to the closest photo of {person}"
    return f"margin of {person} over others, in cosine"
