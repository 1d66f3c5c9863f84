"""Modules of block functions by the names of backends."""

from ._run import backends

NAMES = backends.names()


def load(subject, backend):
    """The module of this backend; ImportError with the reason where there is none."""
    return backends.resolve(backend, subject).load(subject)


def kernel(subject, backend=None):
    """The module that a call with `backend=backend` runs."""
    return backends.resolve(backend, subject).load(subject)


def name(kernel):
    """The backend that this module is."""
    return kernel.__name__.rpartition("._")[2]
