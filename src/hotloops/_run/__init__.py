"""How calls are carried out: what they say, which blocks, and who runs them."""

from .backends import resolve
from .call import Call, Form, HostStep, Output, Step, bound, run
from .threads import each, stopped
from .tiles import by_shape
from .workers import number_of_workers

__all__ = [
    "Call",
    "Form",
    "HostStep",
    "Output",
    "Step",
    "bound",
    "by_shape",
    "each",
    "kept",
    "number_of_workers",
    "resolve",
    "run",
    "stopped",
]


def kept(subject: str, backend: str | None, workers: int | None) -> tuple[str, int]:
    """(backend, workers) as they are resolved now, for an object whose later calls use them; an
    ImportError if this backend does not have the subject."""
    found = resolve(backend, subject)
    found.load(subject)
    return found.name, number_of_workers(workers)
