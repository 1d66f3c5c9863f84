import pytest

BACKENDS = ("cython", "numba", "numpy")


@pytest.fixture(params=BACKENDS)
def backend(request):
    return request.param
