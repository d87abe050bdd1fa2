"""HTML of results in notebooks."""

from __future__ import annotations

from importlib import import_module


class Displayed:
    """Mixin of a result that notebooks show as a picture with its main numbers.

    `canonface.plots.html` knows how to draw each type of result. It lies above the results in the layers, so it is
    imported by name, and only when a notebook requests the HTML: no result depends on matplotlib.
    """

    def _repr_html_(self) -> str:
        return str(import_module("canonface.plots.html").render(self))
