"""``canonface build-kernels``: compile the native kernels ahead of their first use."""

from __future__ import annotations

from typing import Annotated

import typer

from canonface.cli import console


def build_kernels(
    variant: Annotated[
        str | None,
        typer.Option(help="avx512, avx2 or portable; by default the fastest that this processor can run."),
    ] = None,
) -> None:
    """Compile the native kernels for this machine, which otherwise happens at their first use.

    Example: canonface build-kernels
    """
    from canonface.engine.native import build

    console.stdout().print(str(build(variant)), markup=False, soft_wrap=True)
