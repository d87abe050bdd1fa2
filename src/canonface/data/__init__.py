"""Photos, labels and pairs: the inputs of a run, as lists in a fixed order."""

from canonface.data.labels import LabelledPhotos, Labels, label_columns, read_labels, require_column
from canonface.data.pairs import PairList, read_pairs
from canonface.data.photos import PHOTO_SUFFIXES, PhotoList, Photos, find_photos

__all__ = [
    "PHOTO_SUFFIXES",
    "LabelledPhotos",
    "Labels",
    "PairList",
    "PhotoList",
    "Photos",
    "find_photos",
    "label_columns",
    "read_labels",
    "read_pairs",
    "require_column",
]
