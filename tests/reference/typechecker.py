"""The run-time check of annotations in the tests: beartype, with an int welcome where a float is.

Names of options (`Literal`) pass as any string: the package itself must refuse the wrong ones, in words.
"""

from typing import Literal

from beartype import BeartypeConf, FrozenDict, beartype

OPTIONS = (
    Literal["omit", "zero"],
    Literal["rgb", "bgr", "grey"],
    Literal["face", "arcface", "facenet", "dlib", "image"],
    Literal["logits", "probabilities", "embedding", "values"],
    Literal["measured", "equation"],
    Literal["both", "first", "second"],
    Literal["people", "photos"],
    Literal["map", "regions"],
    Literal["probability", "logit", "log-odds"],
    Literal["largest", "all"],
    Literal["auto", "logit", "confidence"],
    Literal["towards", "away", "none"],
    Literal["array", "images"],
    Literal["auto", "cpu", "cuda", "mps"],
)

check = beartype(
    conf=BeartypeConf(is_pep484_tower=True, hint_overrides=FrozenDict(dict.fromkeys(OPTIONS, str)))
)
