import os
import pathlib
import signal
import tempfile

import numpy as np
import pytest

# Numba compiles once for all processes of a run
if "HOTLOOPS_NUMBA_CACHE" not in os.environ:
    _cache = tempfile.TemporaryDirectory(prefix="hotloops-")
    os.environ["HOTLOOPS_NUMBA_CACHE"] = _cache.name
# OpenBLAS's threads sleep at once when they have nothing to do: other tests need the processors
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")

BACKENDS = ("cython", "numba", "numpy")
USES = {"gp": "ard", "sklearn": "ard"}  # whose kernel the tests of these run
COMPLEX = {"field", "optics"}  # kernels of complex numbers alone


def pytest_xdist_auto_num_workers(config):
    """A file that is named runs in this process; all tests on all processors."""
    names = (pathlib.Path(argument.partition("::")[0]) for argument in config.args)
    return None if all(map(pathlib.Path.is_dir, names)) else 0


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """What runs in one process: the tests of a kernel in one version, which is compiled once and
    whose results are remembered; and the others of a file. And what takes long: Numba's compiling
    for one more dtype."""
    for item in items:
        if _compiles_again(item):
            item.add_marker(pytest.mark.slow)
        if not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(_group(item)))


def _compiles_again(item):
    """Whether the test needs blocks of Numba's for other numbers than one dtype of doubles and one
    of integers."""
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    if parameters.get("backend") != "numba":
        return False
    dtypes = [value for value in parameters.values() if _is_dtype(value)]
    compiled = "dl" if _subject(item) not in COMPLEX else "D"
    return bool(
        item.get_closest_marker("every_dtype")
        or any(np.dtype(dtype).char not in compiled for dtype in dtypes)
    )


def _is_dtype(value):
    numbers = np.number, np.bool_, bool, int, float, complex
    return isinstance(value, np.dtype) or (isinstance(value, type) and issubclass(value, numbers))


def _group(item):
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    if "backend" not in parameters:
        return item.path.stem
    return f"{_subject(item)}-{parameters['backend']}"


def _subject(item):
    """The kernel that a test runs."""
    parameters = item.callspec.params
    case = parameters.get("case")
    subject = getattr(case, "subject", parameters.get("subject", item.path.stem.split("_")[1]))
    return USES.get(subject, subject)


@pytest.fixture(params=BACKENDS)
def backend(request):
    return request.param


@pytest.fixture
def ctrl_c():
    """SIGINT is Ctrl-C, here and in new processes, also where the tests run in the background and
    the shell has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
