"""Terminal output: progress and messages on stderr, results on stdout."""

from __future__ import annotations

import json
import logging
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from canonface.pipeline import Progress


LINE_EVERY_SECONDS = 30.0


def stderr() -> Console:
    """Return the console for messages and progress."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def stdout() -> Console:
    """Return the console for results."""
    from rich.console import Console

    return Console(highlight=False)


def error(message: str) -> None:
    """Print an error on stderr."""
    stderr().print("[bold red]error:[/] ", end="")
    stderr().print(message, markup=False, soft_wrap=True)


def note(message: str) -> None:
    """Print a note on stderr."""
    stderr().print(message, markup=False, style="dim", soft_wrap=True)


def print_json(content: Mapping[str, Any]) -> None:
    """Print a result for scripts on stdout."""
    print(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False))  # noqa: T201


def start_logging(verbose: bool) -> None:
    """Show canonface's own log messages on stderr."""
    from rich.logging import RichHandler

    handler = RichHandler(console=stderr(), show_path=False, show_time=False, markup=False)
    logger = logging.getLogger("canonface")
    logger.handlers = [handler]
    logger.propagate = False
    logger.setLevel(logging.DEBUG if verbose else logging.WARNING)


@contextmanager
def interruptible(kept: bool) -> Iterator[None]:
    """Turn an interruption from the keyboard or by SIGTERM into a message and exit code 130."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupted)
    try:
        yield
    except KeyboardInterrupt:
        on = (
            "Finished photos are kept: start the same command again to continue."
            if kept
            else "Nothing is kept."
        )
        error(f"interrupted. {on}")
        raise SystemExit(130) from None
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def photo_progress(what: str, of: str = "photos", kept: bool = True) -> Iterator[Callable[[Progress], None]]:
    """Show a progress bar with rate and remaining time, and yield the function to call after each photo.

    Args:
        what: title of the bar.
        of: unit of the count.
        kept: whether finished photos are kept after an interruption.
    """
    from rich import progress as bars

    columns = (
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        bars.TextColumn("{task.fields[rate]}"),
        bars.TimeElapsedColumn(),
        bars.TextColumn("left"),
        bars.TimeRemainingColumn(),
        bars.TextColumn("[red]{task.fields[failed]}[/]"),
    )
    with interruptible(kept), bars.Progress(*columns, console=stderr(), speed_estimate_period=120) as bar:
        task = bar.add_task(what, total=None, rate="", failed="")

        last_line = time.monotonic()

        def advance(state: Progress) -> None:
            nonlocal last_line
            elapsed = bar.tasks[0].elapsed or 0.0
            here = state.done - state.resumed
            rate = f"{here / elapsed:.2f} {of}/s" if elapsed > 0.5 else ""
            failed = f"{state.failed} failed" if state.failed else ""
            bar.update(task, total=state.total, completed=state.done, rate=rate, failed=failed)
            # A file shows no moving bar: print a line from time to time.
            if not bar.console.is_terminal and time.monotonic() - last_line > LINE_EVERY_SECONDS:
                last_line = time.monotonic()
                left = (state.total - state.done) * elapsed / max(here, 1)
                note(
                    f"{what}: {state.done} of {state.total}, {rate}, about {left:.0f} s left {failed}".rstrip()
                )

        try:
            yield advance
        finally:
            if bar.tasks[0].total is None:  # nothing was left to do, or nothing could be done
                bar.update(task, visible=False)


@contextmanager
def working(what: str) -> Iterator[None]:
    """Show a spinner on stderr while something is computed; nothing where stderr is a file."""
    with interruptible(kept=False), stderr().status(what):
        yield
