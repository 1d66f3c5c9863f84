"""What a stack of layers does to plane waves: `solve_stack`."""

import math
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from .. import _arrays, _run
from .._run import Form, Output, Step, by_shape, tiles
from .._typing import Array
from ..kernels.optics import P_POLARISED, S_POLARISED
from . import _checks
from .solution import LAYER, StackSolution

Polarisation: TypeAlias = Literal["s", "p", "both"]
# the first, and how many
_POLARISATIONS = {"s": (S_POLARISED, 1), "p": (P_POLARISED, 1), "both": (S_POLARISED, 2)}
_FLOAT64, _COMPLEX128 = np.dtype(np.float64), np.dtype(np.complex128)
_NO_THETA, _NO_KX = np.empty(0), np.empty(0, complex)
_POL_HINT = ': "s" is TE and "p" is TM; unpolarised light is the mean of the two that "both" gives'


def solve_stack(
    n: ArrayLike,
    d: ArrayLike,
    wavelength: ArrayLike,
    theta: ArrayLike = 0.0,
    *,
    kx: ArrayLike | None = None,
    pol: Polarisation,
    backend: str | None = None,
    workers: int | None = None,
) -> StackSolution:
    """Solve Maxwell's equations for plane waves that meet a stack of layers.

    .. math:: k_{z,j}^2 = k_0^2 n_j^2 - k_x^2, \\qquad k_x = k_0 n_0 \\sin\\theta,
              \\qquad k_0 = 2\\pi / \\text{wavelength}

    in the time factor exp(−iωt), in which n + ik with k > 0 absorbs. kz has Im kz ≥ 0, and
    Re kz ≥ 0 where Im kz = 0; in the first and the last medium Re kz + Im kz ≥ 0, which for real kx
    is the same.

    Parameters
    ----------
    n : array_like, shape (..., N)
        Refractive indices, from the medium that the light comes from to the one behind the stack;
        N ≥ 2. Layers may have gain, k < 0; the first and the last medium not, but for what rounding
        leaves of k = 0.
    d : array_like, shape (..., N − 2) or (..., N)
        Thicknesses of the layers between those two; or as in tmm, with inf at both ends.
    wavelength : array_like, shape (...)
        Vacuum wavelength, in the unit of d.
    theta : array_like, shape (...)
        Angle of incidence in the first medium, in radians, |theta| ≤ π/2. Where that medium absorbs
        it makes kx complex, which is seldom meant: see the notes.
    kx : array_like, shape (...), optional
        Wave vector along the layers, instead of theta; it may lie beyond the light line of the
        first medium, whose wave then is evanescent. A complex angle is given by its kx.
    pol : {"s", "p", "both"}
        "both" makes a leading axis of two, s and p.
    backend : {"cython", "numba", "numpy"}, optional
        See `set_backend`. The methods of the solution use it too.
    workers : int, optional
        See `set_workers`, likewise.

    Returns
    -------
    StackSolution
        With r, t, R, T, A and, when they are first asked for, amplitudes, fields and more. Leading
        axes broadcast: `n` and `d` without their last one, `wavelength`, and `theta` or `kx`.

    Raises
    ------
    TypeError
        For d, wavelength or theta that are not real, or others that are not numbers.
    ValueError
        For shapes that do not meet, d that is negative or not finite between the ends or not inf
        at them, a wavelength that is not positive, theta beyond π/2 or together with kx, gain in
        the first or the last medium (k < 0, or k > 0 beside a negative real part), and sizes whose
        powers are no numbers: n or kx / k0 above 1e50, n below 1e-50, d above 1e200 wavelengths.

    Warns
    -----
    RuntimeWarning
        For gain in a layer, and for theta in a first medium whose absorption makes kx complex.

    Notes
    -----
    Coherent layers only: a substrate of a millimetre or a window is not. For stacks with thick
    incoherent layers see `inc_tmm` of tmm.

    s: E = Ey. p, with the signs of tmm: Ex = (f − b) cos θ and Ez = −(f + b) sin θ for forward and
    backward amplitudes f and b, so that at normal incidence r of p is −r of s.

    A real theta in a first medium that absorbs makes kx = k0 n0 sin θ complex: an inhomogeneous
    wave, which decays along the layers too. Its r, t and fields are right, but power flows in along
    x, and R, T and A are no balance of it: R may exceed 1, T and A be negative. For a wave that is
    as strong at each x pass kx = k0 Re(n0) sin θ; where the light enters the absorbing medium from
    a transparent one that is parallel to the layers, kx = k0 n sin θ with n and θ of that.

    Where the first medium absorbs and kx is complex, the wave in a last medium that absorbs less
    may grow away from the stack, as the incident one does the other way. The sign of its kz is that
    of no absorption, but jumps where kz² crosses the negative imaginary axis: near the critical
    angle of the last medium, and by the less the less the first one absorbs.

    Accuracy: r and t to some ulps for each layer, and 1.1e-16 for each radian of phase; a small r
    from media nearly alike keeps its digits. No exponential ever grows: films of any thickness and
    any number of layers give finite results; t may underflow to 0. At the critical angle of the
    last medium and beside it the same holds, for theta and kx as given, to their last digit. Within
    about 1e-11 of the critical angle of a layer, where its two waves become one, all is to 1e-10,
    or to 1e-10 / |n| where the layer's |n| < 1. Such errors add up over layers, from
    3e-11 at one to 3e-10 at 20 and 3e-9 at 200 in a stack.

    Cost: about 15 ns for a layer in one stack and polarisation. Memory: 56 bytes for a stack and
    polarisation, and 32 for a stack.

    Source: L. G. Parratt, *Phys. Rev.* 95, 359 (1954); Born & Wolf, *Principles of Optics*, 7th
    ed., 1999, section 1.6. Conventions: S. J. Byrnes, arXiv:1603.02720.

    Examples
    --------
    The plasmon of a silver film, where light from the glass no longer comes back:

    >>> import numpy as np
    >>> import hotloops as hl
    >>> n = [1.517, 3.719 + 4.362j, 0.130 + 3.162j, 1]
    >>> theta = np.deg2rad([43, 45])
    >>> hl.optics.solve_stack(n, [5, 30], 633, theta, pol="p").R
    array([0.8461771 , 0.01434632])

    A spectrum and angles: here is R (wavelength, angle) for indices n (wavelength, N).

    >>> lam = np.linspace(400, 800, 5)
    >>> n = np.stack([np.ones(5), 1.5 + 3000 / lam**2, np.full(5, 3.5 + 0.1j)], axis=-1)
    >>> d = [100]
    >>> hl.optics.solve_stack(n[:, None, :], d, lam[:, None], theta, pol="p").R.shape
    (5, 2)
    """
    first, count = _POLARISATIONS[_arrays.choice("pol", pol, _POLARISATIONS, _POL_HINT)]
    n, d = _arrays.complex_("n", n), _arrays.real("d", d)
    thickness, thickest = _checks.thickness(n, d)
    _checks.media(n)
    wavelength = _arrays.real("wavelength", wavelength)
    _checks.wavelength(wavelength, thickest)
    if kx is None:
        theta = _checks.angle(theta)
        batch = _checks.batch(n, d, wavelength, theta=theta)
        incident = {"theta": _flat(theta, batch, _FLOAT64), "kx": _NO_KX}
    else:
        if np.ndim(theta) or theta != 0:
            raise ValueError("kx must come without theta, got both")
        kx = _arrays.complex_("kx", kx)
        _checks.along(kx, wavelength)
        batch = _checks.batch(n, d, wavelength, kx=kx)
        incident = {"theta": _NO_THETA, "kx": _flat(kx, batch, _COMPLEX128)}
    media, size = n.shape[-1], math.prod(batch)
    stacks = {
        "rows": _rows(batch, n.shape[:-1], thickness.shape[:-1]),
        "n": np.array(n, _COMPLEX128, order="C").reshape(-1, media),  # whatever happens to n
        "thickness": thickness.reshape(-1, media),
        "first": first,
    }
    shape = (2, *batch) if count == 2 else batch
    incident["wavelength"] = _flat(wavelength, batch, _FLOAT64)
    form = _solving((*stacks, *incident), shape, count, size, media)
    call = form.of(*stacks.values(), *incident.values())
    kept = _run.kept("optics", backend, workers)
    outside = _run.run(call, *kept)
    solution = StackSolution(stacks, incident, kept, batch, thickness, outside)
    if kx is not None:
        solution.kx = incident["kx"].reshape(batch)[()]
    elif np.count_nonzero(n[..., 0].imag):
        _checks.incidence(n[..., 0], solution.kx)
    return solution


@by_shape
def _solving(
    inputs: tuple[str, ...], shape: tuple[int, ...], count: int, size: int, media: int
) -> Form:
    """The form of the calls that solve `size` stacks of so many media for `count` polarisations."""
    outside = Output((7, *shape), _FLOAT64, (7, count, size))
    step = Step("solve", tiles.rows(size, LAYER * media * count))
    return Form(inputs, "optics", _COMPLEX128, {"outside": outside}, [step], ("outside",))


def from_tmm(
    coh_tmm_data: Mapping[str, Any], *, backend: str | None = None, workers: int | None = None
) -> StackSolution:
    """Solve the stack of a result of `coh_tmm` again.

    tmm keeps the phase of a layer below 35 in its imaginary part, so that amplitudes deep inside an
    opaque film, and r and t of a stack of many, are not those of the stack. Elsewhere the two
    agree.

    Parameters
    ----------
    coh_tmm_data : mapping
        What ``tmm.coh_tmm(pol, n_list, d_list, th_0, lam_vac)`` returned.
    backend, workers
        As for `solve_stack`.

    Returns
    -------
    StackSolution
        ``solve_stack(n_list, d_list, lam_vac, th_0, pol=pol)``; for a complex th_0 its kx.

    Raises
    ------
    TypeError
        If `coh_tmm_data` is no such mapping.
    ValueError
        As for `solve_stack`.

    Examples
    --------
    >>> import numpy as np
    >>> import hotloops as hl
    >>> data = {"pol": "s", "n_list": [1, 1.5, 1], "d_list": [np.inf, 100, np.inf],
    ...         "th_0": 0.1, "lam_vac": 400}  # tmm.coh_tmm("s", [1, 1.5, 1], …)
    >>> print(f"{hl.optics.from_tmm(data).R:.6f}")
    0.081718
    """
    names = ("pol", "n_list", "d_list", "th_0", "lam_vac")
    is_mapping = isinstance(coh_tmm_data, Mapping)
    if not is_mapping or not set(names) <= set(coh_tmm_data):
        got = sorted(coh_tmm_data) if is_mapping else repr(coh_tmm_data)
        raise TypeError(
            f"coh_tmm_data must be the dictionary that tmm.coh_tmm returns, with "
            f"{', '.join(names)}; got {got}"
        )
    pol, n, d, theta, wavelength = (coh_tmm_data[name] for name in names)
    keywords = {"pol": pol, "backend": backend, "workers": workers}
    if np.iscomplexobj(theta) and np.any(np.imag(theta)):
        kx = 2 * np.pi / wavelength * n[0] * np.sin(theta)
        return solve_stack(n, d, wavelength, kx=kx, **keywords)
    return solve_stack(n, d, wavelength, np.real(theta), **keywords)


def _rows(batch: tuple[int, ...], *leads: tuple[int, ...]) -> Array:
    """For each stack the row of each operand, of these leading axes."""
    rows = np.zeros((*batch, len(leads)), np.intp)
    for k, lead in enumerate(leads):
        if lead:
            rows[..., k] = np.arange(math.prod(lead)).reshape(lead)
    return rows.reshape(-1, len(leads))


def _flat(array: Array, batch: tuple[int, ...], dtype: DTypeLike) -> Array:
    """The array's number for each stack, in a row, whatever happens to the array."""
    if array.shape != batch:
        array = np.broadcast_to(array, batch)
    return np.array(array, dtype, order="C").reshape(-1)
