"""Imports go downwards through the layers of CONTRIBUTING.md, file by file, and `import canonface` stays light."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import canonface

SOURCE = Path(canonface.__file__).parent
LIST = Path(__file__).parent.parent / "CONTRIBUTING.md"
HEAVY = (
    "torch",
    "matplotlib",
    "ray",
    "scipy",
    "cv2",
    "pandas",
    "pyarrow",
    "xarray",
    "onnxruntime",
    "onnx",
    "PIL",
    "ai_edge_litert",
    "captum",
    "torchcam",
)


def layers():
    """Return the layers that CONTRIBUTING.md lists, the highest first."""
    block = LIST.read_text().partition("Imports go downwards")[2].partition("\n- ")[0]
    names = re.findall(r"^ {4}([_a-z]+(?:, [_a-z]+)*)(?= {2}|$)", block, re.MULTILINE)
    return [set(line.split(", ")) for line in names]


HEIGHT = {name: -number for number, layer in enumerate(layers()) for name in layer}
FILES = [
    path
    for path in sorted(SOURCE.rglob("*.py"))
    if path not in (SOURCE / "__init__.py", SOURCE / "__main__.py")
]


def layer_of(path):
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported(path):
    """Yield the canonface modules that a file imports anywhere, also late or for types only, with the line."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are written in full"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from ((name, node.lineno) for name in names if name.partition(".")[0] == "canonface")


def file_of(name):
    """Return the file of a module, or of the module that holds an attribute; None for an attribute of the package."""
    parts = name.split(".")[1:]
    for length in range(len(parts), 0, -1):
        place = SOURCE.joinpath(*parts[:length])
        for path in (place.with_suffix(".py"), place / "__init__.py"):
            if path.exists():
                return path
    return None


def test_the_list_names_every_layer():
    assert set(HEIGHT) >= {"cli", "run", "errors"}
    unlisted = {layer_of(path) for path in FILES} - set(HEIGHT)
    assert not unlisted, f"CONTRIBUTING.md does not list {unlisted}"
    missing = {
        name for name in HEIGHT if not (SOURCE / name).is_dir() and not (SOURCE / f"{name}.py").exists()
    }
    assert not missing, f"CONTRIBUTING.md lists what is not there: {missing}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_go_downwards(path):
    mine = layer_of(path)
    for name, line in imported(path):
        target = file_of(name)
        if target is None:
            continue
        other = layer_of(target)
        assert other == mine or HEIGHT[other] < HEIGHT[mine], f"line {line}: {mine} may not import {other}"


def test_no_file_imports_itself_over_others():
    graph = {
        path: {target for name, _ in imported(path) if (target := file_of(name)) not in (None, path)}
        for path in FILES
    }
    # A package's own __init__ gathers its files for others; a file inside imports its siblings, not the package.
    left = dict(graph)
    while leaves := [path for path, targets in left.items() if not targets & left.keys()]:
        for path in leaves:
            del left[path]
    assert not left, "a circle of imports: " + ", ".join(
        sorted(str(path.relative_to(SOURCE)) for path in left)
    )


@pytest.mark.parametrize(
    "statement", ["import canonface", "from canonface.cli.main import app", "import canonface.models"]
)
def test_nothing_heavy_is_loaded_early(statement):
    code = f"import sys; {statement}; print([n for n in {HEAVY} if n in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_every_public_name_can_be_had():
    for name in canonface.__all__:
        assert getattr(canonface, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        canonface.nonsense  # noqa: B018


@pytest.mark.parametrize("name", [name for name in dir(canonface) if name not in canonface.__all__])
def test_every_public_subpackage_is_there_after_one_import(name):
    code = f"import canonface; print(canonface.{name}.__name__)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == f"canonface.{name}"
