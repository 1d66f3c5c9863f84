"""What `solve_stack` may be given."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _arrays
from .._typing import Array, Complexes, Floats
from .._warnings import warn

_SIZES = 1e-50, 1e50  # of n and kx / k0: their sixth powers are numbers
_SHORTEST = 4e-308
_LONGEST = 1e200  # of d over the wavelength, likewise with n
_ABSORBS = "in the time factor exp(-iωt) n + ik absorbs; from exp(+iωt) pass the conjugates"


def _range(x: Floats) -> tuple[float, float]:
    """The least and the largest of some numbers; NaN where one of them is."""
    return x.item(x.argmin()), x.item(x.argmax())  # in a third of the time of min and max


def thickness(n: Array, d: Floats) -> tuple[NDArray[np.float64], float]:
    """The thicknesses of all media, 0 at the ends, and the largest."""
    if not n.ndim or n.shape[-1] < 2:
        raise ValueError(f"n must have shape (..., N) with N >= 2 media, got shape {n.shape}")
    media = n.shape[-1]
    if not d.ndim or d.shape[-1] not in (media - 2, media):
        raise ValueError(
            f"d must have shape (..., {media - 2}), the layers between the first and the last of "
            f"{media} media, or (..., {media}) with inf at both ends, got shape {d.shape}"
            f"{_other_axis(n, d)}"
        )
    if d.shape[-1] == media:
        ends = d[..., [0, -1]]
        if not (ends == np.inf).all():
            raise ValueError(
                f"d must be inf at both ends where it has as many entries as n, got "
                f"{ends[ends != np.inf][0]}: those media are unbounded"
            )
        d = d[..., 1:-1]
    least, largest = _range(d) if d.size else (0, 0)
    if not 0 <= least <= largest < np.inf:
        unfit = ~((d >= 0) & (d < np.inf))
        raise ValueError(f"d must be finite and >= 0 between the ends, got {d[unfit][0]}")
    found = np.zeros((*d.shape[:-1], media))
    found[..., 1:-1] = d
    return found, largest


def _other_axis(n: Array, d: Array) -> str:
    """A hint where the media are on another axis than the last of n or d."""
    layers = d.shape[-1] if d.ndim else 0
    for k, length in enumerate(n.shape[:-1]):
        if layers in (length - 2, length):
            return (
                f". The last axis of n must be the media: n of shape {n.shape} has {length} on "
                f"axis {k}, from where np.moveaxis(n, {k}, -1) takes them"
            )
    for k, length in enumerate(d.shape[:-1]):
        if length in (n.shape[-1] - 2, n.shape[-1]):
            return f". The last axis of d must be the layers: np.moveaxis(d, {k}, -1)"
    return ""


def media(n: Complexes) -> None:
    """Refuse indices so large or small that products of them overflow or vanish, and gain in the
    outer media; warn of gain in a layer."""
    if not n.size:
        return
    least, largest = _range(n.real)
    least_k, largest_k = _range(n.imag)
    if least >= _SIZES[0] and least_k >= 0 and largest + largest_k <= _SIZES[1]:
        return  # nothing of what follows
    size = np.abs(n.real) + np.abs(n.imag)
    size = size.astype(np.float64, copy=False)
    unfit = (size < _SIZES[0]) | (size > _SIZES[1])  # NaN is neither
    if unfit.any():
        raise ValueError(
            f"n must be from {_SIZES[0]:.0e} to {_SIZES[1]:.0e} in size, got {n[unfit][0]}"
        )
    # an imaginary part that rounding has left is none
    rounding = 4 * np.finfo(n.dtype).eps * size
    negative, backward = n.imag < -rounding, (n.real < 0) & (n.imag > rounding)
    for name, k in (("first", 0), ("last", -1)):
        for gain, what, hint in (
            (negative[..., k], "have k >= 0", _ABSORBS),
            (backward[..., k], "not be negative", "n² has gain"),
        ):
            if gain.any():
                raise ValueError(
                    f"n must {what} in the {name} medium, got {n[..., k][gain][0]}: {hint}"
                )
    layers = n[negative | backward]
    if layers.size:
        warn(f"n has gain in a layer, got {layers[0]}: {_ABSORBS}", RuntimeWarning)


def wavelength(wavelength: Floats, thickness: float) -> None:
    """Refuse wavelengths that are not positive and finite, or of which numbers that follow are not;
    `thickness` is the largest."""
    if not wavelength.size:
        return
    shortest, longest = _range(wavelength)
    if not (shortest >= _SHORTEST and longest < np.inf):
        unfit = wavelength[~((wavelength > 0) & (wavelength < np.inf))]
        if unfit.size:
            raise ValueError(f"wavelength must be positive and finite, got {unfit[0]}")
        raise ValueError(
            f"wavelength must be at least {_SHORTEST}, so that 2 * np.pi over it is a number, "
            f"got {shortest}"
        )
    if thickness > _LONGEST * shortest:
        raise ValueError(
            f"d must be at most {_LONGEST:.0e} wavelengths, got {thickness} beside the "
            f"wavelength {shortest}"
        )


def angle(value: ArrayLike) -> Floats:
    """theta as an array of angles between -π/2 and π/2."""
    array = _arrays.any_array("theta", value)
    if array.dtype.kind == "c":
        raise TypeError(
            f"theta must be real, got {array.reshape(-1)[:1]}: the wave of a complex "
            f"angle is given by kx=2 * np.pi / wavelength * n[..., 0] * np.sin(theta)"
        )
    theta = _arrays.real("theta", array)
    least, largest = _range(theta) if theta.size else (0, 0)
    steepest = theta.dtype.type(np.pi / 2).item()
    if not -steepest <= least <= largest <= steepest:
        steep = ~(np.abs(theta) <= steepest)
        raise ValueError(
            f"theta must be in radians, |theta| <= pi/2, got {theta[steep][0]}: "
            f"np.deg2rad converts degrees"
        )
    return theta


def incidence(n0: Array, kx: Complexes) -> None:
    """Warn where a real angle in an absorbing medium makes kx complex."""
    oblique = np.abs(kx.imag) > 1e-8 * np.abs(kx.real)
    if oblique.any():
        n0 = np.broadcast_to(n0, kx.shape)[oblique][0]
        warn(
            f"theta in a first medium that absorbs, n = {n0}, makes kx complex: the wave grows or "
            f"decays along the layers, power flows sideways, and R, T and A are no balance of it "
            f"(R may exceed 1, T and A be negative). Pass kx = 2 * np.pi / wavelength * "
            f"n[..., 0].real * np.sin(theta) for a wave of constant strength along the layers, or "
            f"the kx that the wave has in a transparent medium outside",
            RuntimeWarning,
        )


def along(kx: Array, wavelength: Floats) -> None:
    """Refuse a wave vector kx along the layers that is so large that products of it with the other
    sizes overflow."""
    if not kx.size or not wavelength.size:
        return
    largest, longest = np.fmax.reduce(np.abs(kx), axis=None), wavelength.max().item()
    if largest > _SIZES[1] * (2 * np.pi / longest):
        raise ValueError(
            f"kx must be at most {_SIZES[1]:.0e} times 2 * np.pi / wavelength, got {largest} in "
            f"size beside the wavelength {longest}"
        )


def batch(n: Array, d: Array, wavelength: Array, **along: Array) -> tuple[int, ...]:
    """The shape of the batch of stacks: that to which the leading axes of n and d, the wavelength,
    and theta or kx, which comes as a keyword of its name, broadcast."""
    ((name, array),) = along.items()
    leads = {
        "n": n.shape[:-1],
        "d": d.shape[:-1],
        "wavelength": wavelength.shape,
        name: array.shape,
    }
    if not any(leads.values()):
        return ()
    try:
        return np.broadcast_shapes(*leads.values())
    except ValueError:
        got = ", ".join(f"{name} {lead}" for name, lead in leads.items())
        raise ValueError(
            f"wavelength, theta or kx, and the leading axes of n and d must broadcast, got {got}"
            f"{_missing_axes(n.shape[:-1], wavelength.shape)}"
        ) from None


def _missing_axes(lead: tuple[int, ...], wavelength: tuple[int, ...]) -> str:
    """A hint where n of shape (W, N) stands beside wavelengths of shape (W, 1)."""
    missing = len(wavelength) - len(lead)
    if not lead or missing < 1 or wavelength[: len(lead)] != lead:
        return ""
    axes = ", ".join([":"] * len(lead) + ["None"] * missing + [":"])
    return f". For indices at each wavelength pass n[{axes}]: its last axis is the media"
