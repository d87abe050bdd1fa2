"""The map of a run that did not ask everything: its rows, its design and its people, as an estimate."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool

from canonface import functional
from canonface.errors import RunError
from canonface.maps import CMS
from canonface.run.parts import LABEL_COLUMN_PREFIX
from canonface.run.stopping import InterimLook, Order, StoppingState
from canonface.sampling import FIRST_LOOK, Design, MapEstimate, Of, Sampled, cluster_numbers, estimate_map

if TYPE_CHECKING:
    from canonface.run.run import Run

logger = logging.getLogger("canonface")
IDENTITY = "identity"
"""Column of the labels that names the person, where a run does not say."""


def design_of(run: Run) -> Design:
    """Which probes a run asks of each face."""
    return Design(**run.manifest.configuration.get("design", {}))


def order_of(run: Run) -> Order | None:
    """The random order in which a run takes its photos; None if it takes them as they come."""
    stated = run.manifest.configuration.get("order")
    return None if stated is None else Order(**stated)


def cluster_of(run: Run) -> str | None:
    """Column of a run's labels that names the person; None: each photo stands alone."""
    column: str | None = run.manifest.configuration.get("cluster", IDENTITY)
    return column


def last_look(run: Run) -> InterimLook | None:
    """The last look at a run that may stop early; None for a run that counts every row.

    Raises:
        RunError: nobody has looked at it yet.
    """
    if order_of(run) is None:
        return None
    reached = StoppingState.read(run.folder)
    if reached is None or not reached.looks:
        raise RunError(
            f"A run that may stop early has a map from its first look on, after {FIRST_LOOK} people or at its end: a "
            f"band that is looked at whenever one likes holds less often than it says. {run.folder} was not looked "
            "at yet: start it again to continue."
        )
    return reached.looks[-1]


def taken_rows(run: Run) -> Bool[np.ndarray, "faces"]:
    """Rows of ``run.faces`` that count: all, or in a run that may stop early those up to its last look.

    What was asked since waits for the next look.

    Raises:
        RunError: there was no look yet.
    """
    order, look = order_of(run), last_look(run)
    if order is None or look is None:
        return np.ones(run.faces.num_rows, dtype=bool)
    photos = run.table.column("photo").to_pylist()
    named = dict(zip(photos, cluster_names(run.table, cluster_of(run)), strict=True))
    return rows_of_photos(run, order.sorted(named)[: look.photos])


def rows_of_photos(run: Run, photos: Sequence[int]) -> Bool[np.ndarray, "faces"]:
    """Rows of ``run.faces`` that belong to some photos."""
    chosen = set(photos)
    return np.array([photo in chosen for photo in run.faces.column("photo").to_pylist()], dtype=bool)


def cluster_names(table: Any, column: str | None) -> list[str]:
    """Name of the person of each row, or of its photo where the person is not known."""
    name = f"{LABEL_COLUMN_PREFIX}{column}"
    labels = table.column(name).to_pylist() if name in table.column_names else [None] * table.num_rows
    photos = table.column("photo").to_pylist()
    return [label or photo_cluster(number) for label, number in zip(labels, photos, strict=True)]


def photo_cluster(number: int) -> str:
    """Name of the cluster of a photo of nobody known."""
    return f"photo {number}"


def sampled_rows(run: Run, chosen: Bool[np.ndarray, "faces"], column: str | None) -> Sampled:
    """The drops of chosen rows of ``run.faces``, and what the design asked of them."""
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
    run: Run, chosen: Bool[np.ndarray, "faces"], column: str | None, of: Of, level: float
) -> MapEstimate:
    """The map of chosen rows with its band; a warning where too few faces carry it."""
    probe_of = {int(vertex): index for index, vertex in enumerate(run.probes)}
    regions = {
        name: np.array([probe_of[v] for v in members.tolist() if v in probe_of], dtype=np.int64)
        for name, members in run.mesh.regions.items()
    }
    return estimate_map(sampled_rows(run, chosen, column), regions, of=of, confidence_level=level)


def warn_if_unsure(estimates: Sequence[MapEstimate]) -> None:
    """Say where so few faces carry a map that its band is not to be relied on."""
    for estimate in estimates:
        if not estimate.map.trusted:
            logger.warning(
                "the map is carried by few faces (an effective %.1f of %d): its band is not to be relied on. Where a "
                "model is sure of most faces, confidence log-odds spreads it over more.",
                estimate.map.effective,
                estimate.clusters,
            )


def estimated_cms(run: Run, chosen: Bool[np.ndarray, "faces"], estimate: MapEstimate, name: str) -> CMS:
    """The picture of an estimate: the drops of all probes, spread as eq. 4-5 spread those of one face.

    ``seen`` counts the faces behind the estimate, and ``sem`` is its cluster-robust standard error at each pixel.
    """
    canvas, settings = run.canvas, run.settings
    xy = canvas.project(run.mesh)[run.probes]
    patch, normalise = float(np.mean(run.canonical_patches[chosen])), settings["normalise"]
    image, count = functional.cis(estimate.drops, xy, canvas.size_hw, patch, normalise)
    variance = np.zeros(canvas.size_hw)
    # The same sums of squares and products in no more rows than there are probes.
    for moved in np.linalg.qr(estimate.influence, mode="r"):
        known = np.where(np.isfinite(estimate.drops), moved, np.nan)
        variance += functional.cis(known, xy, canvas.size_hw, patch, normalise)[0] ** 2
    seen = np.where(count > 0, estimate.faces, 0)
    share = 100 * estimate.share_probed
    note = (
        "" if not estimate.inferred else f"{share:.3g}% of the places of each face asked, the rest inferred"
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
