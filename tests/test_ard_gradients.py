"""Gradients of what depends on a covariance matrix."""

import numpy as np
import pytest
from ard_oracles import DATA, DTYPES, PROFILES, points

import hotloops as hl
from hotloops.ard.gradients import vjp_of_folded

METRICS = {
    "identity": {},
    "scalar": {"length_scale": 1.4},
    "length_scale": {"length_scale": np.array([0.7, 1.3, 2.0])},
    "factors": {"factors": np.array([[0.5, -0.2], [0.1, 0.9], [-0.3, 0.4]])},
    "both": {
        "length_scale": np.array([0.7, 1.3, 2.0]),
        "factors": np.array([[0.5, -0.2], [0.1, 0.9], [-0.3, 0.4]]),
    },
    "metric": {"metric": np.array([[1.4, 0.4, 0.1], [0.4, 2.4, 0.2], [0.1, 0.2, 3.0]])},
}


def finite_differences(function, value, step=1e-5):
    """Of the fourth order."""
    value = np.asarray(value, float)
    gradient = np.zeros(value.shape)
    for index in np.ndindex(value.shape):
        for k, weight in ((1, 8), (2, -1)):
            for sign in (1, -1):
                moved = value.copy()
                moved[index] += sign * k * step
                gradient[index] += sign * weight * function(moved if moved.ndim else float(moved))
    return gradient / (12 * step)


@pytest.mark.parametrize("kind", PROFILES)
@pytest.mark.parametrize("one", [True, False], ids=["X", "X,Y"])
@pytest.mark.parametrize("metric", METRICS)
def test_gradients_by_finite_differences(backend, kind, one, metric):
    X, Y = points(1, 9, 3), None if one else points(2, 35, 3)
    cotangent = points(3, 9, 9 if one else 35)
    keywords = {"kind": kind, "variance": 1.7, **METRICS[metric]}
    names = ["variance", "X", *METRICS[metric]]
    if kind == "rq":
        keywords["rq_alpha"] = 0.8
        names.append("rq_alpha")
    if one:
        keywords["noise_variance"] = 0.3
        names.append("noise_variance")
    else:
        names.append("Y")
    inputs = {"X": X, "Y": Y, **keywords}
    gradients = hl.ard_kernel_vjp(cotangent, **inputs, wrt=names, backend=backend)
    assert list(gradients) == names
    for name in names:

        def total(value, name=name):
            given = {**inputs, name: value}
            if name == "metric":  # the form itself: it takes an unsymmetric matrix
                difference = X[:, None] - (X if one else Y)
                q = np.einsum("ijk,kl,ijl->ij", difference, given.pop("metric"), difference)
                given.update(X=np.sqrt(q).reshape(-1, 1), Y=[[0.0]], noise_variance=0.0)
            return (cotangent * hl.ard_kernel(**given, backend="numpy").reshape(
                cotangent.shape)).sum()  # fmt: skip

        expected = finite_differences(total, inputs[name])
        assert np.shape(gradients[name]) == expected.shape
        np.testing.assert_allclose(gradients[name], expected, rtol=1e-7, atol=1e-8, err_msg=name)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", PROFILES)
@pytest.mark.parametrize(("n", "m"), [(1, 1), (33, 65), (70, 1100)])
def test_gradients_agree_with_the_reference(backend, dtype, kind, n, m):
    X, Y = points(1, n, 5, dtype), points(2, m, 5, dtype)
    cotangent = points(3, n, m, dtype)
    keywords = {"kind": kind, "length_scale": np.linspace(0.5, 2, 5), "factors": points(4, 5, 2)}
    wrt = ["length_scale", "factors", "variance", "X", "Y"] + ["rq_alpha"] * (kind == "rq")
    given = (cotangent, X, Y)
    exact = [array.astype(np.float64) for array in given]
    expected = hl.ard_kernel_vjp(*exact, **keywords, wrt=wrt, backend="numpy")
    result = hl.ard_kernel_vjp(*given, **keywords, wrt=wrt, backend=backend)
    again = hl.ard_kernel_vjp(*given, **keywords, wrt=wrt, backend=backend, workers=1)
    tolerance = 100 * np.finfo(dtype).eps
    for name in wrt:
        size = np.abs(expected[name]).max()
        np.testing.assert_allclose(result[name], expected[name], atol=tolerance * max(size, 1),
                                   rtol=0, err_msg=name)  # fmt: skip
        if name in ("X", "Y"):
            assert result[name].dtype == dtype
        assert np.array_equal(result[name], again[name])


@pytest.mark.parametrize("kind", PROFILES)
def test_gradients_where_points_coincide(backend, kind):
    X = np.zeros((4, 2))
    gradients = hl.ard_kernel_vjp(np.ones((4, 4)), X, kind=kind, length_scale=[1.0, 2.0],
                                  wrt=["X", "length_scale"], backend=backend)  # fmt: skip
    assert (gradients["X"] == 0).all()
    assert (gradients["length_scale"] == 0).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("d", [3, 20])
@pytest.mark.parametrize("data", ["offset", "clusters", "outlier"])
@pytest.mark.parametrize("one_set", [True, False])
def test_gradients_keep_their_digits(backend, dtype, d, data, one_set):
    rng = np.random.default_rng(d)
    X = rng.normal(size=(150, d))
    if data == "offset":
        X += 1e4
    elif data == "clusters":
        X[::2] += 1e4
    else:
        X[3] = 1e9
    X = X.astype(dtype)
    Y = X if one_set else X[:140] + np.asarray(rng.normal(size=(140, d)) / 4, dtype)
    cotangent = rng.normal(size=(150, len(Y))).astype(dtype)
    scale = (2 + np.arange(d)).astype(dtype)
    wrt = ["length_scale", "X"]
    result = hl.ard_kernel_vjp(cotangent, X, None if one_set else Y, length_scale=scale, wrt=wrt,
                               backend=backend)  # fmt: skip
    x, y, s = (array.astype(np.longdouble) for array in (X, Y, scale))
    difference = (x[:, None] - y) / s
    pull = cotangent * np.exp(-0.5 * (difference**2).sum(-1))
    by_scale = pull[..., None] * difference**2 / s
    by_point = -pull[..., None] * difference / s
    terms = np.concatenate([by_point, -by_point.swapaxes(0, 1)], axis=1) if one_set else by_point
    error = 40 * np.finfo(dtype).eps  # of each term: that of the exponential is 8 D eps q
    for gradient, parts in (
        (result["length_scale"], by_scale.reshape(-1, d)),
        (result["X"], terms.swapaxes(0, 1)),
    ):
        assert (np.abs(gradient - parts.sum(0)) <= error * np.abs(parts).sum(0)).all()


WIDE_SLOPES = {  # by q, of a cusp at 0 none
    "se": lambda q: -np.exp(-q / 2) / 2,
    "matern12": lambda q: np.where(q > 0, -np.exp(-np.sqrt(q)) / (2 * np.sqrt(q + (q == 0))), 0),
    "matern32": lambda q: -1.5 * np.exp(-np.sqrt(3 * q)),
    "matern52": lambda q: -5 * (1 + np.sqrt(5 * q)) * np.exp(-np.sqrt(5 * q)) / 6,
    "rq": lambda q: -1 / (2 * (1 + q / 2) ** 2),
}


def _one_feature_matters(rng, n, d):
    X = 0.01 * rng.normal(size=(n, d))
    X[:, 0] += np.sqrt(d) * rng.integers(4, size=n)
    return X


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("d", [33, 130])
@pytest.mark.parametrize("data", [*DATA, "one feature matters"])
@pytest.mark.parametrize("one_set", [True, False])
def test_the_error_that_gradients_from_products_may_have(backend, dtype, d, data, one_set):
    make, rng = DATA.get(data, _one_feature_matters), np.random.default_rng(d)
    X, Y = make(rng, 48, d).astype(dtype), make(rng, 42, d).astype(dtype)
    X[:9], Y[5] = X[9:18], X[4]
    other, eps = X if one_set else Y, np.finfo(dtype).eps
    cotangent = rng.normal(size=(48, len(other))).astype(dtype)
    both = np.add if one_set else lambda straight, _: straight
    for size in (1, 0.25, 1 / 16):
        lengths = (size * np.sqrt(d) * rng.uniform(0.8, 1.2, d)).astype(dtype)
        scale = 1 / lengths.astype(np.longdouble)
        difference = (X.astype(np.longdouble)[:, None] - other) * scale
        q, difference = (difference**2).sum(axis=2), difference.astype(float)
        squares, distances = difference**2, np.abs(difference)
        for kind, slope in WIDE_SLOPES.items():
            result = hl.ard_kernel_vjp(
                cotangent, X, None if one_set else Y, kind=kind, variance=3.0, length_scale=lengths,
                wrt=["length_scale", "X"], backend=backend,
            )  # fmt: skip
            pull = (6 * cotangent * slope(q)).astype(float)
            each = both(pull, pull.T)[:, None]
            expected = {
                "length_scale": -np.tensordot(pull, squares, 2),
                "X": (each @ difference)[:, 0],
            }
            terms = {
                "length_scale": np.tensordot(np.abs(pull), squares, 2),
                "X": (both(np.abs(pull), np.abs(pull.T))[:, None] @ distances)[:, 0],
            }
            weights = {
                "length_scale": np.abs(cotangent).sum(),
                "X": both(np.abs(cotangent), np.abs(cotangent.T)).sum(axis=1, keepdims=True),
            }
            for name, gradient in result.items():
                bound = eps * scale * (4 * terms[name] + 16 * 3 * weights[name])
                error = np.abs(gradient - expected[name] * scale)
                assert (error <= bound).all(), (name, kind, size, (error / bound).max())


def test_gradients_of_the_shortest_length_scales(backend):
    X = points(1, 4, 2)
    gradients = hl.ard_kernel_vjp(np.ones((4, 4)), X, length_scale=[1e-160, 1.0],
                                  wrt=["X", "length_scale"], backend=backend)  # fmt: skip
    assert (gradients["X"] == 0).all()
    assert (gradients["length_scale"] == 0).all()


def test_gradients_of_what_was_given():
    X = points(1, 4, 3)
    one = np.ones((4, 4))
    assert set(hl.ard_kernel_vjp(one, X)) == {"variance", "noise_variance"}
    assert set(hl.ard_kernel_vjp(one, X, X, kind="rq", length_scale=1)) == {
        "length_scale", "variance", "rq_alpha",
    }  # fmt: skip
    assert isinstance(hl.ard_kernel_vjp(one, X, length_scale=1)["length_scale"], float)
    assert hl.ard_kernel_vjp(one, X, wrt=()) == {}
    for wrt, error, message in [
        ("X", TypeError, "wrt must be a sequence of names, got 'X'"),
        (["gamma"], ValueError, "wrt must be one of 'length_scale', .* got 'gamma'"),
        (["Y"], ValueError, "wrt must name what the kernel depends on, got 'Y'"),
        (["rq_alpha"], ValueError, "wrt must name what the kernel depends on, got 'rq_alpha'"),
        (["metric"], ValueError, "wrt must name what the kernel depends on, got 'metric'"),
    ]:
        with pytest.raises(error, match=message):
            hl.ard_kernel_vjp(one, X, wrt=wrt)
    with pytest.raises(ValueError, match=r"cotangent must have the shape of the kernel, \(4, 4\)"):
        hl.ard_kernel_vjp(np.ones((4, 3)), X)


@pytest.mark.parametrize(("features", "metric"), [
    (3, {"length_scale": np.full(3, 0.7)}),
    (40, {"length_scale": np.full(40, 3.0)}),
    (3, {"factors": np.arange(6.0).reshape(3, 2) / 6, "length_scale": 1.0}),
])  # fmt: skip
def test_a_folded_cotangent_is_the_symmetric_one(features, metric):
    rng = np.random.default_rng(3)
    X, c = rng.normal(size=(700, features)), rng.normal(size=(700, 700))
    c += c.T
    names = [*metric, "variance", "noise_variance", "rq_alpha"]
    folded = 2 * np.triu(c)
    for j in range(0, 700, 64):
        folded[j : j + 64, j : j + 64] = c[j : j + 64, j : j + 64]
    folded[np.tril_indices(700, -64)] = np.nan  # of which nothing is read
    parameters = {**metric, "kind": "rq", "rq_alpha": 0.8, "variance": 2.0}
    expected = hl.ard_kernel_vjp(c, X, **parameters, wrt=names)
    found = vjp_of_folded(folded, 64, X, **parameters, wrt=names)
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        size = np.abs(gradient).max()
        np.testing.assert_allclose(found[name], gradient, rtol=0, atol=1e-11 * size)
