import os
import tempfile

import pytest

# Numba compiles once for all processes of a run
_cache = tempfile.TemporaryDirectory(prefix="hotloops-")
os.environ.setdefault("HOTLOOPS_NUMBA_CACHE", _cache.name)

BACKENDS = ("cython", "numba", "numpy")


@pytest.fixture(params=BACKENDS)
def backend(request):
    return request.param
