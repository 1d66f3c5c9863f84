"""Names of columns, against scikit-learn's own check and estimators."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA
from sklearn.gaussian_process import GaussianProcessRegressor as Sklearn
from sklearn.linear_model import LinearRegression
from sklearn.utils.estimator_checks import check_dataframe_column_names_consistency

import hotloops as hl
from hotloops.gp import GaussianProcessRegressor
from hotloops.sklearn import ARD

RNG = np.random.default_rng(0)
X = RNG.normal(size=(20, 3)) * [1, 2, 3]
Y = X @ [1.0, -2.0, 0.5] + 1
NAMES = ["length", "width", "age"]


def gp():
    return GaussianProcessRegressor(optimizer=None)


def theirs(kernel=None):
    return Sklearn(kernel, alpha=1e-2, optimizer=None)


def close(a, b):
    np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)


# what fits, what uses the fit, and scikit-learn's estimator and method of the same kind
FITTED = {
    "predict": (lambda X: gp().fit(X, Y), lambda f, X: f.predict(X), theirs, "predict"),
    "sample_y": (lambda X: gp().fit(X, Y), lambda f, X: f.sample_y(X), theirs, "sample_y"),
    "predict_gradient": (lambda X: gp().fit(X, Y), lambda f, X: f.predict_gradient(X)[0], theirs,
                         "predict"),
    "score": (lambda X: gp().fit(X, Y), lambda f, X: f.score(X, np.zeros(len(X))), theirs,
              "predict"),
    "kernel": (lambda X: theirs(ARD()).fit(X, Y), lambda f, X: f.predict(X), theirs, "predict"),
    "pca": (lambda X: hl.linalg.pca(X, 2), lambda f, X: f.transform(X), PCA, "transform"),
    "whiten": (lambda X: hl.linalg.whiten(X), lambda f, X: f.transform(X), PCA, "transform"),
    "linear_regression": (lambda X: hl.linalg.linear_regression(X, Y), lambda f, X: f.predict(X),
                          LinearRegression, "predict"),
    "ridge_regression": (lambda X: hl.linalg.ridge_regression(X, Y, 1.0),
                         lambda f, X: f.predict(X), LinearRegression, "predict"),
}  # fmt: skip
every = pytest.mark.parametrize("kind", FITTED)


def frame(names=NAMES, values=X):
    return pd.DataFrame(values[:, : len(names)], columns=list(names))


def outcome(function):
    """What a call gives or raises, and the messages of its warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = function()
        except (ValueError, TypeError) as error:
            result = type(error)
    return result, [str(w.message).partition(", but ")[0] for w in caught]


def test_scikit_learns_check():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check_dataframe_column_names_consistency("GaussianProcessRegressor", gp())


@every
@pytest.mark.parametrize(
    "names",
    [NAMES, NAMES[::-1], ["length", "width", "weight"], NAMES[:2], range(3), None],
    ids=["same", "order", "other", "missing", "numbers", "array"],
)
@pytest.mark.parametrize("fitted_to", ["frame", "array", "numbered"])
def test_names_are_compared_as_scikit_learn_does(kind, names, fitted_to):
    fit, use, estimator, method = FITTED[kind]
    data = {"frame": frame(), "array": X, "numbered": frame(range(3))}[fitted_to]
    fitted, other = fit(data), estimator().fit(data, Y)
    assert hasattr(fitted, "feature_names_in_") == (fitted_to == "frame")
    new = X if names is None else frame(names)
    result, warned = outcome(lambda: use(fitted, new))
    expected, warned_there = outcome(lambda: getattr(other, method)(new))
    assert warned == warned_there
    assert (result is ValueError) == (expected is ValueError)
    if result is not ValueError:
        close(result, use(fit(X), X))


@every
def test_the_names_are_an_attribute(kind):
    fitted = pickle.loads(pickle.dumps(FITTED[kind][0](frame())))
    assert fitted.feature_names_in_.dtype == object
    assert fitted.feature_names_in_.tolist() == NAMES


@every
def test_the_remedy_for_another_order_works(kind):
    fit, use, *_ = FITTED[kind]
    fitted, turned = fit(frame()), frame(NAMES, X)[NAMES[::-1]]
    with pytest.raises(ValueError, match="must be in the same order"):
        use(fitted, turned)
    close(use(fitted, turned[fitted.feature_names_in_]), use(fitted, frame()))


def test_a_new_fit_forgets_the_names():
    fitted = gp().fit(frame(), Y)
    assert not hasattr(fitted.fit(X, Y), "feature_names_in_")


def test_names_of_several_kinds_are_refused():
    mixed = frame(["length", 1, "age"])
    for fit in (lambda X: gp().fit(X, Y), hl.linalg.pca):
        with pytest.raises(TypeError, match=r"all strings, or none of them, got \['int', 'str'\]"):
            fit(mixed)
        mixed.columns = mixed.columns.astype(str)
        fit(mixed)
        mixed.columns = ["length", 1, "age"]


def test_names_that_are_many_are_shown_in_part():
    many = pd.DataFrame(np.eye(9), columns=list("abcdefghi"))
    with pytest.raises(ValueError, match=r"time:\n- B\n- C\n- D\n- E\n- F\n- [.]{3}\n"):
        hl.linalg.pca(many).transform(many.rename(columns=str.upper).rename(columns={"A": "a"}))


def test_a_linear_model_is_a_pair_that_predicts():
    for targets in (Y, np.stack([Y, -2 * Y], axis=1)):
        model = hl.linalg.linear_regression(X, targets)
        coef, intercept = model
        assert coef is model.coef
        assert intercept is model.intercept
        close(model.predict(X[:5] + 1), LinearRegression().fit(X, targets).predict(X[:5] + 1))
    with pytest.raises(ValueError, match=r"X must have 3 column\(s\), got shape \(20, 2\)"):
        model.predict(X[:, :2])
