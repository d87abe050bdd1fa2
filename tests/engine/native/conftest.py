"""Kernels that this machine can compile and run."""

import pytest

from canonface.engine.native import Library, build
from canonface.engine.native.compilation import VARIANTS, KernelBuildError, fastest_variant

RUNNABLE = list(VARIANTS)[list(VARIANTS).index(fastest_variant()) :]


def built(variant):
    try:
        return Library(build(variant))
    except KernelBuildError as error:
        pytest.skip(f"no native kernels here: {error}")


@pytest.fixture(scope="session", params=RUNNABLE)
def library(request):
    """Return each variant that this processor can run."""
    return built(request.param)


@pytest.fixture(scope="session")
def fastest():
    return built(RUNNABLE[0])
