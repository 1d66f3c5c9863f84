"""What the sources promise to the compiler, read from the repository."""

import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[1]
SOURCES = sorted((ROOT / "kernels").glob("*/_cython.pyx"))


def test_there_are_sources():
    assert len(SOURCES) >= 4


@pytest.mark.slow
@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.parent.name)
def test_nothing_takes_the_gil_back(source, tmp_path):
    (tmp_path / "blas_types.pxd").write_text("ctypedef int blas_int\n")
    command = [sys.executable, "-m", "cython", "-3", "-I", ROOT / "kernels", "-I", tmp_path]
    for directive in ("boundscheck=False", "initializedcheck=False", "wraparound=False"):
        command += ["-X", directive]
    result = subprocess.run(
        [*command, source, "-o", tmp_path / "out.c"], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    assert "performance hint" not in result.stderr


def test_every_kernel_builds_alike():
    builds = {source.with_name("meson.build").read_text() for source in SOURCES}
    assert len(builds) == 1


def test_strict_arithmetic():
    for path in [ROOT / "meson.build", *(ROOT / "kernels").rglob("meson.build")]:
        text = path.read_text()
        for flag in ("fast-math", "Ofast", "unsafe-math", "march=native"):
            assert flag not in text, path


def test_no_file_is_long():
    """A file that says one thing is short enough to be read at once."""
    for folder in ("benchmarks", "kernels", "src", "tests"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".py", ".pyx", ".pxd", ".h"):
                assert len(path.read_text().splitlines()) <= 600, path
