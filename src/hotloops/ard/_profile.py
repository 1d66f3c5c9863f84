"""The profile of a covariance: what it makes of a quadratic form."""

from typing import Literal, TypeAlias

import numpy as np

from .. import _arrays
from ..kernels.ard import MATERN12, MATERN32, MATERN52, QUADFORM, RQ, SE

Kind: TypeAlias = Literal["se", "matern12", "matern32", "matern52", "rq"]

_CODES: dict[str, int] = {
    "se": SE,
    "matern12": MATERN12,
    "matern32": MATERN32,
    "matern52": MATERN52,
    "rq": RQ,
}
_KIND_HINT = (
    '. "se" is what others call RBF: the gamma of rbf_kernel is 1 / (2 length_scale**2). A Matérn '
    'kernel has its ν in its name: "matern12", "matern32", "matern52" for 1/2, 3/2, 5/2'
)


#: A profile and its parameters, by the names that blocks give them: variance · p(q), and the noise
#: that is added on the diagonal.
Profile: TypeAlias = dict[str, float]

#: The profile of which the form itself is the value.
IDENTITY: Profile = {"profile": QUADFORM, "alpha": 1.0, "variance": 1.0, "noise": 0.0}


def profile_of(
    kind: str,
    rq_alpha: float,
    variance: float,
    noise_variance: float,
    dtype: np.dtype[np.floating],
    one_set: bool,
) -> Profile:
    """The profile that a user's arguments ask for, after their checks."""
    code = _CODES[_arrays.choice("kind", kind, _CODES, _KIND_HINT)]
    alpha = _arrays.scalar("rq_alpha", rq_alpha, minimum=0, strict=True)
    variance = _arrays.scalar("variance", variance, minimum=0)
    noise = _arrays.scalar("noise_variance", noise_variance, minimum=0)
    _arrays.in_range("variance", variance, dtype)
    _arrays.in_range("noise_variance", noise, dtype)
    if noise and not one_set:
        raise ValueError(
            f"noise_variance must be 0 where Y is given, got {noise}: noise belongs to a point "
            f"and itself. Pass Y=None, or add it to the diagonal"
        )
    return {"profile": code, "alpha": alpha, "variance": variance, "noise": noise}
