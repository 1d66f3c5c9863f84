import doctest
import pathlib

import numpy as np
import pytest

import hotloops as hl
from hotloops import linalg

# --- what is refused ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: linalg.softmax(1.0, axis=1), ValueError, "axis must be <= 0, got 1"),
        (lambda: linalg.softmax([[1.0]], axis=(0, -2)), ValueError, r"each axis once, got \(0, -2"),
        (lambda: linalg.softmax([[1.0]], axis=(0, 2)), ValueError, "axis must be <= 1, got 2"),
        (lambda: linalg.softmax([[1.0]], axis=(0, 0.5)), TypeError, "axis must be an integer"),
        (lambda: linalg.softmax([1.0], axis=1), ValueError, "axis must be <= 0, got 1"),
        (lambda: linalg.softmax([1.0], axis=0.5), TypeError, "axis must be an integer"),
        (lambda: linalg.softmax([1j]), TypeError, "X must be real"),
        (lambda: linalg.normalize_rows(1.0), ValueError, "X must have at least 1 dimension"),
        (lambda: linalg.covariance([1.0]), ValueError, "X must have at least 2 dimension"),
        (lambda: linalg.covariance([[1.0]]), ValueError, "more than ddof=1 samples"),
        (lambda: linalg.covariance([[1.0]], ddof=-1), ValueError, "ddof must be >= 0"),
        (lambda: linalg.distances([[1.0]], [[1.0, 2.0]]), ValueError, "same number of columns"),
        (lambda: linalg.mlp_forward([[1.0]], [], []), ValueError, "one layer at least, got 0"),
        (lambda: linalg.mlp_forward([[1.0]], 3, []), TypeError, "weights must be a sequence"),
        (lambda: linalg.mlp_forward([[1.0]], [[[1.0]]], []), ValueError, "got 1 and 0"),
        (lambda: linalg.mlp_forward([[1.0]], [[[1.0], [2.0]]], [[1.0]]), ValueError,
         r"weights\[0\] must have 1 row"),
        (lambda: linalg.mlp_forward([[1.0]], [[[1.0]]], [[1.0, 2.0]]), ValueError,
         r"biases\[0\] must have 1 element"),
        (lambda: linalg.mlp_forward([[1.0]], [[[1.0]]], [[1.0]], activation="gelu"), ValueError,
         "activation must be one of 'identity', 'relu'"),
        (lambda: linalg.pca([[1.0], [2.0]], 2), ValueError, "n_components must be 1, got 2"),
        (lambda: linalg.pca([[1.0], [2.0]], 1.0), ValueError, "a share .* 0 and 1, got 1.0"),
        (lambda: linalg.pca([[1.0], [2.0]], 0.0), ValueError, "a share .* 0 and 1, got 0.0"),
        (lambda: linalg.whiten([[1.0], [2.0]], n_components=np.nan), ValueError, "a share .* nan"),
        (lambda: linalg.pca([[1.0], [2.0]], "mle"), TypeError, "n_components must be an integer"),
        (lambda: linalg.pca([[1.0]], 1), ValueError, "at least 2 rows"),
        (lambda: linalg.pca([[1.0], [np.nan]], 1), ValueError, "X must be finite"),
        (lambda: linalg.whiten([[1.0], [2.0]], method="ZCA"), ValueError, "'pca', got 'ZCA'"),
        (lambda: linalg.whiten([[1.0], [2.0]], eps=-1), ValueError, "eps must be finite and >= 0"),
        (lambda: linalg.pca([[1.0], [2.0]], 1).transform([[1.0, 2.0]]), ValueError, "1 column"),
        (lambda: linalg.low_rank([[1.0]], 2), ValueError, "k must be <= 1"),
        (lambda: linalg.projection([1.0]), ValueError, "A must have at least 2 dimension"),
        (lambda: linalg.condition_report(np.empty((0, 2))), ValueError, "A must not be empty"),
        (lambda: linalg.safe_solve([[1.0, 2.0]], [1.0]), ValueError, "A must be square"),
        (lambda: linalg.safe_solve([[1.0]], [1.0, 2.0]), ValueError, r"b must have shape \(1,\)"),
        (lambda: linalg.safe_solve([[np.inf]], [1.0]), ValueError, "A must be finite"),
        (lambda: linalg.safe_solve([[1.0]], [1.0], max_cond=0), ValueError, "max_cond must be"),
        (lambda: linalg.linear_regression([[1.0]], [1.0, 2.0]), ValueError, "y \\(n,\\)"),
        (lambda: linalg.ridge_regression([[1.0]], [1.0], -1), ValueError, "alpha must be"),
    ],
)  # fmt: skip
def test_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("name", ["softmax", "normalize_rows", "covariance", "distances"])
def test_out_is_checked(name):
    function, x = getattr(linalg, name), np.ones((3, 3))
    with pytest.raises(ValueError, match="out must not share memory with X"):
        function(x, out=x)
    for unfit in (np.empty((3, 4)), np.empty((3, 3), np.float32), np.empty((3, 3), order="F")):
        with pytest.raises(ValueError, match=r"out must be .* shape \(3, 3\)"):
            function(x, out=unfit)


def test_perceptrons_out_is_checked():
    x, weights, biases = np.ones((3, 3)), np.ones((2, 3, 3)), np.ones((2, 3))
    for name, out in (("X", x), (r"weights\[1\]", weights[1])):
        with pytest.raises(ValueError, match=f"out must not share memory with {name}"):
            linalg.mlp_forward(x, weights, biases, out=out)
    with pytest.raises(ValueError, match=r"share memory with biases\[1\]"):
        linalg.mlp_forward(x[:1], weights, biases, out=biases[1:])
    with pytest.raises(ValueError, match=r"out must be .* shape \(3, 3\)"):
        linalg.mlp_forward(x, weights, biases, out=np.empty((3, 2)))


def test_zero_sizes(backend):
    for shape in [(0,), (0, 3), (3, 0), (2, 0, 3)]:
        x = np.empty(shape, np.float32)
        for function in (linalg.softmax, linalg.normalize_rows):
            result = function(x, backend=backend)
            assert (result.shape, result.dtype) == (shape, np.float32)
    assert linalg.covariance(np.empty((0, 5, 3)), backend=backend).shape == (0, 3, 3)
    assert linalg.covariance(np.empty((5, 0)), backend=backend).shape == (0, 0)
    empty = linalg.mlp_forward(np.empty((0, 2)), [np.ones((2, 3))], [np.ones(3)], backend=backend)
    assert empty.shape == (0, 3)


# --- the documentation ----------------------------------------------------------------------

PAGE = pathlib.Path(__file__).parents[1] / "docs" / "linalg.md"


@pytest.mark.parametrize("name", [name for name in linalg.__all__ if name != "ConditionReport"])
def test_every_name_has_a_running_example(name):
    tests = doctest.DocTestFinder().find(getattr(linalg, name), name)
    assert sum(len(test.examples) for test in tests) > 0
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    for test in tests:
        runner.run(test)
    assert runner.summarize(verbose=False).failed == 0


def test_the_page_runs():
    found = doctest.testfile(str(PAGE), module_relative=False)
    assert found.attempted > 10
    assert found.failed == 0


def test_the_module_is_imported_when_it_is_asked_for():
    assert hl.linalg is linalg
    assert "linalg" in dir(hl)
    assert dir(linalg) == sorted(set(linalg.__all__))
    assert linalg.distances([[0.0], [2.0]])[0, 1] == 2  # the function, not its file
