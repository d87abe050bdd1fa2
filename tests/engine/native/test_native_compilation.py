"""Compilation of the kernels on first use, once; a machine without a compiler goes on without them."""

import logging
import os
import re
import subprocess
import sys

import pytest

from canonface.engine.native import Library, compilation
from canonface.engine.native.compilation import KernelBuildError, build, fastest_variant, library
from canonface.errors import OptionError


@pytest.fixture
def empty_cache(monkeypatch, tmp_path):
    """Use an empty cache of kernels, and forget compilers found before and after the test."""
    monkeypatch.setenv("CANONFACE_KERNELS", str(tmp_path / "kernels"))
    for name in ("CXX", "CANONFACE_SIMD"):
        monkeypatch.delenv(name, raising=False)
    forget = (compilation.library, compilation.find_compiler)
    for function in forget:
        function.cache_clear()
    yield tmp_path
    for function in forget:
        function.cache_clear()


def compiler(folder, script):
    """Return an executable that stands in for a compiler."""
    path = folder / "compiler"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def copying(folder, compiled):
    """Return a compiler that copies a compiled library and counts its calls."""
    script = f'echo x >> "{folder}/calls"; for last; do :; done; cp "{compiled}" "$last"'
    return compiler(folder, script)


@pytest.fixture(scope="session")
def compiled(fastest):
    return fastest.path


def log_lines(caplog):
    return [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (
            "echo 'In file included from x' >&2; echo 'x.cpp:3: error: no such thing' >&2; exit 1",
            "x.cpp:3: error: no such thing",
        ),
        ("exit 3", "it ended with status 3"),
        (
            'for last; do :; done; echo nonsense > "$last"',
            "file too short|invalid ELF|not a mach-o|slice is not valid",
        ),
    ],
)
def test_compiler_that_fails_gives_none_and_one_line(empty_cache, monkeypatch, caplog, script, why):
    monkeypatch.setenv("CXX", compiler(empty_cache, script))
    with caplog.at_level(logging.WARNING, "canonface"):
        assert library() is None
        assert library() is None
    (line,) = log_lines(caplog)
    assert line.startswith("going on without native kernels")
    assert "\n" not in line
    assert re.search(why, line)


@pytest.mark.parametrize("name", ["false", "no-such-compiler"])
def test_no_compiler_gives_none_and_one_line(empty_cache, monkeypatch, caplog, name):
    monkeypatch.setenv("CXX", name)
    with caplog.at_level(logging.WARNING, "canonface"):
        assert library() is None
        assert library() is None
    (line,) = log_lines(caplog)
    assert name in line


def test_no_compiler_at_all(empty_cache, monkeypatch):
    monkeypatch.setenv("PATH", str(empty_cache))
    with pytest.raises(KernelBuildError, match=r"no C\+\+ compiler: none of c\+\+, g\+\+, clang\+\+"):
        build()


def test_compiled_once(empty_cache, monkeypatch, compiled):
    monkeypatch.setenv("CXX", copying(empty_cache, compiled))
    first = build()
    calls = (empty_cache / "calls").read_text()
    assert build() == first
    assert (empty_cache / "calls").read_text() == calls
    assert Library(first).instruction_set == fastest_variant()
    assert [path.name for path in first.parent.iterdir()] == [first.name]


def test_a_cached_build_needs_no_compiler(empty_cache, monkeypatch, compiled):
    monkeypatch.setenv("CXX", copying(empty_cache, compiled))
    first = build()
    compilation.find_compiler.cache_clear()
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert build() == first
    assert library().path == first


def test_an_old_compiler_builds_an_older_variant(empty_cache, monkeypatch, compiled, caplog):
    refuses = 'case "$last" in *v4) echo "error: bad -march" >&2; exit 1;; esac'
    script = f'for last; do {refuses}; done; cp "{compiled}" "$last"'
    monkeypatch.setenv("CXX", compiler(empty_cache, script))
    monkeypatch.setattr(compilation, "_processor_flags", lambda: compilation._NEEDED["avx512"])
    with caplog.at_level(logging.WARNING, "canonface"):
        assert library().path.name == "kernels-avx2.so"
    assert log_lines(caplog) == []


def test_a_variant_that_the_processor_cannot_run_is_refused(empty_cache, monkeypatch, caplog):
    monkeypatch.setattr(compilation, "_processor_flags", lambda: compilation._NEEDED["avx2"])
    with pytest.raises(
        KernelBuildError, match="This processor cannot run avx512 kernels: it lacks avx512bw, "
    ):
        build("avx512")
    monkeypatch.setenv("CANONFACE_SIMD", "avx512")
    with caplog.at_level(logging.WARNING, "canonface"):
        assert library() is None
    (line,) = log_lines(caplog)
    assert "cannot run avx512 kernels" in line


def test_a_variant_misspelt_in_the_environment_is_one_line(empty_cache, monkeypatch, caplog):
    monkeypatch.setenv("CANONFACE_SIMD", "avx")
    with caplog.at_level(logging.WARNING, "canonface"):
        assert library() is None
    (line,) = log_lines(caplog)
    assert "no kernels 'avx': did you mean" in line


def test_another_variant_or_source_compiles_anew(empty_cache, monkeypatch, compiled):
    monkeypatch.setenv("CXX", copying(empty_cache, compiled))
    first = build()
    assert build("portable") != first
    sources = empty_cache / "source"
    sources.mkdir()
    for path in compilation.SOURCES.iterdir():
        (sources / path.name).write_text(path.read_text() + "\n// changed\n")
    monkeypatch.setattr(compilation, "SOURCES", sources)
    assert build() != first


def test_processes_may_build_at_once(empty_cache, monkeypatch, compiled):
    monkeypatch.setenv("CXX", copying(empty_cache, compiled))
    code = "from canonface.engine.native import library; print(library())"
    started = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    predictions = {process.communicate()[0].strip() for process in started}
    assert predictions == {f"Library({fastest_variant()})"}


def test_variant_can_be_forced(empty_cache, monkeypatch, compiled):
    monkeypatch.setenv("CXX", copying(empty_cache, compiled))
    monkeypatch.setenv("CANONFACE_SIMD", "portable")
    assert build().name == "kernels-portable.so"
    monkeypatch.setenv("CANONFACE_SIMD", "portabel")
    with pytest.raises(OptionError, match=r"no kernels 'portabel': did you mean 'portable'\?"):
        build()


def test_folder_that_cannot_be_written(empty_cache, monkeypatch, caplog):
    (empty_cache / "file").write_text("")
    monkeypatch.setenv("CANONFACE_KERNELS", str(empty_cache / "file"))
    assert library() is None
    assert "CANONFACE_KERNELS names a folder" in log_lines(caplog)[0]


def test_variant_follows_the_processor(monkeypatch):
    modern = {
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
    }
    for flags, expected in (
        (modern, "avx512"),
        (modern - {"avx512vl"}, "avx2"),
        (modern - {"fma"}, "portable"),
        (set(), "portable"),
    ):
        monkeypatch.setattr(compilation, "_processor_flags", lambda flags=flags: flags)
        assert fastest_variant() == expected


def test_sources_compile_without_warnings(fastest, tmp_path):
    compiler_path = compilation.find_compiler()
    for source in compilation.SOURCES.glob("*.cpp"):
        done = subprocess.run(
            [compiler_path, "-std=c++17", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", str(source)],
            capture_output=True,
            text=True,
            env={**os.environ, "LC_ALL": "C"},
            check=False,
        )
        assert done.returncode == 0, done.stderr
