import os
import signal
import tempfile

import pytest

# Numba compiles once for all processes of a run
_cache = tempfile.TemporaryDirectory(prefix="hotloops-")
os.environ.setdefault("HOTLOOPS_NUMBA_CACHE", _cache.name)

BACKENDS = ("cython", "numba", "numpy")


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
