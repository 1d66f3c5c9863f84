"""How many digits each solver gets right: NIST's Longley, and a calibration curve.

    python examples/lstsq.py [PICTURE] [--quick]

Longley's economic series of 1967 are nearly dependent, and NIST certifies the solution. The
calibration is a polynomial of the fifth degree for a thermometer's voltages, whose coefficients are
known because the readings are made from them. The bars are the correct digits of the worst
coefficient.

Needs: pip install matplotlib
"""

import argparse
import functools
import json
import pathlib

import matplotlib.figure
import numpy as np

import hotloops as hl

DATA = pathlib.Path(__file__).parents[1] / "tests/data/nist_strd.json"


def longley():
    """The certified problem: y, the employed, by six series and a constant."""
    problem = json.loads(DATA.read_text())["Longley"]
    a = np.array(problem["X"], float)
    if a.shape[1] < problem["p"]:
        a = np.column_stack([np.ones(len(a)), a])
    return a, np.array(problem["y"], float), np.array(problem["exact_beta_30d"], float)


def calibration(points):
    """Readings at whole numbers of microvolts, as numbers without rounding."""
    voltage = np.round(np.linspace(0, 40, points))
    exact = np.array([3.0, 25.0, -0.5, 0.03125, -0.0009765625, 2.0**-16])
    a = voltage[:, None] ** np.arange(len(exact))
    return a, a @ exact, exact


def inverse(a, b):
    return np.linalg.inv(a.T @ a) @ a.T @ b


def ours(a, b, **options):
    return hl.LeastSquares(a, **options).solve(b)


SOLVERS = {
    "inv(AᵀA) Aᵀb": inverse,
    "numpy.linalg.lstsq": lambda a, b: np.linalg.lstsq(a, b, rcond=None)[0],
    '"normal"': functools.partial(ours, method="normal"),
    '"qr"': functools.partial(ours, method="qr"),
    '"svd"': functools.partial(ours, method="svd"),
    '"normal", refined': functools.partial(ours, method="normal", refine=True),
    '"qr", refined': functools.partial(ours, method="qr", refine=True),
}


def correct_digits(x, exact):
    return -np.log10(np.clip(np.abs(x / exact - 1).max(), 1e-16, 1))


def draw(digits, picture):
    figure = matplotlib.figure.Figure(figsize=(9, 4), layout="constrained")
    axes = figure.subplots()
    place = np.arange(len(SOLVERS))
    for k, (name, values) in enumerate(digits.items()):
        bars = axes.barh(place + 0.4 * k - 0.2, values, height=0.38, label=name)
        axes.bar_label(bars, fmt="%.1f", padding=2)
    axes.set(yticks=place, yticklabels=SOLVERS, xlim=(0, 18),
             xlabel="correct digits of the worst coefficient")  # fmt: skip
    axes.invert_yaxis()
    axes.legend(loc="upper right")
    figure.savefig(picture, dpi=120)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("picture", nargs="?", default="lstsq.png")
    parser.add_argument("--quick", action="store_true", help="fewer readings")
    options = parser.parse_args()

    problems = {
        "Longley": longley(),
        "calibration": calibration(21 if options.quick else 401),
    }
    digits = {
        name: [correct_digits(solver(a, b), exact) for solver in SOLVERS.values()]
        for name, (a, b, exact) in problems.items()
    }
    for k, solver in enumerate(SOLVERS):
        print(f"{solver:>20}", *(f"{name} {values[k]:4.1f}" for name, values in digits.items()))
    fit = hl.LeastSquares(problems["Longley"][0], refine=True)
    print(f"Longley's condition number is {fit.cond:.1e}, its rank {fit.rank}")
    draw(digits, options.picture)


if __name__ == "__main__":
    main()
