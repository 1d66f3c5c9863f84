"""The CO₂ of Mauna Loa, 1958 to 2001, extrapolated by twenty years.

    python examples/co2.py [PICTURE] [--quick]

The composite kernel of Rasmussen & Williams (2006), section 5.4.3, as scikit-learn's user guide has
it: a long trend, a yearly cycle that may change its shape, irregularities of some years, and noise.
A cycle is a circle: time stands beside its cosine and sine, and each part of the kernel looks at
its own columns, because an infinite length scale drops a column.

Needs: pip install 'hotloops[sklearn]' statsmodels matplotlib
"""

import argparse

import matplotlib.figure
import numpy as np
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import WhiteKernel
from statsmodels.datasets import co2

import hotloops as hl
from hotloops.sklearn import ARD

LAST, HORIZON = 2002, 2022  # where the record and the extrapolation end


def monthly_means():
    """Time in years and CO₂ in parts per million."""
    ppm = co2.load_pandas().data["co2"].resample("MS").mean().dropna()
    return ppm.index.year + (ppm.index.month - 0.5) / 12, ppm.to_numpy()


def columns(year):
    """Time, and where on the circle of the year it is."""
    return np.column_stack([year, hl.periodic_features(year, period=1.0)])


def composite_kernel():
    """Each length scale stands for a column: years, then cosine and sine."""
    inf = np.inf
    trend = 50.0**2 * ARD("se", [50.0, inf, inf])
    # two kernels' product in one: periodic on the circle, and drifting over a hundred years; were
    # the circle's two length scales one, it would be MacKay's (ExpSineSquared)
    cycle = 2.0**2 * ARD("se", [100.0, 1.0, 1.0])
    irregular = 0.5**2 * ARD("rq", [1.0, inf, inf])
    noise = 0.1**2 * ARD("se", [0.1, inf, inf]) + WhiteKernel(0.1**2)
    return trend + cycle + irregular + noise


def draw(year, ppm, future, mean, std, picture):
    figure = matplotlib.figure.Figure(figsize=(10, 6), layout="constrained")
    whole = figure.add_subplot()
    detail = whole.inset_axes([0.06, 0.55, 0.42, 0.4])
    for axes, size in ((whole, 3), (detail, 9)):
        axes.fill_between(future, mean - 2 * std, mean + 2 * std, color="C1", alpha=0.3, lw=0,
                          label="± 2 standard deviations")  # fmt: skip
        axes.plot(future, mean, color="C1", lw=1, label="Gaussian process")
        axes.scatter(year, ppm, size, color="black", zorder=3, label="monthly means")
    whole.axvline(LAST, color="gray", lw=0.8, ls=":", label="end of the record")
    whole.set(xlim=(year[0] - 1, HORIZON + 1), xlabel="year", ylabel="CO₂ at Mauna Loa, ppm")
    whole.legend(loc="lower right", frameon=False)
    near = slice(*np.searchsorted(future, [LAST - 4, LAST + 4]))
    detail.set(xlim=(LAST - 4, LAST + 4), ylim=(mean[near].min() - 2, mean[near].max() + 2))
    for connector in whole.indicate_inset_zoom(detail).connectors:
        connector.set_visible(False)
    figure.savefig(picture, dpi=120)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("picture", nargs="?", default="co2.png")
    parser.add_argument("--quick", action="store_true", help="every fifth month alone")
    options = parser.parse_args()

    year, ppm = monthly_means()
    step = 5 if options.quick else 1
    year, ppm = year[::step], ppm[::step]
    gp = GaussianProcessRegressor(composite_kernel())
    gp.fit(columns(year), ppm - ppm.mean())
    print(gp.kernel_)
    print(f"log marginal likelihood {gp.log_marginal_likelihood_value_:.2f}")

    future = np.arange(year[0], HORIZON, 1 / 24)
    mean, std = gp.predict(columns(future), return_std=True)
    draw(year, ppm, future, mean + ppm.mean(), std, options.picture)
    print(f"{HORIZON}: {mean[-1] + ppm.mean():.1f} ± {2 * std[-1]:.1f} ppm; see {options.picture}")


if __name__ == "__main__":
    main()
