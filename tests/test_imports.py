"""Objects by ``package.module:attribute``: where they are looked for."""

import sys

import pytest

from canonface import load_model
from canonface.confidence import make_confidence
from canonface.errors import ModelError, OptionError
from canonface.imports import import_attribute, is_attribute


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The current directory, with an installed package ``both`` elsewhere and a file of that name in it."""
    for folder, word in (("installed", "installed"), ("work", "own")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "both_here_and_there.py").write_text(
            f"word = {word!r}\ndef {word}(a, b=1): return a\n"
        )
    (tmp_path / "work" / "only_here.py").write_text("class inner:\n    deep = 3\n")
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / "installed")])
    monkeypatch.chdir(tmp_path / "work")
    yield tmp_path / "work"
    for name in ("both_here_and_there", "only_here"):
        sys.modules.pop(name, None)


def test_the_current_directory_is_searched_and_left_again(here):
    before = list(sys.path)
    assert import_attribute("only_here:inner.deep") == 3
    assert sys.path == before
    with pytest.raises(OptionError):
        import_attribute("not_even_here:x")
    assert sys.path == before


def test_no_file_hides_an_installed_package(here):
    assert import_attribute("both_here_and_there:word") == "installed"
    with pytest.raises(ModelError, match=r"installed/both_here_and_there.py\) has no attribute 'own'"):
        load_model("both_here_and_there:own")
    with pytest.raises(OptionError, match="has no attribute 'own'"):
        make_confidence("both_here_and_there:own")


@pytest.mark.parametrize("failure", [OptionError, ModelError])
def test_the_caller_chooses_the_error(failure):
    with pytest.raises(failure, match="There is no module 'not_there'"):
        import_attribute("not_there:x", failure)


@pytest.mark.parametrize(
    ("text", "is_one"),
    [("a.b:c.d", True), ("a:b", True), ("a", False), ("a/b:c", False), ("a:", False), ("C:\\x", False)],
)
def test_the_form_of_a_name(text, is_one):
    assert is_attribute(text) is is_one
