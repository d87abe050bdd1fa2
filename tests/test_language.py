"""Docstrings are statements; docstrings, messages and comments use the words of the field."""

import ast
import io
import re
import tokenize
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
HIDDEN = re.compile(r"\b(hid|hiding)\b", re.IGNORECASE)
"""Of occluders, which occlude; a face hides its far side, so the present tense is allowed."""
STORED = {
    "answers",  # array of the feature cache's .npz files
    "heat_",  # beginning of the names of arrays in methods.npz
    "heat_taken",  # column of the table of an evaluation
    "max-questions",  # in reached.json
    "max_questions",  # in run.json and reached.json
    "no-heat",  # reason of a failed row
    "nothing-asked",  # reason of a failed row
    "questions",  # in reached.json
    " heat(?=$| for )",  # end of the unit that 0.1.0 stored
}
"""Strings in files of 0.1.0, which today's code writes and reads too."""
FORMER = {
    "--max-questions",
    ".heat",
}
"""Names of 0.1.0 in warnings; those of modules, classes and functions are in ``_deprecated.py``."""
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


def strings_and_comments(path):
    """Yield every string, docstrings too, and every comment, with its line."""
    text = path.read_text()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def old_words(text):
    """Return the first old word of a string or comment, or None; the parts of names with underscores count."""
    if text in STORED | FORMER:
        return None
    words = CODE.sub("", text).replace("_", " ")
    return OLD_WORDS.search(words) or HIDDEN.search(words)


@pytest.mark.parametrize(
    "path",
    [path for path in FILES if path.name != "_deprecated.py"],
    ids=lambda path: str(path.relative_to(SOURCE)),
)
def test_messages_and_comments_use_the_words_of_the_field(path):
    odd = [
        f"line {line}: {found[0]}" for line, text in strings_and_comments(path) if (found := old_words(text))
    ]
    assert not odd, "write forward pass, prediction, attribution, occlude; found " + "; ".join(odd)


def test_every_allowed_string_is_in_use():
    found = {
        text for path in FILES if path.name != "_deprecated.py" for _, text in strings_and_comments(path)
    }
    assert not (STORED | FORMER) - found
