"""The tables of docs/other-methods.md agree with the code."""

import ast
import re
from dataclasses import fields
from pathlib import Path

import pytest

from canonface.methods import METHODS
from canonface.methods.attribution_files import AttributionFiles

TEXT = (Path(__file__).parents[2] / "docs" / "other-methods.md").read_text(encoding="utf-8")
ROWS = [line.split("|")[1:-1] for line in TEXT.splitlines() if line.startswith("| `")]


def row_of(name):
    [row] = [row for row in ROWS if f"`{name}`" in row[0]]
    return row


@pytest.mark.parametrize("name", METHODS)
def test_every_method_is_documented_with_its_options_and_defaults(name):
    options = row_of(name)[-1]
    known = {field.name: field.default for field in fields(METHODS[name])}
    assert set(re.findall(r"`(\w+)[=`]", options)) == set(known)
    for option, value in re.findall(r"`(\w+)=([^`]+)`", options):
        assert ast.literal_eval(value) == known[option], option


def test_nothing_else_is_in_the_table():
    named = {name for row in ROWS for name in re.findall(r"`([^`]+)`", row[0])}
    assert named - {"method"} == set(METHODS)


def test_the_options_of_files_are_documented():
    known = {field.name: field.default for field in fields(AttributionFiles) if field.init}
    for option, value in re.findall(
        r'`(over|reduce)=("[a-z-]+")`', TEXT[TEXT.index("## Maps made elsewhere") :]
    ):
        assert ast.literal_eval(value) in (known[option], "input")
