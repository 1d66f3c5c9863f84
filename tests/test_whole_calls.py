"""A backend that another package could bring: it takes whole calls, and has no blocks that anybody
else may run."""

import inspect

import numpy as np
import pytest
import test_contract

import hotloops as hl
from hotloops import _cases
from hotloops._run import backends
from hotloops._run.call import HostStep, run
from hotloops._run.lines import lines

# with sums over tiles, mirrors, scratch, steps of the host, and calls that objects keep
SUBJECTS = ("ard", "linalg", "lstsq")


class WholeCalls(backends.Backend):
    """A backend that keeps the calls it is given, and answers them through NumPy's blocks."""

    def __init__(self):
        super().__init__("whole", backends.resolve("numpy", "ard").load)
        self.calls = []

    def run(self, call, arrays):
        self.calls.append(call)
        for step in call.steps:
            if isinstance(step, HostStep):
                step.function(*[arrays[name] for name in (*step.reads, *step.writes)])
            else:
                self._run_block(call, step, arrays)
        return True

    def _run_block(self, call, step, arrays):
        line = lines(call.subject)[step.block]
        values = [arrays[step.names.get(name, name)] for name in line.arrays]
        inputs, outputs = values[: line.count], values[line.count :]
        for place, output in enumerate(outputs):
            if place in line.sums or not step.tiles:
                output[...] = 0
        if any(np.size(inputs[k]) == 0 for k in line.required):
            for output in outputs:
                output[...] = 0
            return
        block = getattr(self.load(call.subject), step.block)
        for tile in step.tiles:
            block(*tile[: line.cut], *inputs, *tile[line.cut :], *outputs)


@pytest.fixture
def whole(monkeypatch):
    monkeypatch.setattr(backends, "_backends", dict(backends._backends))
    test_contract.expected.cache_clear()  # of this backend's results none is remembered
    test_contract.in_small_blocks.cache_clear()
    backend = WholeCalls()
    backends.add(backend)
    return backend


def contract():
    """Each test of the contract, on each case of these kernels."""
    for name, test in vars(test_contract).items():
        if not (name.startswith("test_") and inspect.isfunction(test)):
            continue
        if {"case", "dtype", "backend"} <= {*inspect.signature(test).parameters}:
            (cases,) = (mark.args[1] for mark in test.pytestmark if mark.args[0] != "backend")
            for case, dtype in (parameter.values for parameter in cases):
                if case.subject in SUBJECTS:
                    what = "-".join([name, case.subject, np.dtype(dtype).name])
                    yield pytest.param(test, case, dtype, id=what)


@pytest.mark.parametrize(("test", "case", "dtype"), [*contract()])
def test_the_contract(test, case, dtype, whole, request):
    given = {"case": case, "dtype": dtype, "backend": "whole"}
    for name in inspect.signature(test).parameters:
        if name not in given:
            given[name] = request.getfixturevalue(name)
    test(**given)
    assert {call.subject for call in whole.calls} >= {case.subject}


@pytest.mark.parametrize(
    "function", [lambda X: hl.ard_kernel(X, backend="whole"),
                 lambda X: hl.linalg.covariance(X, backend="whole")]
)  # fmt: skip
def test_a_call_says_all_that_is_computed(whole, function, backend):
    """A call that was kept is carried out again, by another backend."""
    result = function(np.random.default_rng(0).integers(-8, 8, (33, 3)).astype(np.float64))
    (call,) = whole.calls
    np.testing.assert_allclose(run(call, backend), result, rtol=1e-15)


def test_a_kept_call_is_given_whole(whole):
    A, b = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]]), np.array([1.0, 3.0, 5.0])
    solver = hl.LeastSquares(A, backend="whole")
    before = len(whole.calls)
    np.testing.assert_allclose(solver.solve(b), [1, 2], rtol=1e-14)
    np.testing.assert_allclose(solver.solve(2 * b), [2, 4], rtol=1e-14)
    assert len(whole.calls) == before + 2


def test_no_block_is_run_by_another(whole, monkeypatch):
    monkeypatch.setattr(WholeCalls, "block", None)
    for case in _cases.CASES:
        if case.subject in SUBJECTS:
            case.call(case.arguments("tiny"), backend="whole")
