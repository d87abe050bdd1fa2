"""Progress of a long call: its state, and a text bar on stderr."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias


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
StageOption: TypeAlias = bool | Callable[[str, int, int], None] | None
"""True: a text bar for each stage. A function: called with the stage, the number done and the total."""
SettingOption: TypeAlias = bool | Callable[[str, Progress], None] | None
"""True: a text bar for each setting of a study. A function: called with the setting and its progress."""


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
    with _bars(unit) as show:

        def report(state: Progress) -> None:
            show(title, state.done, state.total, state.resumed, state.failed)

        yield report


@contextmanager
def stage_callback(option: StageOption, unit: str = "photo") -> Iterator[Callable[[str, int, int], None]]:
    """Yield the function to call with a stage, the number done and the total; True shows a bar for each stage."""
    if callable(option):
        yield option
        return
    if not option:
        yield lambda _stage, _done, _total: None
        return
    with _bars(unit) as show:
        yield show


@contextmanager
def setting_callback(option: SettingOption) -> Iterator[Callable[[str, Progress], None]]:
    """Yield the function to call with a setting and the progress of its run; True shows a bar for each setting."""
    if callable(option):
        yield option
        return
    if not option:
        yield lambda _setting, _state: None
        return
    with _bars("photo") as show:

        def report(setting: str, state: Progress) -> None:
            show(setting, state.done, state.total, state.resumed, state.failed)

        yield report


@contextmanager
def _bars(unit: str) -> Iterator[Callable[..., None]]:
    """Yield a function that shows one text bar after another, a new one for each title."""
    from tqdm import tqdm

    bars: dict[str, tqdm[Any]] = {}

    def show(title: str, done: int, total: int, resumed: int = 0, failed: int = 0) -> None:
        if title not in bars:
            for earlier in bars.values():
                earlier.close()
            bars[title] = tqdm(desc=title, unit=unit, total=total, initial=resumed)
        bar = bars[title]
        if failed:
            bar.set_postfix_str(f"{failed} failed", refresh=False)
        bar.update(done - bar.n)

    try:
        yield show
    finally:
        for bar in bars.values():
            bar.close()
