"""How far into its tail a binomial distribution can be estimated: a million draws, and 10¹⁸.

    python examples/binomial.py [PICTURE] [--quick]

Successes in 55 trials of probability 1/20. Each point is an estimate with its 95 % Wilson interval,
each bar the exact probability. The million draws are those that NumPy's generator makes; nobody
makes 10¹⁸, but their counts have a distribution of their own, and that can be drawn from. Where no
draw gave a value an arrow comes down from the upper end of its interval.

Needs: pip install matplotlib
"""

import argparse

import matplotlib.figure
import numpy as np

import hotloops as hl

N, P = 55, 0.05
LOWEST = 1e-21  # of the picture


def draw(axes, exact, estimate, lower, upper):
    value = np.arange(len(exact))
    axes.bar(value, exact, 0.9, color="C0", alpha=0.35, label="exact probability")
    seen = estimate > 0
    error = np.array([estimate - lower, upper - estimate])[:, seen]
    axes.errorbar(value[seen], estimate[seen], error, fmt=".", color="black", ms=4, lw=1,
                  label="estimate, 95 % Wilson interval")  # fmt: skip
    unseen = ~seen & (exact > LOWEST)
    axes.errorbar(value[unseen], upper[unseen], 0.7 * upper[unseen], uplims=True, fmt="none",
                  color="C1", lw=1, label="no draw: the interval's upper end")  # fmt: skip
    axes.set(yscale="log", ylim=(LOWEST, 300), xlabel="successes in 55 trials")
    axes.set_xlim(-0.7, value[exact > LOWEST][-1] + 0.7)
    axes.spines[["top", "right"]].set_visible(False)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("picture", nargs="?", default="binomial.png")
    parser.add_argument("--quick", action="store_true", help="a hundredth of the draws")
    options = parser.parse_args()

    share = 100 if options.quick else 1
    exact = hl.binomial_pmf(N, P)
    figure = matplotlib.figure.Figure(figsize=(10, 4.8), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    runs = ("stream", 10**6 // share), ("multinomial", 10**18 // share)
    for axes, (method, draws) in zip(panels, runs, strict=True):
        result = hl.binomial_probabilities(N, P, draws, method=method, rng=2024)
        estimate, lower, upper = result
        seen = np.flatnonzero(estimate)
        within = (lower <= exact) & (exact <= upper)
        print(f"{draws:.0e} draws: values {seen[0]} to {seen[-1]} were drawn, the rarest one with "
              f"probability {exact[seen].min():.1e}; {within[seen].sum()} of {len(seen)} intervals "
              f"hold the exact one")  # fmt: skip
        draw(axes, exact, *result)
        axes.set_title(f"$10^{{{np.log10(draws):.0f}}}$ draws")
    panels[0].set_ylabel("probability")
    panels[1].legend(frameon=False, loc="upper right")
    figure.savefig(options.picture, dpi=120)


if __name__ == "__main__":
    main()
