"""Docstrings are statements in the words of the field."""

import ast
import re
from pathlib import Path

import pytest

import canonface

SOURCE = Path(canonface.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))
RIDDLES = re.compile(
    r"(what|how|which|where|when|why|whose|who|whom|those|that|likewise|ditto|as|of)\b", re.IGNORECASE
)
OLD_WORDS = re.compile(
    r"\b(asked|asks|asking|asker|askers|question|questions|answer|answers|answered|answering|heat|heats|heated|told"
    r"|foretold|foretells)\b",
    re.IGNORECASE,
)
CODE = re.compile(r"``[^`]*``")
"""Code in a docstring, which may hold names of version 0.1.0."""


def docstrings(path):
    """Yield every docstring of a file with its line, and whether it is that of a function."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            if text:
                is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
                yield getattr(node, "lineno", 1), text, is_function


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_docstring_opens_as_a_riddle(path):
    odd = [
        f"line {line}: {text.splitlines()[0]}" for line, text, _ in docstrings(path) if RIDDLES.match(text)
    ]
    assert not odd, "say what it does: subject, verb, object; found " + "; ".join(odd)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_docstrings_use_the_words_of_the_field(path):
    odd = [
        f"line {line}: {found[0]}"
        for line, text, _ in docstrings(path)
        if (found := OLD_WORDS.search(CODE.sub("", text)))
    ]
    assert not odd, "write forward pass, prediction, attribution, progress; found " + "; ".join(odd)
