"""Maps that are scored on each row of a run: the model map, the row's own map, and those of other methods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float

from canonface import functional
from canonface.errors import OptionError, RunError
from canonface.evaluation.attributions import cis_attribution, cms_attribution
from canonface.evaluation.subjects import Attributions, Subject, SubjectView
from canonface.maps import CMS
from canonface.methods import AttributionFiles
from canonface.models import Model
from canonface.run import Run


class ModelMaps:
    """Model map of each row: of all faces, of the row's group, or without the row's own person.

    Args:
        run: the run.
        by: column of the groups.
        held_out: leave out the row's own person.
        people: person of each row.
    """

    def __init__(self, run: Run, by: str | None, held_out: bool, people: Sequence[str]) -> None:
        self.by = "target" if run.of_pairs and by is None else by
        self.run, self.held_out, self.people = run, held_out, people
        if held_out and not run.design.is_full:
            raise OptionError(
                "A person is left out of a mean of measured maps; this run's map is estimated from a part of the "
                "probes: make the run without --share, or omit --held-out."
            )
        self.groups = None if self.by is None else run.labels(self.by)
        self.maps: dict[str, CMS] = run.cms(by=self.by) if self.by is not None else {"": run.cms()}
        self._others: dict[tuple[str, str], CMS] = {}

    def of(self, row: int) -> CMS:
        """Return the model map of a row.

        Raises:
            RunError: its group has no map, or the map shows nobody but the row's own person.
        """
        group = "" if self.groups is None else self.groups[row]
        if group not in self.maps:
            raise RunError(f"A photo takes the map of its group; row {row} has no value in {self.by!r}.")
        return self.without(group, self.people[row]) if self.held_out else self.maps[group]

    def without(self, group: str, person: str) -> CMS:
        """Return the map of a group without one person."""
        key = (group, person)
        if key not in self._others:
            members = [
                row
                for row, name in enumerate(self.people)
                if name == person and (self.groups is None or self.groups[row] == group)
            ]
            self._others = {key: without_rows(self.maps[group], self.run, members)}
        return self._others[key]


def without_rows(cms: CMS, run: Run, rows: Sequence[int]) -> CMS:
    """Return a mean of measured maps without some rows of its run.

    Raises:
        RunError: no face is left.
    """
    removed = CMS.empty(cms.mesh, cms.unit, cms.unseen, cms.canvas, cms.name, cms.model, cms.normalise)
    places, drops = cms.canvas.project(cms.mesh)[run.probes], run.drops()
    for row in rows:
        patch = float(run.canonical_patches[row])
        image, count = functional.cis(drops[row], places, cms.canvas.size_hw, patch, cms.normalise)
        removed = removed.add(image, count, patch)
    if removed.faces >= cms.faces:
        raise RunError(
            "A model map without one person needs photos of others; all of these show the same one."
        )
    seen = cms.seen - removed.seen
    # A sum of differences leaves about 1e-16 where nothing is left.
    return replace(
        cms,
        total=np.where(seen > 0, cms.total - removed.total, 0.0),
        squares=np.where(seen > 0, np.maximum(cms.squares - removed.squares, 0.0), 0.0),
        seen=seen,
        faces=cms.faces - removed.faces,
        patch_total=cms.patch_total - removed.patch_total,
    )


class MethodMaps:
    """Maps of a subject by every method, in pixels of the model's input.

    Args:
        model_maps: model map of each row.
        model: the run's model.
        methods: other methods.
    """

    def __init__(self, model_maps: ModelMaps, model: Model, methods: Sequence[Any]) -> None:
        self.model_maps, self.model, self.methods = model_maps, model, methods

    def of(self, row: int, subject: Subject) -> Attributions:
        """Return the maps of a row by name of the method: ``cms``, ``cis``, then the other methods."""
        cms = self.model_maps.of(row)
        attributions: dict[str, tuple[np.ndarray, ...]] = {
            "cms": tuple(cms_attribution(cms, view.shown) for view in subject.views),
            "cis": tuple(
                cis_attribution(view.cis, view.shown) for view in subject.views if view.cis is not None
            ),
        }
        for method in self.methods:
            attributions[method.name] = tuple(self._by_method(method, view) for view in subject.views)
        return attributions

    def _by_method(self, method: Any, view: SubjectView) -> Float[np.ndarray, "h w"]:
        # Maps from files are found by the photo, not computed from the input.
        if isinstance(method, AttributionFiles):
            return method.over_input(view.shown)
        attribution: Float[np.ndarray, "h w"] = method.attribute(self.model, view.shown.x, view.confidence_fn)
        return attribution
