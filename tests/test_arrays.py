"""What the functions take for arrays of numbers, and what they say of anything else."""

import collections
import decimal
import fractions

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from numpy.lib.recfunctions import structured_to_unstructured
from sklearn.utils import check_array

import hotloops as hl
from hotloops import _arrays

MASKED = np.ma.masked_array([1.0, 2.0, 3.0], [False, True, False])


class Lazy:
    """As Dask's arrays: NumPy gets the numbers without their mask, `compute` all."""

    def __init__(self, array):
        self.array = array

    def __dask_graph__(self):
        return {}

    def compute(self):
        return self.array

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.array, dtype)


class Labelled(Lazy):
    """As xarray's: the lazy array is its `data`, and its own `compute` loses the mask."""

    @property
    def data(self):
        return Lazy(self.array)

    def compute(self):
        return np.asarray(self.array)


class File:
    """As netCDF4's variables: a masked array comes out of `__array__`."""

    def __array__(self, dtype=None, copy=None):
        return MASKED


def objects(*items):
    array = np.empty(len(items), object)
    array[:] = items
    return array


def frame(**columns):
    return pd.DataFrame(columns)


def softmax(value):
    return hl.linalg.softmax(value)


TAKEN = [
    frame(a=[1.0, 2.0], b=[True, False]),
    frame(a=np.float32([1, 2]), b=[True, False]),
    frame(a=np.float32([1, 2]), b=pd.array([1, 2], "Int64")),
    frame(a=pd.array([1, 2], "Int64"), b=pd.array([0.5, 2], "Float64")),
    frame(a=pd.array([True, False], "boolean"), b=pd.array([0.5, 2], "Float32")),
    frame(a=pd.array([1.5, None], "Float64"), b=[1.0, 2.0]),
    frame(a=pd.array([1, None], "Int64"), b=[True, False]),
    frame(a=pd.Categorical([1, 2]), b=[True, False]),
    frame(a=pd.arrays.SparseArray([0.0, 1.0]), b=[True, False]),
    frame(a=["1.5", "2"], b=[1.0, 2.0]),
    frame(a=objects(1, None), b=[1.0, 2.0]),
    pd.get_dummies(frame(a=[0.5, 1.5, 2.5], colour=["red", "blue", "red"])),
    objects(1.0, True, None).reshape(1, 3),
    objects(1, 2).reshape(1, 2),
]


@pytest.mark.filterwarnings("ignore:pandas.DataFrame with sparse columns:UserWarning")
@pytest.mark.parametrize("value", TAKEN, ids=range(len(TAKEN)))
def test_takes_what_scikit_learn_takes(value):
    expected = check_array(value, dtype="numeric", ensure_all_finite="allow-nan")
    for result in (_arrays.number("X", value), _arrays.real("X", value)):
        np.testing.assert_array_equal(result, expected)
    np.testing.assert_allclose(softmax(value), softmax(expected), rtol=1e-6)


def test_single_precision_stays_in_frames():
    for other in ([True, False], pd.array([True, False], "boolean"), np.float32([1, 2])):
        assert softmax(frame(a=np.float32([1, 2]), b=other)).dtype == np.float32
    assert softmax(frame(a=np.float32([1, 2]), b=[1, 0])).dtype == np.float64


def test_missing_values_are_nan():
    value = frame(a=pd.array([True, None], "boolean"), b=[1.0, 2.0])
    np.testing.assert_array_equal(hl.linalg.normalize_rows(value)[1], [np.nan, np.nan])
    np.testing.assert_array_equal(np.isnan(softmax([pd.NA, 1.0])), [True, True])
    np.testing.assert_array_equal(hl.linalg.distances([[1.0], [None]])[0], [0, np.nan])


def test_numbers_of_other_classes():
    thirds = [fractions.Fraction(1, 3), decimal.Decimal("0.25"), 2**70]
    expected = hl.linalg.distances([[1 / 3], [0.25], [2.0**70]])
    np.testing.assert_array_equal(hl.linalg.distances([[x] for x in thirds]), expected)
    complex_ = objects(1j, 2)
    np.testing.assert_array_equal(hl.solve_many([[1, 0], [0, 1]], complex_), [1j, 2])
    integers = objects(2**53 + 1, 1).reshape(1, 1, 2)
    product = hl.rolled_matmul(np.ones((1, 1, 1), int), integers, 1)
    assert product.tolist() == [[[[2**53 + 1, 1]]]]
    assert product.dtype == np.int64


@pytest.mark.parametrize("holds", ["columns", "nothing", "rows"])
def test_frames_without_entries(holds):
    empty = {"columns": frame(a=[1.0], b=[True])[:0], "nothing": pd.DataFrame(),
             "rows": pd.DataFrame(index=range(3))}[holds]  # fmt: skip
    assert hl.linalg.normalize_rows(empty).shape == empty.shape


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "X must be real .*, got None"),
        ("abc", "got strings"),
        ((x for x in [1.0]), r"got generator: pass list\(X\)"),
        ({1: 2.0}.values(), r"got dict_values: pass list\(X\)"),
        ({1: 2.0}, "got dict: pass an array of its values"),
        ({1.0}, "got set: pass an array of its values"),
        (scipy.sparse.eye(2).tocsr(), r"got csr_matrix: it is sparse, pass X\.toarray\(\)"),
        (scipy.sparse.coo_array(np.eye(2)), r"got coo_array: it is sparse, pass X\.toarray\(\)"),
        ([scipy.sparse.eye_array(2)], r"got dia_array at X\[0\]: it is sparse, pass X\[0\]"),
        (object(), "got object at X: float"),
        ([[1.0, {}]], r"got dict at X\[0, 1\]: float"),
        ([[1.0, 10**400]], r"got int at X\[0, 1\]: int too large"),
        ([1.0, "red"], "got strings: encode categories"),
        (objects(1.0, "red"), r"got 'red' at X\[1\]: encode categories"),
        (frame(a=["x", "y"], b=[1, 2]), r"X\['a'\] must be real .*'x' at X\['a'\]\[0\]: encode"),
        (frame(b=[1, 2], a=pd.Categorical(["x", "y"])), r"X\['a'\] must be .*: encode categories"),
        (frame(b=[1.5], a=pd.to_datetime(["2020-01-01"])), r"X\['a'\] must be .*, got dates"),
        (np.ones(2, "m8[D]"), "got time differences"),
        (np.zeros(2, [("a", float)]), "got records: pass numpy.lib.recfunctions"),
        (objects(np.ones(2), np.ones(2)), r"got ndarray at X\[0\]: numpy\.stack\(X\) is an array"),
        (np.ones(2, np.float16), r"got dtype float16: pass numpy\.asarray\(X, numpy\.float64\)"),
    ],
)
def test_says_what_is_no_array_of_numbers(value, message):
    with pytest.raises(TypeError, match=message) as info:
        softmax(value)
    assert "object" not in str(info.value) or type(value) is object


@pytest.mark.parametrize(
    ("value", "remedy"),
    [
        ((x for x in [1.0, 2.0]), list),
        (scipy.sparse.eye(2).tocsr(), lambda x: x.toarray()),
        (["1", "2"], lambda x: np.asarray(x, float)),
        (np.array(["2020-01-01", "2020-01-03"], "M8[s]"),
         lambda x: (np.asarray(x) - x[0]) / np.timedelta64(1, "D")),
        (np.ones(2, "m8[D]"), lambda x: np.asarray(x) / np.timedelta64(1, "D")),
        (np.zeros(2, [("a", float)]), structured_to_unstructured),
        (objects(np.ones(2), np.ones(2)), np.stack),
        (frame(a=["x", "y"], b=[0.5, 2]), pd.get_dummies),
        (np.ones(2, np.float16), lambda x: np.asarray(x, np.float64)),
    ],
)  # fmt: skip
def test_the_remedies_work(value, remedy):
    with pytest.raises(TypeError):
        softmax(value)
    assert np.isfinite(softmax(remedy(value))).all()


@pytest.mark.parametrize(
    "value",
    [
        MASKED,
        [MASKED, MASKED],
        ([1.0, 2.0, 3.0], MASKED),
        [[[1.0, 2.0, 3.0]], (MASKED,)],
        collections.deque([MASKED]),
        [1.0, np.ma.masked],
        [1, np.ma.array(5, mask=True)],
        np.array([np.ones(3), MASKED, 2.0], object),
        Lazy(MASKED),
        [Lazy(MASKED)],
        [Lazy(np.ma.masked), 1.0],
        Labelled(MASKED),
        File(),
        [np.ones(3), File()],
    ],
)
@pytest.mark.parametrize(
    "function",
    [
        hl.linalg.softmax,
        lambda X: hl.solve_many(X, X),
        lambda X: hl.sparse_tensordot(X, scipy.sparse.eye_array(3).tocsr()),
        lambda X: hl.layered_field(X, [], [1.0], [[1, 0]], [[1]], backward_reference="far"),
        lambda X: hl.gp.GaussianProcessRegressor().fit(X, X),
    ],
    ids=["real", "floating", "number", "real and complex", "fit"],
)
def test_no_mask_is_lost(function, value):
    with pytest.raises(TypeError, match=r" must not (be a|hold) masked array"):
        function(value)


def test_a_mask_is_found_where_it_is():
    with pytest.raises(TypeError, match=r"X must not be a masked array, as X\[1\]\[0\] is: fill"):
        softmax([[[1.0, 2.0, 3.0]], (MASKED,)])


@pytest.mark.parametrize(
    "item", [MASKED[1], MASKED[:1], np.ma.array(5.0, mask=True), np.ma.array(5)]
)
@pytest.mark.parametrize("others", [1.5, 1, 1j, True, np.float32(2)])
def test_no_mask_is_lost_in_long_lists(item, others):
    numbers = [others] * 300
    assert _arrays.any_array("X", numbers).shape == (300,)
    for place in (0, 1, 299):
        with pytest.raises(TypeError, match=rf"as X\[{place}\] is"):
            _arrays.any_array("X", [*numbers[:place], item, *numbers[place + 1 :]])
        rows = [numbers, [*numbers[:place], item, *numbers[place + 1 :]]]
        with pytest.raises(TypeError, match=rf"as X\[1\]\[{place}\] is"):
            _arrays.any_array("X", rows)


def test_long_lists_of_other_numbers():
    for last in (fractions.Fraction(1, 4), decimal.Decimal("0.25"), np.float64(0.25)):
        assert _arrays.real("X", [1e308] * 300 + [last])[-1] == 0.25
    assert _arrays.number("X", [1, *[np.int8(100)] * 300]).dtype == np.int64


def test_wrappers_without_a_mask():
    rows = np.arange(6.0).reshape(2, 3)
    expected = softmax(rows)
    for value in (
        Lazy(rows), Labelled(rows), list(rows), [Lazy(row) for row in rows],
        tuple(map(tuple, rows.tolist())), collections.deque(rows), [pd.Series(r) for r in rows],
        rows.view(np.recarray), memoryview(rows),
    ):  # fmt: skip
        result = softmax(value)
        assert type(result) is np.ndarray
        np.testing.assert_array_equal(result, expected)
    np.testing.assert_array_equal(softmax(range(3)), softmax([0.0, 1.0, 2.0]))


class Refusing:
    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("call detach() first")


def test_says_why_there_is_no_array():
    with pytest.raises(TypeError, match=r"X must be an array, got Refusing: call detach\(\) first"):
        softmax(Refusing())
    with pytest.raises(TypeError, match=r"X\[0\] must be an array, got Refusing"):
        softmax([Refusing()])
    with pytest.raises(ValueError, match=r"X must be an array, got list: .* inhomogeneous"):
        softmax([[1.0], [1.0, 2.0]])


@pytest.mark.parametrize(
    "huge",
    [10**400, -(10**5000), fractions.Fraction(10**400)],
    ids=["an integer", "one too long to print", "a fraction"],
)
def test_names_the_number_that_is_too_large(huge):
    with pytest.raises(ValueError, match=r"^variance must be in the range of float64"):
        hl.ard_kernel([[1.0]], variance=huge)
    with pytest.raises(ValueError, match=r"^alpha must be in the range of float64"):
        hl.LeastSquares([[1.0]], alpha=huge)
