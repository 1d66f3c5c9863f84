import sys

import numba
import numpy as np
import pytest
from helpers import in_new_python
from hotloops.kernels import _jit_numba

import hotloops as hl
from hotloops._run import backends
from hotloops.cli.config import config
from hotloops.cli.main import main


def output(code, **environment):
    """What this code writes to standard output and to standard error in a new Python."""
    result = in_new_python(code, **environment)
    return result.stdout.strip(), result.stderr


NAME = "print(resolve(None, 'ard').name)"


def test_environment():
    out, _ = output("from hotloops._run import resolve;" + NAME, HOTLOOPS_BACKEND="numba")
    assert out == "numba"
    _, error = output("from hotloops._run import resolve;" + NAME, HOTLOOPS_BACKEND="f77")
    assert "environment variable HOTLOOPS_BACKEND must be one of 'cython', 'numba'" in error
    assert "got 'f77'" in error


BLOCKED = """
import sys
sys.modules["hotloops.kernels.ard._cython"] = None
import hotloops as hl
for _ in range(2):
    print(hl.quadform([[0.0], [2.0]])[0, 1])
"""


def test_a_missing_default_gives_way_with_one_warning():
    out, error = output(BLOCKED)
    assert out.split() == ["4.0", "4.0"]
    assert error.count("RuntimeWarning") == 1
    assert "hotloops uses numba: backend 'cython' of ard does not import" in error


def test_a_missing_backend_asked_for_raises():
    for ask in ("hl.quadform([[0.0]], backend='cython')", "hl.set_backend('cython')"):
        code = BLOCKED.replace("for _", f"{ask}\nfor _")
        out, error = output(code)
        assert out == ""
        assert "ImportError: backend 'cython' of ard does not import" in error
        assert "RuntimeWarning" not in error
    _, error = output(BLOCKED, HOTLOOPS_BACKEND="cython")
    assert "ImportError: backend 'cython' of ard does not import" in error


def test_import_is_light():
    code = "import sys, hotloops; print([m for m in HEAVY if m in sys.modules])"
    heavy = ["numba", "llvmlite", "matplotlib", "tqdm", "sklearn", "dask", "pandas"]
    out, error = output(f"HEAVY = {heavy};" + code)
    assert out == "[]", error


@pytest.mark.slow
def test_numba_cache(tmp_path):
    code = (
        "import hotloops as hl;"
        "print(hl.ard_kernel([[0.0], [1.0]], backend='numba')[0, 1]);"
        "from hotloops.kernels.ard import _numba;"
        "print(sum(_numba.fill.stats.cache_hits.values()));"
        "import numba; print(numba.config.CACHE_DIR)"
    )
    results = [output(code, HOTLOOPS_NUMBA_CACHE=str(tmp_path))[0] for _ in range(2)]
    value = str(np.exp(-0.5))
    assert [r.split() for r in results] == [[value, "0"], [value, "1"]]
    assert [p.name.startswith("hotloops-") for p in tmp_path.iterdir()] == [True]


def test_a_numba_cache_that_cannot_be_used(tmp_path):
    file = tmp_path / "file"
    file.touch()
    code = "import hotloops as hl; hl.quadform([[0.0]]); hl.quadform([[0.0]], backend='numba')"
    _, error = output(code, HOTLOOPS_NUMBA_CACHE=str(file))
    assert "ImportError: backend 'numba' of ard does not import: OSError: the environment" in error
    assert f"HOTLOOPS_NUMBA_CACHE must name a folder that can be written, got '{file}'" in error
    assert "reinstall" not in error


def test_numba_keeps_no_code_elsewhere(tmp_path, monkeypatch):
    monkeypatch.setenv("HOTLOOPS_NUMBA_CACHE", str(tmp_path))
    monkeypatch.setattr(numba.config, "CACHE_LOCATOR_CLASSES", "InTreeCacheLocator", raising=False)
    with pytest.raises(OSError, match=r"keeps its code in '.*__pycache__', not in the folder that"):
        _jit_numba.jit(lambda x: x)


def test_numba_that_does_not_compile(monkeypatch):
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
    with pytest.raises(OSError, match="NUMBA_DISABLE_JIT must not be set"):
        _jit_numba.jit(lambda x: x)


def test_version():
    assert hl.__version__.count(".") == 2
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = hl.nothing


# --- backends of other packages -------------------------------------------------------------

ELSEWHERE = """
from hotloops._run import backends

here = backends.Backend("here", backends.resolve("numpy", "ard").load)
"""


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A package that brings a backend, one that does not import, and two that are none."""
    (tmp_path / "elsewhere.py").write_text(ELSEWHERE)
    folder = tmp_path / "elsewhere-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: elsewhere\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text(
        "[hotloops.backends]\nhere = elsewhere:here\nbroken = nowhere:backend\n"
        "other = elsewhere:here\nmodule = elsewhere\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "elsewhere", raising=False)
    monkeypatch.setattr(backends, "_backends", dict(backends._backends))
    backends._installed.cache_clear()
    yield
    backends._installed.cache_clear()
    sys.modules.pop("elsewhere", None)


def test_a_backend_of_another_package(elsewhere, capsys):
    assert "elsewhere" not in sys.modules
    assert hl.quadform([[0.0], [2.0]], backend="here")[0, 1] == 4
    with hl.set_backend("here"):
        assert hl.get_backend() == "here"
    assert main(["selftest", "ard", "--backend", "here"]) == 0
    assert "ard: full metric, float64, here: error" in capsys.readouterr().out


def test_the_backends_of_other_packages_are_known_without_an_import(elsewhere):
    assert backends.names() == ("cython", "numba", "numpy", "here", "broken", "other", "module")
    assert "elsewhere" not in sys.modules
    facts = config()
    assert facts["backend here"] == "imports"
    assert "No module named 'nowhere'" in facts["backend broken"]


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        (
            "broken",
            ImportError,
            "'broken' of the package elsewhere does not import: Module",
        ),
        ("other", ImportError, "'other' .* must be called as its entry point is, got 'here'"),
        ("module", ImportError, "'module' of the package elsewhere must be a Backend, got <module"),
        ("f77", ValueError, "backend must be one of 'cython', .*'here', .* got 'f77'"),
        (["numba"], ValueError, r"backend must be one of 'cython', .* got \['numba'\]"),
    ],
)
def test_what_is_no_backend(elsewhere, name, kind, message):
    for call in (hl.set_backend, lambda name: hl.quadform([[0.0]], backend=name)):
        with pytest.raises(kind, match=message):
            call(name)
