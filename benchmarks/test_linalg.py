import importlib.util

import numpy as np
import pytest
from contenders import parametrize

from hotloops import linalg

# --- softmax ----------------------------------------------------------------------------------


def scipy_softmax(X, axis=-1):
    import scipy.special

    return lambda: scipy.special.softmax(X, axis=axis)


def torch_softmax(X, axis=-1):
    import torch

    x = torch.from_numpy(X)
    return lambda: torch.softmax(x, axis).numpy()


def jax_softmax(X, axis=-1):
    import jax

    jax.config.update("jax_enable_x64", True)
    softmax = jax.jit(lambda x: jax.nn.softmax(x, axis=axis))
    return lambda: np.asarray(softmax(X))


@parametrize(
    "linalg",
    {
        "scipy": ("scipy", scipy_softmax),
        "torch": ("torch", torch_softmax),
        "jax": ("jax", jax_softmax),
    },
    linalg.softmax,
)
def test_softmax(contend, case, name, make):
    contend(case, name, make)


# --- normalize_rows ---------------------------------------------------------------------------


def sklearn_normalize(X):
    from sklearn.preprocessing import normalize

    return lambda: normalize(X)


def torch_normalize(X):
    import torch

    x = torch.from_numpy(X)
    return lambda: torch.nn.functional.normalize(x).numpy()


def jax_normalize(X):
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    normalize = jax.jit(lambda x: x / jnp.linalg.norm(x, axis=1, keepdims=True))
    return lambda: np.asarray(normalize(X))


@parametrize(
    "linalg",
    {
        "scikit-learn": ("sklearn", sklearn_normalize),
        "torch": ("torch", torch_normalize),
        "jax": ("jax", jax_normalize),
    },
    linalg.normalize_rows,
)
def test_normalize_rows(contend, case, name, make):
    contend(case, name, make)


# --- covariance -------------------------------------------------------------------------------


def torch_covariance(X):
    import torch

    x = torch.from_numpy(X)

    def run():
        centred = x - x.mean(dim=-2, keepdim=True)
        return (centred.mT @ centred).div_(x.shape[-2] - 1).numpy()

    return run


def jax_covariance(X):
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)

    @jax.jit
    def covariance(x):
        centred = x - x.mean(axis=-2, keepdims=True)
        return centred.swapaxes(-1, -2) @ centred / (x.shape[-2] - 1)

    device = jnp.asarray(X)
    return lambda: np.asarray(covariance(device))


@parametrize(
    "linalg",
    {"torch": ("torch", torch_covariance), "jax": ("jax", jax_covariance)},
    linalg.covariance,
)
def test_covariance(contend, case, name, make):
    contend(case, name, make)


# --- multilayer perceptrons -------------------------------------------------------------------


def torch_mlp(X, weights, biases):
    import torch

    x = torch.from_numpy(X)
    layers = [
        (torch.from_numpy(w), torch.from_numpy(b)) for w, b in zip(weights, biases, strict=True)
    ]

    def run():
        with torch.inference_mode():
            a = x
            for w, b in layers[:-1]:
                a = torch.addmm(b, a, w).relu_()
            w, b = layers[-1]
            return torch.softmax(torch.addmm(b, a, w), 1).numpy()

    return run


def jax_mlp(X, weights, biases):
    import jax
    import jax.numpy as jnp

    @jax.jit
    def forward(a, layers):
        for w, b in layers[:-1]:
            a = jax.nn.relu(a @ w + b)
        w, b = layers[-1]
        return jax.nn.softmax(a @ w + b)

    layers = [(jnp.asarray(w), jnp.asarray(b)) for w, b in zip(weights, biases, strict=True)]
    return lambda: np.asarray(forward(X, layers))


def sklearn_mlp(X, weights, biases):
    from sklearn.neural_network import MLPClassifier

    # what predict_proba runs, with weights that no fit has to find
    model = MLPClassifier()
    model.coefs_, model.intercepts_ = weights, biases
    model.n_layers_, model.out_activation_ = len(weights) + 1, "softmax"
    return lambda: model._forward_pass_fast(X, check_input=False)


@parametrize(
    "linalg",
    {
        "torch": ("torch", torch_mlp),
        "jax": ("jax", jax_mlp),
        "scikit-learn": ("sklearn", sklearn_mlp),
    },
    linalg.mlp_forward,
)
def test_mlp_forward(contend, case, name, make):
    contend(case, name, make)


# --- beyond the shared cases ------------------------------------------------------------------


def _installed(found):
    return {
        name: function
        for name, (package, function) in found.items()
        if importlib.util.find_spec(package)
    }


def _distances():
    X = np.random.default_rng(7).normal(size=(3000, 10))
    Y = X[::-1] + 0.1

    def sklearn():
        from sklearn.metrics import euclidean_distances

        return euclidean_distances(X, Y)

    def scipy():
        from scipy.spatial.distance import cdist

        return cdist(X, Y)

    def torch():
        import torch

        return torch.cdist(torch.from_numpy(X), torch.from_numpy(Y)).numpy()

    return {"cython": lambda: linalg.distances(X, Y)} | _installed({
        "scikit-learn": ("sklearn", sklearn), "scipy": ("scipy", scipy), "torch": ("torch", torch)
    })  # fmt: skip


def _components():
    rng = np.random.default_rng(7)
    X = rng.normal(size=(20_000, 50)) @ rng.normal(size=(50, 50))

    def sklearn():
        from sklearn.decomposition import PCA

        return PCA(10, svd_solver="full").fit(X).components_

    return {"cython": lambda: linalg.pca(X, 10).components_} | _installed({
        "scikit-learn": ("sklearn", sklearn)
    })  # fmt: skip


def _ridge():
    rng = np.random.default_rng(7)
    X, y = rng.normal(size=(5000, 100)), rng.normal(size=5000)

    def sklearn():
        from sklearn.linear_model import Ridge

        return Ridge(1.0, solver="svd").fit(X, y).coef_

    return {"cython": lambda: linalg.ridge_regression(X, y, 1.0)[0]} | _installed({
        "scikit-learn": ("sklearn", sklearn)
    })  # fmt: skip


SCENES = {"distances": _distances, "principal components": _components, "ridge": _ridge}


@pytest.mark.parametrize("scene", SCENES)
def test_contenders(take_turns, scene):
    take_turns("linalg", scene, SCENES[scene]())
