"""Whitening handwritten digits: what is left of an image when its pixels are no longer correlated.

    python examples/whitening.py [PICTURE] [--quick]

Neighbouring pixels are alike, and most of an image's variance is in a few broad strokes. ZCA
whitening takes that away and moves the images as little as it can: edges remain. Some pixels at the
border are never written on, so the covariance is singular, and eps says below which variance a
direction counts as noise.

Needs: pip install scikit-learn matplotlib (the data are scikit-learn's)
"""

import argparse

import matplotlib.figure
import numpy as np

import hotloops as hl

EPS = 0.5  # squared grey levels; a pixel's are 0 to 16


def digits():
    """Images of 8×8 grey levels, one a row."""
    from sklearn.datasets import load_digits

    return load_digits().data


def show(axes, image, title, **keywords):
    axes.imshow(image, **keywords)
    axes.set_title(title, fontsize=9)
    axes.set_axis_off()


def draw(X, Z, found, picture):
    figure = matplotlib.figure.Figure(figsize=(10, 6), layout="constrained")
    top, bottom = figure.subfigures(2, 1, height_ratios=(1, 1.5))
    images = top.subplots(2, 10)
    for k in range(10):
        show(images[0, k], X[k].reshape(8, 8), "before" if k == 0 else "", cmap="gray_r")
        show(images[1, k], Z[k].reshape(8, 8), "after" if k == 0 else "", cmap="RdBu_r",
             vmin=-4, vmax=4)  # fmt: skip
    before, after, spectrum = bottom.subplots(1, 3)
    for axes, rows, title in ((before, X, "covariance before"), (after, Z, "covariance after")):
        c = hl.linalg.covariance(rows)
        largest = np.abs(c).max()
        show(axes, c, title, cmap="RdBu_r", vmin=-largest, vmax=largest)
    variances = found.explained_variance_
    spectrum.semilogy(np.maximum(variances, 1e-3), label="before")
    spectrum.semilogy(np.maximum(variances / (variances + EPS), 1e-3), label="after")
    spectrum.axhline(EPS, color="0.7", linewidth=0.8, zorder=0)
    spectrum.set(xlabel="component", ylabel="variance", title="spectrum; grey: eps")
    spectrum.legend()
    figure.savefig(picture, dpi=120)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("picture", nargs="?", default="whitening.png")
    parser.add_argument("--quick", action="store_true", help="every sixth image alone")
    options = parser.parse_args()

    X = digits()[:: 6 if options.quick else 1]
    try:
        hl.linalg.whiten(X)
    except np.linalg.LinAlgError as error:
        print(f"without eps: {error}")
    found = hl.linalg.whiten(X, eps=EPS)
    Z = found.transform(X)
    for name, rows in (("before", X), ("after", Z)):
        c = hl.linalg.covariance(rows)
        scale = np.sqrt(np.maximum(c.diagonal(), 1e-300))
        correlation = np.abs(c / scale / scale[:, None])
        written = c.diagonal() > 0
        pairs = correlation[np.ix_(written, written)][~np.eye(written.sum(), dtype=bool)]
        print(f"{name:>6}: the pixels' correlations are {pairs.mean():.3f} on average")
    share = np.cumsum(found.explained_variance_ratio_)
    print(f"{np.searchsorted(share, 0.9) + 1} of 64 components have 90% of the variance")
    draw(X, Z, found, options.picture)


if __name__ == "__main__":
    main()
