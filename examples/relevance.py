"""Which of ten measurements tell how diabetes progresses: automatic relevance determination.

    python examples/relevance.py [PICTURE] [--quick]

A Gaussian process gets one length scale for each input, and the marginal likelihood chooses them: a
short one means that the prediction changes with that input, a long one that it does not. Unlike a
correlation it sees what an input adds to the others. Random numbers are there as a control.

Needs: pip install scikit-learn matplotlib (the data are scikit-learn's)
"""

import argparse

import matplotlib.figure
import numpy as np
from sklearn.datasets import load_diabetes

import hotloops as hl

INPUTS = ["age", "sex", "body mass index", "blood pressure", "total cholesterol", "LDL", "HDL",
          "cholesterol / HDL", "log triglycerides", "glucose", "random numbers"]  # fmt: skip


def patients():
    """The inputs and the progression a year later, each with mean 0 and variance 1."""
    X, y = load_diabetes(return_X_y=True)
    X = np.column_stack([X, np.random.default_rng(0).normal(size=len(X))])
    return (X - X.mean(axis=0)) / X.std(axis=0), (y - y.mean()) / y.std()


def fit(X, y, ard):
    return hl.gp.GaussianProcessRegressor(
        ard=ard, length_scale=3.0, length_scale_bounds=(0.1, 1e3), noise_variance=0.5
    ).fit(X, y)


def draw(relevance, correlation, picture):
    order = np.argsort(relevance)
    names = [INPUTS[k] for k in order]
    colors = ["C1" if name == INPUTS[-1] else "C0" for name in names]
    figure = matplotlib.figure.Figure(figsize=(9, 4.5), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    left.barh(names, relevance[order], color=colors)
    left.set_xlabel("relevance: 1 / length scale (inputs have variance 1)")
    right.barh(names, correlation[order], color=colors, alpha=0.5)
    right.set_xlabel("|correlation| with the progression")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(axis="y", length=0)
    figure.suptitle("What tells how diabetes progresses")
    figure.savefig(picture, dpi=120)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("picture", nargs="?", default="relevance.png")
    parser.add_argument("--quick", action="store_true", help="every sixth patient alone")
    options = parser.parse_args()

    X, y = patients()
    if options.quick:
        X, y = X[::6], y[::6]
    shared, own = fit(X, y, ard=False), fit(X, y, ard=True)
    print(
        f"log marginal likelihood {shared.log_marginal_likelihood_value_:.1f} with one length "
        f"scale, {own.log_marginal_likelihood_value_:.1f} with one for each input"
    )
    for k in np.argsort(own.length_scale_):
        print(f"{INPUTS[k]:>18}  {own.length_scale_[k]:8.3g}")
    draw(1 / own.length_scale_, np.abs(X.T @ y) / len(y), options.picture)


if __name__ == "__main__":
    main()
