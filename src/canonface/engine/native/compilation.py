"""Compilation of the kernels for this machine, on first use, into a cache folder.

A C++ compiler is all that is needed; without one the package uses PyTorch's operators. One set of sources makes three
variants: for processors with AVX-512, with AVX2 and for any other.
"""

from __future__ import annotations

import hashlib
import logging
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from canonface.engine.native.library import Library
from canonface.errors import CanonfaceError, OptionError, near_names

logger = logging.getLogger("canonface")

SOURCES = Path(__file__).parent / "source"
VARIANTS: dict[str, tuple[str, ...]] = {
    "avx512": ("-march=x86-64-v4", "-mprefer-vector-width=512"),
    "avx2": ("-march=x86-64-v3",),
    "portable": (),
}
"""Compiler flags by variant, the fastest first."""

_FLAGS = (
    "-std=c++17",
    "-O3",
    "-shared",
    "-fPIC",
    "-fvisibility=hidden",
    "-pthread",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-ffp-contract=fast",
    "-Wall",
    "-Wextra",
)
_NEEDED = {
    "avx512": {
        "avx512f",
        "avx512dq",
        "avx512bw",
        "avx512vl",
        "avx512cd",
        "avx2",
        "fma",
        "f16c",
        "bmi1",
        "bmi2",
    },
    "avx2": {"avx2", "fma", "f16c", "bmi2"},
}
_COMPILERS = ("c++", "g++", "clang++")
_BUILD_TIMEOUT_S = 600


class KernelBuildError(CanonfaceError):
    """Kernels that cannot be compiled or loaded on this machine."""

    reason = "kernels-not-built"


@cache
def library() -> Library | None:
    """Return the kernels for this machine, compiled on first use.

    Returns:
        None if there is no compiler or it fails; one line of the log says so, once.
    """
    requested = os.environ.get("CANONFACE_SIMD")
    variants = list(VARIANTS)
    wanted = [requested] if requested else variants[variants.index(fastest_variant()) :]
    reason: Exception | None = None
    for variant in wanted:
        try:
            return Library(build(variant))
        except (OptionError, KernelBuildError, OSError) as error:
            # An old compiler may not know the newest processors: the first reason is the one to know.
            reason = reason or error
    logger.warning("going on without native kernels, several times slower: %s", reason)
    return None


def build(variant: str | None = None) -> Path:
    """Compile the kernels unless they are in the cache, and return the path of the shared library.

    The result lies in the user's cache folder, or in the one named by the environment variable ``CANONFACE_KERNELS``,
    under a name made of the sources and flags: a machine without a compiler uses what was built before. Several
    processes may build at once.

    Args:
        variant: "avx512", "avx2" or "portable"; None takes the environment variable ``CANONFACE_SIMD``, or else the
            fastest that this processor can run.

    Raises:
        OptionError: there is no such variant.
        KernelBuildError: the processor cannot run it, there is no compiler, or it fails.
    """
    variant = variant or os.environ.get("CANONFACE_SIMD") or fastest_variant()
    if variant not in VARIANTS:
        raise OptionError(f"There are no kernels {variant!r}: {near_names(variant, VARIANTS)}")
    if missing := sorted(_NEEDED.get(variant, set()) - _processor_flags()):
        raise KernelBuildError(f"This processor cannot run {variant} kernels: it lacks {', '.join(missing)}.")
    command = (*_FLAGS, *VARIANTS[variant])
    library_file = cache_folder() / _digest(command) / f"kernels-{variant}.so"
    if not library_file.is_file():
        _compile(find_compiler(), command, library_file)
    return library_file


def fastest_variant() -> str:
    """Return the fastest variant that this processor can run."""
    flags = _processor_flags()
    return next((name for name, needed in _NEEDED.items() if needed <= flags), "portable")


@cache
def find_compiler() -> str:
    """Return the C++ compiler: ``$CXX`` if that is set, else the first that is installed.

    Raises:
        KernelBuildError: there is none.
    """
    named = os.environ.get("CXX")
    for name in (named,) if named else _COMPILERS:
        if path := shutil.which(name):
            return path
    raise KernelBuildError(
        f"There is no C++ compiler {named!r} ($CXX)."
        if named
        else f"There is no C++ compiler: none of {', '.join(_COMPILERS)}."
    )


def cache_folder() -> Path:
    """Return the folder of the compiled kernels."""
    import platformdirs

    return Path(
        os.environ.get("CANONFACE_KERNELS") or Path(platformdirs.user_cache_dir("canonface")) / "kernels"
    )


def _processor_flags() -> set[str]:
    """Return the instruction sets of an x86 processor, as Linux spells them; on other processors an empty set."""
    if platform.machine().lower() not in {"x86_64", "amd64"}:
        return set()
    if sys.platform == "darwin":
        keys = ("machdep.cpu.features", "machdep.cpu.leaf7_features")
        return {flag.lower() for flag in _run(("sysctl", "-n", *keys)).replace("AVX1.0", "AVX").split()}
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return set()
    return next((set(line.split()) for line in lines if line.startswith("flags")), set())


def _digest(command: tuple[str, ...]) -> str:
    parts = [*command, platform.machine()]
    for source in sorted(SOURCES.iterdir()):
        parts += [source.name, source.read_text(encoding="utf-8")]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:20]


def _compile(compiler: str, command: tuple[str, ...], library_file: Path) -> None:
    """Compile into a temporary folder and rename, so that no other process loads an incomplete library."""
    try:
        library_file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=library_file.parent) as folder:
            made = Path(folder) / library_file.name
            units = [str(path) for path in sorted(SOURCES.glob("*.cpp"))]
            _run((compiler, *command, *units, "-o", str(made)))
            made.replace(library_file)
    except OSError as error:
        raise KernelBuildError(
            f"The kernels cannot be kept: {error}. CANONFACE_KERNELS names a folder for them."
        ) from error


def _run(command: tuple[str, ...]) -> str:
    """Run a command and return its standard output.

    Raises:
        KernelBuildError: it fails; the message has its first line that mentions an error.
    """
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_BUILD_TIMEOUT_S, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        raise KernelBuildError(f"{command[0]} cannot be run: {error}.") from error
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or [
            f"it ended with status {done.returncode}"
        ]
        first = next((line for line in lines if "error" in line.lower()), lines[0])
        raise KernelBuildError(f"{command[0]} fails: {first.strip()}")
    return done.stdout
