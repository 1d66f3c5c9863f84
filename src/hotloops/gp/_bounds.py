"""What to do about hyperparameters that end at a bound."""

from .._warnings import warn
from ._exceptions import exception
from ._parameters import Parameters

ADVICE = {
    ("length_scale", "lower"): "the function changes between neighbouring points, or y is noise: "
    "raise the lower bound of length_scale_bounds, or give noise_variance a larger start",
    ("variance", "lower"): "y is hardly more than noise: look for other inputs, or lower the bound "
    "in variance_bounds",
    ("variance", "upper"): "y has a trend, or an offset: take it out of y (normalize_y=True takes "
    "the mean), or raise the bound in variance_bounds",
    ("noise_variance", "lower"): "y has next to no noise: lower the bound in "
    'noise_variance_bounds, or pass noise_variance=... and noise_variance_bounds="fixed"',
    ("noise_variance", "upper"): "raise the bound in noise_variance_bounds",
    ("rq_alpha", "lower"): "lower the bound in rq_alpha_bounds",
    ("rq_alpha", "upper"): 'kind="se" is what this tends to: use it, or raise the bound in '
    "rq_alpha_bounds",
}


def warn_of_bounds(parameters: Parameters) -> list[str]:
    """The names of what is at a bound, after a warning of what should not be."""
    found = parameters.at_bounds()
    groups: dict[tuple[str, str], list[str]] = {}
    for name, entry, side in found:
        groups.setdefault((name, side), []).append(entry)
    # an input without relevance rightly has a length scale without end
    groups.pop(("length_scale", "upper"), None)
    if groups:
        texts = [
            f"{', '.join(entries)} at the {side} bound: {ADVICE[name, side]}"
            for (name, side), entries in groups.items()
        ]
        warn("the likelihood is highest with " + "; ".join(texts), exception("ConvergenceWarning"))
    return [entry for _, entry, _ in found]
