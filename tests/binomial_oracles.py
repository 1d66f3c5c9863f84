"""The tables of a kernel, and settings with which small inputs make many blocks."""

import contextlib

import numpy as np
import pytest
from hotloops.kernels.binomial import width

from hotloops._run import backends
from hotloops.binomial import _stream

METHODS = ["multinomial", "stream"]


def table(backend, n, p):
    """What a kernel makes of one p: the values that have a probability, and it, ascending."""
    first = np.empty(1, np.int64)
    columns = width(n)
    values, probabilities = np.empty((1, columns), np.int64), np.empty((1, columns))
    kernel = backends.resolve(backend, "binomial").load("binomial")
    kernel.tables(0, 1, np.array([p]), n, first, values, probabilities)
    return values[0, first[0] :], probabilities[0, first[0] :]


def probabilities(backend, n, p):
    """The same for all values, in their order."""
    values, ascending = table(backend, n, p)
    result = np.zeros(n + 1)
    result[values] = ascending
    return result


@contextlib.contextmanager
def short_blocks():
    """Blocks so short that small inputs make many, of several calls, all with a table."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_stream, "_TABLE", 0)
        patch.setattr(_stream, "_BLOCK", 7001)
        patch.setattr(_stream, "_CALL", 2503)
        yield
