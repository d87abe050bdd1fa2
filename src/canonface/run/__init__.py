"""Runs on disk: a manifest, Parquet parts, and the maps that are computed from them without a model."""

from canonface._deprecated import renamed_names
from canonface.run.run import Run

__all__ = ["Run"]

__getattr__ = renamed_names(__name__)
