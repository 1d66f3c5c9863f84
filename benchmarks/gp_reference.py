"""R² of scikit-learn's Gaussian process at the best likelihood of many random restarts.

    python benchmarks/gp_reference.py [--restarts 20] [--splits 10]

For each data set, and each split of it into a half to learn from and a half to judge by: the kernel
ConstantKernel · RBF(one length scale for each input) + WhiteKernel, on standardised inputs and
targets. `tests/test_gp_fit.py` holds the default fit against the first two splits that this prints;
it takes half an hour.

Needs: pip install scikit-learn
"""

import argparse
import warnings

import numpy as np
from sklearn import datasets
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split


def data_sets():
    """X and y by name: 442 patients, and 200 points of each of Friedman's functions with noise."""
    return {
        "diabetes": datasets.load_diabetes(return_X_y=True),
        "friedman1": datasets.make_friedman1(200, noise=1.0, random_state=0),
        "friedman2": datasets.make_friedman2(200, noise=50.0, random_state=0),
        "friedman3": datasets.make_friedman3(200, noise=0.05, random_state=0),
    }


def split(X, y, seed):
    """Training points, test points, and their targets."""
    return train_test_split(X, y, test_size=0.5, random_state=seed)


def reference(X, y, restarts, seed):
    kernel = ConstantKernel() * RBF(np.ones(X.shape[1])) + WhiteKernel(0.1, (1e-10, 1e5))
    gp = GaussianProcessRegressor(
        kernel, alpha=0, normalize_y=True, n_restarts_optimizer=restarts, random_state=seed
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of bounds, and of restarts that end nowhere
        return gp.fit(X, y)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--restarts", type=int, default=20)
    parser.add_argument("--splits", type=int, default=10)
    options = parser.parse_args()
    for name, (X, y) in data_sets().items():
        X = (X - X.mean(axis=0)) / X.std(axis=0)
        scores = []
        for seed in range(options.splits):
            X_train, X_test, y_train, y_test = split(X, y, seed)
            gp = reference(X_train, y_train, options.restarts, seed)
            scores.append(r2_score(y_test, gp.predict(X_test)))
            print(f"  {name} {seed}: {scores[-1]:.4f}, log marginal likelihood "
                  f"{gp.log_marginal_likelihood_value_:.3f}", flush=True)  # fmt: skip
        print(f"{name}: {np.mean(scores):.4f}", flush=True)


if __name__ == "__main__":
    main()
