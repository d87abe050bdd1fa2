"""Optional packages: a clear word when one is absent."""

from __future__ import annotations

import importlib
from typing import Any

from canonface.errors import MissingDependencyError


def require(module: str, extra: str, purpose: str) -> Any:
    """The imported ``module``.

    Raises:
        MissingDependencyError: it is not installed; names the extra that brings it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        if getattr(error, "name", None) not in (module, module.split(".", maxsplit=1)[0]):
            raise
        raise MissingDependencyError(
            f"{purpose} needs the package {module!r}, which is not installed: pip install 'canonface[{extra}]'."
        ) from error
