"""Runs on disk: a manifest, Parquet parts, and the maps that are computed from them without a model."""

from canonface.run.run import Run

__all__ = ["Run"]
