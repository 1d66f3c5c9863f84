"""Who runs a case: hotloops, NumPy, and the peers that are installed.

A contender is a function of the case's arguments that returns a function without arguments, the
call that is timed; or None, where it does not apply to the case.
"""

import importlib.util
import inspect
import threading

import numpy as np
import pytest

from hotloops import _cases

BACKENDS = ("numba", "cython")


def allowed(case, name):
    """The error that a contender may have: ours that of the case."""
    return case.tolerance[case.dtype] if name.startswith(BACKENDS) else 1e-6


def ours(backend, reuse=False):
    """A backend; `reuse`: with `out=`."""

    def contender(case, arguments):
        if not reuse:
            return lambda: case.call(arguments, backend=backend)
        out = case.call(arguments, backend=backend)
        return lambda: case.call(arguments, backend=backend, out=out)

    return contender


def filling(case, arguments):
    """Writing the output: np.empty, then two threads fill half each. Not a result."""
    like = case.call(arguments, backend="cython")

    def fill():
        out = np.empty_like(like)
        halves = np.array_split(out.reshape(-1), 2)
        threads = [threading.Thread(target=half.fill, args=(1,)) for half in halves]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return out

    return fill


def contenders(peers):
    """All that run a case by name: ours, NumPy's and those peers whose package is installed."""
    found = {
        "question": lambda case, arguments: lambda: case.question(**arguments),
        "best NumPy": lambda case, arguments: lambda: case.numpy(**arguments),
        "writing the output": filling,
    }
    for backend in BACKENDS:
        found[backend] = ours(backend)
        found[f"{backend}, out="] = ours(backend, reuse=True)
    for name, (package, contender) in peers.items():
        if importlib.util.find_spec(package):
            found[name] = lambda case, arguments, contender=contender: contender(**arguments)
    return found


def _applies(case, name, make, peers):
    if name.endswith("out="):
        return "out" in inspect.signature(case.function).parameters
    return name not in peers or make(case, case.arguments("tiny")) is not None


def parametrize(subject, peers, function=None):
    """Give the test one `case` and one contender (`name`, `make`) after the other; of this public
    function alone, if one is given."""
    parameters = [
        pytest.param(case, name, make, id=f"{case.name}-{name}")
        for case in _cases.timed([subject])
        for name, make in contenders(peers).items()
        if function in (None, case.function)
        if _applies(case, name, make, peers)
    ]
    return pytest.mark.parametrize(("case", "name", "make"), parameters)
