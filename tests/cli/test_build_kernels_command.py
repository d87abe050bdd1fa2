"""``canonface build-kernels`` as its user meets it: a path, or one line that says what is missing."""

from pathlib import Path

import pytest

from canonface.engine.native import compilation


@pytest.fixture
def build_kernels(tmp_path, monkeypatch, command_line):
    """Runs ``canonface build-kernels`` with an empty cache; returns exit code, stdout and stderr."""
    monkeypatch.setenv("CANONFACE_KERNELS", str(tmp_path / "kernels"))
    for name in ("CXX", "CANONFACE_SIMD"):
        monkeypatch.delenv(name, raising=False)
    forget = (compilation.library, compilation.find_compiler)
    for function in forget:
        function.cache_clear()

    def run(*arguments):
        return command_line("build-kernels", *arguments)

    yield run
    for function in forget:
        function.cache_clear()


def compiler(folder, script):
    """An executable that stands in for a compiler."""
    path = folder / "a compiler"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("variant", [None, "portable"])
def test_it_prints_where_the_kernels_lie(build_kernels, tmp_path, monkeypatch, variant):
    monkeypatch.setenv("CXX", compiler(tmp_path, 'for last; do :; done; echo library > "$last"'))
    code, out, err = build_kernels(*(["--variant", variant] if variant else []))
    assert code == 0, err
    path = Path(out.strip())
    assert path.read_text() == "library\n"
    assert tmp_path / "kernels" in path.parents
    assert path.name == f"kernels-{variant or compilation.fastest_variant()}.so"
    assert err == ""


def test_what_was_built_is_not_built_again(build_kernels, tmp_path, monkeypatch):
    script = f'echo x >> "{tmp_path}/calls"; for last; do :; done; echo library > "$last"'
    monkeypatch.setenv("CXX", compiler(tmp_path, script))
    assert build_kernels()[1] == build_kernels()[1]
    assert (tmp_path / "calls").read_text() == "x\n"


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (
            "echo 'In file included from x' >&2; echo 'x.cpp:3: error: no such thing' >&2; exit 1",
            "no such thing",
        ),
        ("exit 3", "it ended with status 3"),
    ],
)
def test_a_compiler_that_fails_is_one_line(build_kernels, tmp_path, monkeypatch, script, words):
    monkeypatch.setenv("CXX", compiler(tmp_path, script))
    code, out, err = build_kernels()
    assert code == 2
    assert out == ""
    [line] = err.splitlines()
    assert line.startswith("error: ")
    assert words in line


def test_no_compiler_is_one_line(build_kernels, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    code, out, err = build_kernels()
    assert (code, out) == (2, "")
    assert err == "error: There is no C++ compiler: none of c++, g++, clang++.\n"
    monkeypatch.setenv("CXX", "no-such-compiler")
    compilation.find_compiler.cache_clear()
    assert build_kernels()[2] == "error: There is no C++ compiler 'no-such-compiler' ($CXX).\n"


def test_a_variant_that_does_not_exist_is_one_line(build_kernels):
    code, out, err = build_kernels("--variant", "avx")
    assert (code, out) == (2, "")
    assert "no kernels 'avx': did you mean 'avx2' or 'avx512'?" in err


def test_a_folder_that_cannot_be_written_is_one_line(build_kernels, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CANONFACE_KERNELS", str(tmp_path / "file"))
    monkeypatch.setenv("CXX", compiler(tmp_path, "exit 0"))
    code, out, err = build_kernels()
    assert (code, out) == (2, "")
    assert "CANONFACE_KERNELS names a folder for them" in err
