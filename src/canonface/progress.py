"""Progress of a long call: its state, and a text bar on stderr."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class Progress:
    """State of a run.

    Attributes:
        done: photos (or pairs) finished, those of earlier starts included.
        total: photos (or pairs) in all.
        failed: photos (or pairs) with a failure.
        resumed: photos (or pairs) that an earlier start had finished.
    """

    done: int
    total: int
    failed: int
    resumed: int


ProgressOption: TypeAlias = bool | Callable[[Progress], None] | None
"""True: a text bar on stderr. A function: called after each photo or pair. None or False: nothing."""


@contextmanager
def progress_callback(
    option: ProgressOption, title: str, unit: str = "photo"
) -> Iterator[Callable[[Progress], None]]:
    """Yield the function to call after each photo.

    The bar is plain text that is redrawn in place, so that it works in a terminal and in any notebook without a
    widget extension.

    Args:
        option: the ``progress`` argument of the public call.
        title: in front of the bar.
        unit: unit of the rate.
    """
    if callable(option):
        yield option
        return
    if not option:
        yield lambda _state: None
        return
    from tqdm import tqdm

    with tqdm(desc=title, unit=unit) as bar:

        def report(state: Progress) -> None:
            if bar.total is None:
                bar.total, bar.initial, bar.n = state.total, state.resumed, state.resumed
            if state.failed:
                bar.set_postfix_str(f"{state.failed} failed", refresh=False)
            bar.update(state.done - bar.n)

        yield report
