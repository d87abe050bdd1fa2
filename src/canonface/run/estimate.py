"""Estimate of the model map from the rows of a run, with its design, its people and its interim looks."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool

from canonface import functional
from canonface.errors import RunError
from canonface.maps import CMS
from canonface.run.parts import LABEL_COLUMN_PREFIX
from canonface.run.records import Records
from canonface.run.stopping import InterimLook, Order, StoppingState
from canonface.sampling import FIRST_LOOK, Design, MapEstimate, Of, Sampled, cluster_numbers, estimate_map

logger = logging.getLogger("canonface")
IDENTITY = "identity"
"""Column of the labels that names the person, where a run does not say."""


def design_of(run: Records) -> Design:
    """Return the sampling design of a run."""
    return Design(**run.manifest.configuration.get("design", {}))


def order_of(run: Records) -> Order | None:
    """Return the random order of a run's photos; None if the run takes them in the order of the list."""
    stated = run.manifest.configuration.get("order")
    return None if stated is None else Order(**stated)


def cluster_of(run: Records) -> str | None:
    """Return the label column that names the person; None: each photo is a cluster of its own."""
    column: str | None = run.manifest.configuration.get("cluster", IDENTITY)
    return column


def last_look(run: Records) -> InterimLook | None:
    """Return the last look at a run that may stop early; None for a run that counts every row.

    Raises:
        RunError: there was no look yet.
    """
    if order_of(run) is None:
        return None
    state = StoppingState.read(run.folder)
    if state is None or not state.looks:
        raise RunError(
            f"A run that may stop early has a map from its first interim look on, after {FIRST_LOOK} people or at "
            f"its end, since a band that is read at any time holds less often than stated. {run.folder} had no look "
            "yet: start it again to continue."
        )
    return state.looks[-1]


def taken_rows(run: Records) -> Bool[np.ndarray, "faces"]:
    """Return the mask of the rows of ``run.faces`` that count.

    These are all rows, or in a run that may stop early those up to its last look.

    Raises:
        RunError: there was no look yet.
    """
    order, look = order_of(run), last_look(run)
    if order is None or look is None:
        return np.ones(run.faces.num_rows, dtype=bool)
    photos = run.table.column("photo").to_pylist()
    named = dict(zip(photos, cluster_names(run.table, cluster_of(run)), strict=True))
    return rows_of_photos(run, order.sorted(named)[: look.photos])


def rows_of_photos(run: Records, photos: Sequence[int]) -> Bool[np.ndarray, "faces"]:
    """Return the mask of the rows of ``run.faces`` that belong to some photos."""
    chosen = set(photos)
    return np.array([photo in chosen for photo in run.faces.column("photo").to_pylist()], dtype=bool)


def cluster_names(table: Any, column: str | None) -> list[str]:
    """Return the name of the person of each row, or of its photo where the person is unknown."""
    name = f"{LABEL_COLUMN_PREFIX}{column}"
    labels = table.column(name).to_pylist() if name in table.column_names else [None] * table.num_rows
    photos = table.column("photo").to_pylist()
    return [label or photo_cluster(number) for label, number in zip(labels, photos, strict=True)]


def photo_cluster(number: int) -> str:
    """Return the name of the cluster of a photo of an unknown person."""
    return f"photo {number}"


def sampled_rows(run: Records, chosen: Bool[np.ndarray, "faces"], column: str | None) -> Sampled:
    """Return the drops of chosen rows of ``run.faces``, with the probes that the design evaluates."""
    design, canvas, mesh = design_of(run), run.canvas, run.mesh
    numbers = zip(*(run.faces.column(name).to_pylist() for name in ("photo", "face")), strict=True)
    faces = [pair for pair, wanted in zip(numbers, chosen, strict=True) if wanted]
    places = mesh.vertices[run.probes].astype(np.float64)
    patch = float(np.mean(run.canonical_patches[chosen])) if chosen.any() else float("nan")
    names = [name for name, wanted in zip(cluster_names(run.faces, column), chosen, strict=True) if wanted]
    return Sampled(
        drops=run.drops()[chosen],
        probed=design.probed(places, faces),
        clusters=cluster_numbers(names),
        places=places,
        canonical_xy=canvas.project(mesh)[run.probes],
        patch_px=patch,
        patch_cm=patch / canvas.pixels_per_unit(mesh),
        share=1.0 if design.is_full else design.count(len(places)) / len(places),
        normalise=run.settings["normalise"],
        zero=run.settings["unseen"] == "zero",
    )


def estimate_rows(
    run: Records, chosen: Bool[np.ndarray, "faces"], column: str | None, of: Of, confidence_level: float
) -> MapEstimate:
    """Return the map of chosen rows with its band."""
    probe_of = {int(vertex): index for index, vertex in enumerate(run.probes)}
    regions = {
        name: np.array([probe_of[v] for v in members.tolist() if v in probe_of], dtype=np.int64)
        for name, members in run.mesh.regions.items()
    }
    return estimate_map(sampled_rows(run, chosen, column), regions, of=of, confidence_level=confidence_level)


def warn_if_unsure(estimates: Sequence[MapEstimate]) -> None:
    """Warn where so few faces carry a map that its band cannot be trusted."""
    for estimate in estimates:
        if not estimate.map.trusted:
            logger.warning(
                "the map is carried by few faces (an effective %.1f of %d): its band cannot be trusted. Where a "
                "model is certain of most faces, confidence log-odds spreads the map over more faces.",
                estimate.map.effective,
                estimate.clusters,
            )


def estimated_cms(run: Records, chosen: Bool[np.ndarray, "faces"], estimate: MapEstimate, name: str) -> CMS:
    """Return the picture of an estimate: the drops of all probes, spread as eq. 4-5 spread those of one face.

    ``seen`` counts the faces behind the estimate, and ``sem`` is its cluster-robust standard error at each pixel.
    """
    canvas, settings = run.canvas, run.settings
    xy = canvas.project(run.mesh)[run.probes]
    patch, normalise = float(np.mean(run.canonical_patches[chosen])), settings["normalise"]
    image, count = functional.cis(estimate.drops, xy, canvas.size_hw, patch, normalise)
    variance = np.zeros(canvas.size_hw)
    # QR gives the same sums of squares and products in no more rows than there are probes.
    for moved in np.linalg.qr(estimate.influence, mode="r"):
        known = np.where(np.isfinite(estimate.drops), moved, np.nan)
        variance += functional.cis(known, xy, canvas.size_hw, patch, normalise)[0] ** 2
    seen = np.where(count > 0, estimate.faces, 0)
    share = 100 * estimate.share_probed
    note = (
        ""
        if not estimate.inferred
        else f"{share:.3g}% of the probes of each face evaluated, the rest inferred"
    )
    return CMS(
        mesh=run.mesh,
        total=image * seen,
        squares=seen * (image**2 + variance * (estimate.faces - 1)),
        seen=seen,
        faces=estimate.faces,
        unit=run.unit,
        patch_total=patch * estimate.faces,
        unseen=settings["unseen"],
        canvas=canvas,
        name=name,
        model=run.model_name,
        normalise=normalise,
        note=note,
        half_width=estimate.map.widest,
        trusted=estimate.map.trusted,
        method=run.method,
    )
