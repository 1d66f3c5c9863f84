import gc
import os
import pathlib
import signal
import tempfile

import pytest

from hotloops._run.backends import names
from hotloops._run.lines import subjects

# Numba compiles once for all processes of a run
if "HOTLOOPS_NUMBA_CACHE" not in os.environ:
    _cache = tempfile.TemporaryDirectory(prefix="hotloops-")
    os.environ["HOTLOOPS_NUMBA_CACHE"] = _cache.name
# OpenBLAS's threads sleep at once when they have nothing to do: other tests need the processors
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")

BACKENDS = names()
SUBJECTS = set(subjects())
USES = {"gp": "ard", "sklearn": "ard"}  # whose kernel the tests of these run


def pytest_xdist_auto_num_workers(config):
    """A file that is named runs in this process; all tests on all processors."""
    names = (pathlib.Path(argument.partition("::")[0]) for argument in config.args)
    return None if all(map(pathlib.Path.is_dir, names)) else 0


def pytest_xdist_make_scheduler(config, log):
    """What runs in one process: the tests of a kernel in one version, which is compiled once and
    whose results are remembered; and the others of a file. (Groups by xdist's own marks are lost
    with pytest 9.2, whose node ids plugins do not change.)"""
    from xdist.scheduler import LoadScopeScheduling

    class Groups(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return _group(nodeid)

    return Groups(config, log)


def pytest_collection_modifyitems(items):
    """Numba compiles for minutes: what runs in it is slow, and begins first."""
    for item in filter(_runs_in_numba, items):
        item.add_marker(pytest.mark.slow)
    items.sort(key=lambda item: not _runs_in_numba(item))


def pytest_collection_finish():
    """A test that collects garbage does not look at all tests."""
    gc.freeze()


def _runs_in_numba(item):
    return _group(item.nodeid).endswith("-numba")


def _group(nodeid):
    """The name of what the test runs with: the kernel and the version, or the file."""
    path, _, name = nodeid.partition("::")
    parameters = name.partition("[")[2].rstrip("]").split("-")
    version = next((value for value in parameters if value in BACKENDS), None)
    return f"{_subject(path, parameters)}-{version}" if version else path


def _subject(path, parameters):
    """The kernel that a parameter names, or the file."""
    home = pathlib.Path(path).stem.split("_")[1]
    return next((value for value in parameters if value in SUBJECTS), USES.get(home, home))


@pytest.fixture(params=BACKENDS)
def backend(request):
    return request.param


@pytest.fixture(autouse=True)
def _fresh_forms():
    """Tiles and blocks that another test changed are not remembered."""
    from hotloops._run import tiles

    tiles.forget()


@pytest.fixture
def ctrl_c():
    """SIGINT is Ctrl-C, here and in new processes, also where the tests run in the background and
    the shell has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
