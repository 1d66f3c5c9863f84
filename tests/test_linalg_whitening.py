import tracemalloc

import numpy as np
import pytest
import sklearn.decomposition
from linalg_oracles import dtypes, numbers

from hotloops import linalg


@dtypes
@pytest.mark.parametrize("shape", [(200, 6), (6, 20), (7, 7)])
def test_pca_is_scikit_learns(dtype, shape):
    from sklearn.decomposition import PCA

    x = numbers(12, shape, dtype) * np.arange(1, shape[1] + 1, dtype=dtype) + dtype(3)
    k = min(shape) - 1
    theirs = PCA(k, svd_solver="full").fit(x.astype(np.float64))
    ours = linalg.pca(x, k)
    tolerance = 500 * np.finfo(dtype).eps
    for name in ("components_", "explained_variance_", "explained_variance_ratio_", "mean_"):
        result, expected = getattr(ours, name), getattr(theirs, name)
        assert result.dtype == dtype
        assert result.shape == expected.shape
        np.testing.assert_allclose(result, expected, rtol=tolerance, atol=tolerance)
    z = ours.transform(x)
    np.testing.assert_allclose(z, theirs.transform(x.astype(np.float64)), atol=30 * tolerance)
    expected = theirs.inverse_transform(z.astype(np.float64))
    np.testing.assert_allclose(ours.inverse_transform(z), expected, atol=30 * tolerance)


@dtypes
@pytest.mark.parametrize("shape", [(50, 6), (6, 50)])
def test_pca_of_a_share_of_the_variance(dtype, shape):
    x = numbers(8, shape, dtype) * np.geomspace(1, 20, shape[1]).astype(dtype)
    for share in (1e-9, 0.3, 0.5, 0.8, 0.95, 0.999, np.float32(0.9)):
        theirs = sklearn.decomposition.PCA(float(share), svd_solver="full").fit(x.astype(float))
        found = linalg.pca(x, share)
        assert found.components_.shape == theirs.components_.shape
        assert found.explained_variance_ratio_.sum() > share
        same = linalg.pca(x, len(found.components_))
        np.testing.assert_array_equal(found.components_, same.components_)
        for method in ("pca", "zca"):
            z = linalg.whiten(x, method=method, n_components=share, eps=0.1)
            assert z.components_.shape == theirs.components_.shape
    assert len(linalg.pca(x).components_) == min(shape)
    assert len(linalg.pca(np.ones((5, 3), dtype), 0.5).components_) == 1


def test_pca_keeps_small_components():
    # a variance of 1e-24 of the largest, which the eigenvalues of the covariance do not see
    q, _ = np.linalg.qr(numbers(13, (3, 3)))
    z = numbers(14, (500, 3)) * [1, 1e-6, 1e-12]
    found = linalg.pca(z @ q.T, 3)
    expected = linalg.pca(z, 3).explained_variance_
    np.testing.assert_allclose(found.explained_variance_, expected, rtol=1e-3)


def test_components_take_one_copy_of_the_data():
    x = numbers(14, (20_000, 8))
    tracemalloc.start()
    linalg.whiten(x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.2 * x.nbytes


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_components_of_any_size(scale):
    x = numbers(14, (60, 3)) @ numbers(13, (3, 3))
    expected, found = linalg.pca(x, 3), linalg.pca(scale * x, 3)
    for name in ("components_", "explained_variance_ratio_"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=1e-12)
    for method in ("zca", "pca"):
        found = linalg.whiten(scale * x, method=method)
        z = found.transform(scale * x)
        np.testing.assert_allclose(z, linalg.whiten(x, method=method).transform(x), rtol=1e-10)
        np.testing.assert_allclose(found.inverse_transform(z), scale * x, rtol=1e-12)


@pytest.mark.parametrize("method", ["zca", "pca"])
@pytest.mark.parametrize("offset", [0, 1e6])
def test_whitened_covariance_is_the_identity(method, offset):
    x = numbers(15, (300, 5)) @ numbers(16, (5, 5)) + offset
    found = linalg.whiten(x, method=method)
    z = found.transform(x)
    tolerance = 1e-12 if offset == 0 else 1e-7
    np.testing.assert_allclose(linalg.covariance(z), np.eye(5), atol=tolerance)
    np.testing.assert_allclose(found.inverse_transform(z), x, rtol=1e-12, atol=1e-12)
    if method == "zca":  # the whitening that is symmetric
        w = found.transform(np.eye(5) + found.mean_)
        np.testing.assert_allclose(w, w.T, atol=100 * tolerance)


@pytest.mark.parametrize("method", ["zca", "pca"])
def test_whitening_a_singular_covariance(method):
    x = numbers(17, (50, 3))
    x = np.column_stack([x, x.sum(axis=1)])
    with pytest.raises(np.linalg.LinAlgError, match=r"3 of 4 .* n_components=3 .* eps > 0"):
        linalg.whiten(x, method=method)
    with pytest.raises(np.linalg.LinAlgError, match=r"4 of 9 .* n_components=4 "):
        linalg.whiten(numbers(1, (5, 9)), method=method)
    with pytest.raises(np.linalg.LinAlgError, match="eps > 0"):
        linalg.whiten(np.ones((5, 2)), method=method)
    part = linalg.whiten(x, method=method, n_components=3)
    assert part.components_.shape == (3, 4)
    spectrum = np.linalg.eigvalsh(linalg.covariance(part.transform(x)))
    np.testing.assert_allclose(spectrum[-3:], 1, rtol=1e-12)
    np.testing.assert_allclose(part.inverse_transform(part.transform(x)), x, atol=1e-12)
    soft = linalg.whiten(x, method=method, eps=0.1)
    values = np.linalg.eigvalsh(linalg.covariance(x))
    spectrum = np.linalg.eigvalsh(linalg.covariance(soft.transform(x)))
    np.testing.assert_allclose(spectrum, values / (values + 0.1), atol=1e-12)
    wide = linalg.whiten(numbers(1, (5, 9)), method=method, eps=0.1)
    assert wide.components_.shape == (9, 9)
    assert wide.explained_variance_.shape == (9,)
    np.testing.assert_allclose(wide.components_ @ wide.components_.T, np.eye(9), atol=1e-14)


def test_components_of_constant_data():
    found = linalg.pca(np.ones((4, 2)), 1)
    np.testing.assert_array_equal(found.explained_variance_ratio_, [0])
    np.testing.assert_array_equal(found.transform(np.ones((4, 2))), np.zeros((4, 1)))
