"""Imports go downwards through the layers, and `import canonface` stays light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import canonface

SOURCE = Path(canonface.__file__).parent
LAYERS = [
    {"__main__"},
    {"cli"},
    {"plots"},
    {"studies"},
    {"evaluation", "finetuning"},
    {"pipeline"},
    {"run"},
    {"explanation"},
    {"sampling", "methods"},
    {"maps"},
    {"engine"},
    {"data", "mesh", "alignment", "models", "confidence", "occluders"},
    {"occlusions"},
    {"landmarker"},
    {"functional", "geometry", "imports", "raster", "templates", "fingerprint", "assets", "demo"},
    {"types"},
    {"errors", "_version", "_deprecated"},
]
HEIGHT = {name: len(LAYERS) - i for i, layer in enumerate(LAYERS) for name in layer}
HEAVY = (
    "torch",
    "matplotlib",
    "ray",
    "scipy",
    "cv2",
    "pyarrow",
    "onnxruntime",
    "onnx",
    "PIL",
    "ai_edge_litert",
    "captum",
    "torchcam",
)


def layer_of(path):
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported_layers(path):
    """Layers that a file imports, wherever in the file: a late import is an import."""
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are written in full"
            names = (
                [f"{node.module}.{a.name}" for a in node.names]
                if node.module == "canonface"
                else [node.module]
            )
        for name in names:
            parts = name.split(".")
            if parts[0] == "canonface" and len(parts) > 1 and parts[1] in HEIGHT:
                yield parts[1], node.lineno


FILES = [path for path in sorted(SOURCE.rglob("*.py")) if path.parent != SOURCE or layer_of(path) in HEIGHT]


def test_every_file_has_a_layer():
    known = {*HEIGHT, "__init__"}
    assert {layer_of(path) for path in SOURCE.rglob("*.py")} <= known


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_go_downwards(path):
    mine = layer_of(path)
    for other, line in imported_layers(path):
        assert other == mine or HEIGHT[other] < HEIGHT[mine], f"line {line}: {mine} may not import {other}"


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
