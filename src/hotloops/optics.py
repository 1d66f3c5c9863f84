"""Light in layered media: what a stack of layers reflects, transmits and absorbs, and where."""

import functools
import math

import numpy as np

from . import _arrays, _backends, _blocks
from .field import layered_field
from .kernels.optics import ABSORPTION, INTENSITY, POYNTING

__all__ = ["StackSolution", "from_tmm", "solve_stack"]

_POLARISATIONS = {"s": (0, 1), "p": (1, 1), "both": (0, 2)}  # the first, and how many
_LAYER, _PLANE = 40, 60  # ns in one stack and polarisation, above the compiled ones
_STRIP = 1024  # planes at least for which a stack is solved


def solve_stack(n, d, wavelength, theta=0.0, *, kx=None, pol, backend=None, workers=None):
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
        N ≥ 2. Layers may have gain, k < 0; the first and the last medium not.
    d : array_like, shape (..., N − 2) or (..., N)
        Thicknesses of the layers between those two; or as in tmm, with inf at both ends.
    wavelength : array_like, shape (...)
        Vacuum wavelength, in the unit of d.
    theta : array_like, shape (...)
        Angle of incidence in the first medium, in radians, |theta| ≤ π/2.
    kx : array_like, shape (...), optional
        Wave vector along the layers, instead of theta; it may lie beyond the light line of the
        first medium, whose wave then is evanescent.
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
        at them, a wavelength that is not positive, theta beyond π/2 or together with kx, n = 0, and
        gain in the first or the last medium: k < 0, or k > 0 beside a negative real part.

    Notes
    -----
    Coherent layers only: a substrate of a millimetre or a window is not. For stacks with thick
    incoherent layers see `inc_tmm` of tmm.

    s: E = Ey. p, with the signs of tmm: Ex = (f − b) cos θ and Ez = −(f + b) sin θ for forward and
    backward amplitudes f and b, so that at normal incidence r of p is −r of s.

    Where the first medium absorbs and kx is complex, the wave in a last medium that absorbs less
    may grow away from the stack, as the incident one does the other way. The sign of its kz is that
    of no absorption, but jumps where kz² crosses the negative imaginary axis: near the critical
    angle of the last medium, and by the less the less the first one absorbs.

    Accuracy: r and t to some ulps for each layer, and 1.1e-16 for each radian of phase; a small r
    from media nearly alike keeps its digits. No exponential ever grows: films of any thickness and
    any number of layers give finite results; t may underflow to 0. Within about 1e-11 of the
    critical angle of a layer, where its two waves become one, all is to 1e-10, or to 1e-10 / |n|
    where the layer's |n| < 1.

    Cost: about 10 ns for a layer in one stack and polarisation. Memory: 64 bytes for a stack and
    polarisation.

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
    first, count = _POLARISATIONS[_arrays.choice("pol", pol, _POLARISATIONS)]
    n, d = _arrays.complex_("n", n), _arrays.real("d", d)
    wavelength = _arrays.real("wavelength", wavelength).astype(np.float64)
    thickness = _thickness(n, d)
    _check_media(n)
    unfit = ~((wavelength > 0) & (wavelength < np.inf))
    if unfit.any():
        raise ValueError(f"wavelength must be positive and finite, got {wavelength[unfit][0]}")
    k0, n0 = 2 * np.pi / wavelength, n[..., 0].astype(np.complex128)
    inputs = {"n": n.shape[:-1], "d": d.shape[:-1], "wavelength": wavelength.shape}
    if kx is None:
        theta = _angle(theta)
        batch = _batch(**inputs, theta=theta.shape)
        sine, cosine = np.sin(theta), np.cos(theta)
        grazing = np.abs(sine) > np.abs(cosine)
        # n² - (n0 sin)² = (n - n0 sin) (n + n0 sin) = (n - n0) (n + n0) + (n0 cos)²
        a, rest = n0 * np.where(grazing, 1, sine), np.where(grazing, (n0 * cosine) ** 2, 0)
        kx = k0 * (n0 * sine)
    else:
        if np.ndim(theta) or theta != 0:
            raise ValueError("kx must come without theta, got both")
        kx = _arrays.complex_("kx", kx).astype(np.complex128)
        batch = _batch(**inputs, kx=kx.shape)
        a, rest = kx / k0, np.zeros((), complex)
    rows = np.empty((*batch, 2), np.intp)
    for k, array in enumerate((n, thickness)):
        lead = array.shape[:-1]
        rows[..., k] = np.arange(math.prod(lead)).reshape(lead)
    kernel, workers = _backends.kernel("optics", backend), _blocks.workers(workers)
    media = n.shape[-1]
    stacks = (
        rows.reshape(-1, 2),
        np.array(n, np.complex128, order="C").reshape(-1, media),  # whatever happens to n
        thickness.reshape(-1, media),
        _flat(k0, batch),
        _flat(a, batch),
        _flat(rest, batch),
        first,
    )
    shape = (count, len(stacks[0]))
    r, t = np.empty(shape, complex), np.empty(shape, complex)
    R, T, entering = np.empty(shape), np.empty(shape), np.empty(shape)
    if r.size:
        args, cost = (*stacks, r, t, R, T, entering), _LAYER * media * count
        _blocks.fill_rows(kernel.solve, shape[1], cost, args, workers=workers)
    kx = _flat(kx, batch).reshape(batch)[()]
    if count == 2:
        batch = (2, *batch)
    found = (array.reshape(batch)[()] for array in (r, t, R, T, entering))
    return StackSolution(stacks, (backend, workers), count, thickness, kx, *found)


def from_tmm(coh_tmm_data, *, backend=None, workers=None):
    """Solve the stack of a result of `coh_tmm` again.

    tmm keeps the phase of a layer below 35 in its imaginary part, so that amplitudes deep inside an
    opaque film, and r and t of a stack of many, are not those of the stack. Elsewhere the two
    agree.

    Parameters
    ----------
    coh_tmm_data : dict
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
        If `coh_tmm_data` is no such dictionary.
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
    if not isinstance(coh_tmm_data, dict) or not set(names) <= set(coh_tmm_data):
        got = sorted(coh_tmm_data) if isinstance(coh_tmm_data, dict) else repr(coh_tmm_data)
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


class StackSolution:
    """The waves in a stack of layers, as `solve_stack` finds them.

    Shapes: (...) are the axes of the stacks, first of them, for pol="both", one of two; N media.
    All is in double precision. What is not in the first list is computed when first asked for, and
    kept.

    Attributes
    ----------
    r, t : ndarray, shape (...)
        Amplitudes of the reflected and of the transmitted wave over the incident one's.
    R : ndarray, shape (...)
        |r|².
    T : ndarray, shape (...)
        Power that enters the last medium over the incident wave's; NaN where that carries none.
    power_entering : ndarray, shape (...)
        Power that enters the stack over the incident wave's: 1 − R unless the first medium absorbs,
        where the two waves mix.
    A : ndarray, shape (...)
        power_entering − T, what the layers absorb.
    kx : ndarray, shape (...)
        Wave vector along the layers, without the axis of polarisations.
    interfaces : ndarray, shape (..., N − 1)
        Where the media meet, from z = 0 on; with the axes of d only.
    kz : ndarray, shape (..., N)
        Wave vectors along z, without the axis of polarisations. In a layer of thickness d they are
        kept 5e-6 / d away from 0.
    amplitudes : ndarray, shape (..., N, 2)
        The forward wave's E at the interface before its medium, the backward one's at the interface
        after it: what `layered_field` calls "far".
    vectors : ndarray, shape (..., N, 2, 3)
        Directions of the two E; for pol="s" of shape (N, 2, 3).
    layer_absorption : ndarray, shape (..., N − 2)
        What each layer absorbs over the incident power: the differences of the flux.

    Notes
    -----
    The methods take depths z (Nz,), any order, 0 at the first interface and negative before it, in
    the unit of d; and positions x (Nx,) along the layers, without which it is x = 0. A method takes
    the amplitude of every incident wave to be 1.

    Weights (..., K) reduce the last axis of the stacks to their weighted sum, without ever holding
    what they sum: of fields with `coherent_weights` (the plane waves of a beam), of intensities and
    the like with `incoherent_weights` (a spectrum, a cone of angles, an average of polarisations).
    With both, the coherent sum comes first. Axes that the weights have before those of the stacks
    make several sums.

    Memory: the result and scratch; for `field` and where weights are coherent also kz, amplitudes
    and vectors, 144 bytes a layer.

    Examples
    --------
    >>> import numpy as np
    >>> import hotloops as hl
    >>> film = hl.optics.solve_stack([1, 2 + 0.1j, 1.5], [200], 500, pol="s")
    >>> print(f"{film.R:.4f} + {film.T:.4f} + {film.A:.4f}")
    0.1576 + 0.5072 + 0.3352
    >>> film.layer_absorption.round(4)
    array([0.3352])
    >>> film.intensity(np.array([0, 100, 200])).round(3)
    array([0.378, 0.371, 0.338])
    """

    def __init__(self, stacks, run, count, thickness, kx, r, t, R, T, power_entering):
        self._stacks, self._run, self._count = stacks, run, count
        self.r, self.t, self.R, self.T, self.power_entering = r, t, R, T, power_entering
        self.A = power_entering - T
        self.kx = kx
        self.interfaces = thickness[..., :-1].cumsum(axis=-1)

    @property
    def _shape(self):
        return self.r.shape

    @functools.cached_property
    def _waves(self):
        stacks, media = self.kx.size, self._stacks[1].shape[1]
        kz, amplitudes = self._room(stacks)
        if kz.size:
            kernel, workers = self._backend()
            args, cost = (*self._stacks, kz, amplitudes), _LAYER * media * self._count
            _blocks.fill_rows(kernel.waves, stacks, cost, args, workers=workers)
        return (
            kz.reshape(*self.kx.shape, media),
            amplitudes.reshape(*self._shape, media, 2),
        )

    def _room(self, stacks):
        """For kz and the amplitudes of so many stacks."""
        media = self._stacks[1].shape[1]
        return (
            np.empty((stacks, media), complex),
            np.empty((self._count, stacks, media, 2), complex),
        )

    def _backend(self):
        backend, workers = self._run
        return _backends.kernel("optics", backend), workers

    @property
    def kz(self):
        return self._waves[0]

    @property
    def amplitudes(self):
        return self._waves[1]

    @functools.cached_property
    def _media(self):
        """n, and the sine and cosine of the angle in each medium."""
        rows, n, _, k0, *_ = self._stacks
        n = n[rows[:, 0]].reshape(self.kz.shape)
        k = k0.reshape(self.kx.shape)[..., None] * n
        return n, self.kx[..., None] / k, self.kz / k

    @functools.cached_property
    def vectors(self):
        return self._of_each(self._electric)

    @functools.cached_property
    def _magnetic_vectors(self):
        return self._of_each(self._magnetic)

    def _electric(self, pol):
        _, sine, cosine = self._media
        return _vectors(cosine, 0, -sine) if pol else _vectors(0, np.ones(sine.shape[-1]), 0)

    def _magnetic(self, pol):
        n, sine, cosine = self._media
        return _vectors(0, n, 0) if pol else _vectors(-n * cosine, 0, n * sine)

    def _of_each(self, vectors):
        """What `vectors(pol)` gives for the polarisations asked for."""
        first = self._stacks[-1]
        found = [vectors(pol) for pol in range(first, first + self._count)]
        return np.stack(np.broadcast_arrays(*found)) if self._count == 2 else found[0]

    @functools.cached_property
    def layer_absorption(self):
        stacks, layers = self.kx.size, self._stacks[1].shape[1] - 2
        absorbed = np.empty((self._count, stacks, layers))
        if absorbed.size:
            kernel, workers = self._backend()
            args, cost = (kernel, absorbed), 3 * _LAYER * layers * self._count
            _blocks.fill_rows(self._absorb, stacks, cost, args, workers=workers)
        return absorbed.reshape(*self._shape, layers)

    def _absorb(self, b0, b1, kernel, absorbed):
        """absorbed[:, b0:b1] = what each layer absorbs."""
        rows, n, thickness, k0, a, rest, first = self._stacks
        rows, k0, a, rest = (array[b0:b1] for array in (rows, k0, a, rest))
        kz, amplitudes = self._room(b1 - b0)
        kernel.waves(0, b1 - b0, rows, n, thickness, k0, a, rest, first, kz, amplitudes)
        n, thickness = n[rows[:, 0]], thickness[rows[:, 1], 1:-1]
        forward, backward = np.moveaxis(amplitudes[:, :, 1:-1], -1, 0)
        with np.errstate(all="ignore"):
            phase, s = np.exp(1j * kz[:, 1:-1] * thickness), kz / k0[:, None]
            # the real part is the flux along z of a wave E = 1
            flux = np.stack([s, s * np.conj(n) / n][first : first + self._count])
            per_incident = np.where(flux[..., :1].real > 0, 1 / flux[..., :1].real, np.nan)
            entering, leaving = (
                (flux[..., 1:-1] * (f - b) * np.conj(f + b)).real
                for f, b in ((forward, backward * phase), (forward * phase, backward))
            )
            absorbed[:, b0:b1] = (entering - leaving) * per_incident

    def field(self, z, x=None, *, coherent_weights=None):
        """Electric field.

        Parameters
        ----------
        z, x : array_like, shape (Nz,) and (Nx,)
            See the notes on the class.
        coherent_weights : array_like, shape (..., K), optional
            Likewise.

        Returns
        -------
        ndarray, shape (..., Nz, Nx, 3), or (..., Nz, 3) without x
            Its components along x, y and z.
        """
        return self._map(z, x, self.vectors, coherent_weights=coherent_weights)

    def magnetic_field(self, z, x=None):
        """Magnetic field times the impedance of free space, in the unit of E.

        Parameters
        ----------
        z, x : array_like, shape (Nz,) and (Nx,)
            See the notes on the class.

        Returns
        -------
        ndarray, shape (..., Nz, Nx, 3), or (..., Nz, 3) without x
            Its components along x, y and z; of p only y is not 0.
        """
        return self._map(z, x, self._magnetic_vectors)

    def intensity(self, z, x=None, *, coherent_weights=None, incoherent_weights=None):
        """|E|² over that of the incident wave.

        Parameters
        ----------
        z, x : array_like, shape (Nz,) and (Nx,)
            See the notes on the class.
        coherent_weights, incoherent_weights : array_like, shape (..., K), optional
            Likewise.

        Returns
        -------
        ndarray, shape (..., Nz, Nx), or (..., Nz) without x
            For one plane wave of real kx it is the same at each x.
        """
        if coherent_weights is None and (x is None or not np.any(self.kx.imag)):
            profile = self._depth(INTENSITY, z, incoherent_weights)
            if x is None:
                return profile
            return np.repeat(profile[..., None], len(_arrays.real("x", x, 1)), axis=-1)
        weights = {
            "coherent_weights": coherent_weights,
            "incoherent_weights": incoherent_weights,
        }
        return self._map(z, x, self.vectors, what="intensity", **weights)

    def poynting(self, z, *, incoherent_weights=None):
        """Flux of power along z over that of the incident wave.

        Parameters
        ----------
        z : array_like, shape (Nz,)
            See the notes on the class.
        incoherent_weights : array_like, shape (..., K), optional
            Likewise.

        Returns
        -------
        ndarray, shape (..., Nz)
            At z = 0 `power_entering`, behind the stack T; NaN where the incident wave carries none.
        """
        return self._depth(POYNTING, z, incoherent_weights)

    def absorption(self, z, *, incoherent_weights=None):
        """Power absorbed for each unit of depth, over the incident: minus the derivative of
        `poynting`.

        Parameters
        ----------
        z : array_like, shape (Nz,)
            See the notes on the class.
        incoherent_weights : array_like, shape (..., K), optional
            Likewise.

        Returns
        -------
        ndarray, shape (..., Nz)
            k0 Im(n²) |E|² over the incident flux where kx is real; NaN where that is 0.
        """
        return self._depth(ABSORPTION, z, incoherent_weights)

    def _map(self, z, x, vectors, **keywords):
        backend, workers = self._run
        kx = None if x is None else self.kx
        return layered_field(
            z, self.interfaces, self.kz, self.amplitudes, vectors, backward_reference="far",
            x=x, kx=kx, backend=backend, workers=workers,
            **{name: value for name, value in keywords.items() if value is not None},
        )  # fmt: skip

    def _depth(self, what, z, incoherent_weights):
        z = _arrays.ready(_arrays.real("z", z, 1), np.float64)
        shape, stacks = self._shape, self.kx.size
        if incoherent_weights is None:
            weights, K, lead = np.ones(self.r.size), 1, shape
        else:
            weights = _arrays.real("incoherent_weights", incoherent_weights)
            more = weights.shape[: -len(shape)] if shape else ()
            if more:  # several sums of all stacks
                sums = np.empty((math.prod(more), *shape[:-1], len(z)))
                sets = weights.reshape(len(sums), *weights.shape[len(more) :])
                for one, total in zip(sets, sums, strict=True):
                    total[...] = self._depth(what, z, one)
                return sums.reshape(*more, *sums.shape[1:])
            weights = _weights("incoherent_weights", weights, shape)
            K, lead = shape[-1], shape[:-1]
        out = np.zeros((math.prod(lead), len(z)))
        if out.size and weights.size:
            kernel, workers = self._backend()
            args = *self._stacks, z, what, weights, K
            # stacks that add to one row of the output
            together = min(K, stacks)
            groups, cost = stacks // together, _PLANE * self._count * together
            count = _blocks.split(groups * len(z), cost)
            step, planes = max(1, count // len(z)), min(len(z), max(count, _STRIP))
            tiles = _blocks.grid((groups, len(z)), (step, planes))
            if together > 1 and len(tiles) < 8 and not _blocks.is_short(cost * groups * len(z)):
                # each of a few sums in parts
                step = _blocks.split(stacks, _PLANE * self._count * len(z))
                out = _blocks.reduce(
                    kernel.depth, [(*b, 0, len(z)) for b in _blocks.grid((stacks,), (step,))],
                    args, lambda count: np.zeros((count, *out.shape)), workers=workers,
                )  # fmt: skip
            else:
                bounds = [(g0 * together, g1 * together, *z) for g0, g1, *z in tiles]
                _blocks.fill(kernel.depth, bounds, (*args, out), workers=workers)
        return out.reshape(*lead, len(z))


def _vectors(x, y, z):
    """Directions of the two waves' fields: the backward one's x is minus the forward one's."""
    vectors = np.empty((*np.broadcast_shapes(*map(np.shape, (x, y, z))), 2, 3), complex)
    vectors[..., 0, 0], vectors[..., 1, 0] = x, np.negative(x)
    vectors[..., 1], vectors[..., 2] = np.expand_dims(y, -1), np.expand_dims(z, -1)
    return vectors


def _weights(name, weights, shape):
    """Weights of all stacks, flat."""
    if not shape:
        raise ValueError(f"{name} needs an axis of stacks to sum over, and the solution has none")
    try:
        if not weights.ndim:
            raise ValueError
        return _arrays.ready(np.broadcast_to(weights, shape), np.float64).reshape(-1)
    except ValueError:
        raise ValueError(
            f"{name} must have shape (..., {shape[-1]}) and broadcast to {shape}, the axes of the "
            f"stacks, got shape {weights.shape}"
        ) from None


def _batch(**leads):
    try:
        return np.broadcast_shapes(*leads.values())
    except ValueError:
        got = ", ".join(f"{name} {lead}" for name, lead in leads.items())
        raise ValueError(
            f"wavelength, theta or kx, and the leading axes of n and d must broadcast, got {got}"
        ) from None


def _flat(array, batch):
    if array.shape != batch:
        array = np.broadcast_to(array, batch)
    return _arrays.ready(array).reshape(-1)


def _check_media(n):
    if (n == 0).any():
        raise ValueError("n must not be 0, got a medium in which it is")
    for name, k in (("first", 0), ("last", -1)):
        end = n[..., k].reshape(-1)
        if (end.imag < 0).any():
            raise ValueError(
                f"n must have k >= 0 in the {name} medium, got {end[end.imag < 0][0]}: in the time "
                f"factor exp(-iωt) n + ik absorbs; from exp(+iωt) pass the conjugates"
            )
        gains = (end.real < 0) & (end.imag > 0)
        if gains.any():
            raise ValueError(
                f"n must not be negative in the {name} medium, got {end[gains][0]}: n² has gain"
            )


def _thickness(n, d):
    """The thicknesses of all media, 0 at the ends."""
    if not n.ndim or n.shape[-1] < 2:
        raise ValueError(f"n must have shape (..., N) with N >= 2 media, got shape {n.shape}")
    media = n.shape[-1]
    if not d.ndim or d.shape[-1] not in (media - 2, media):
        raise ValueError(
            f"d must have shape (..., {media - 2}), the layers between the first and the last of "
            f"{media} media, or (..., {media}) with inf at both ends, got shape {d.shape}"
        )
    if d.shape[-1] == media:
        ends = d[..., [0, -1]]
        if not (ends == np.inf).all():
            raise ValueError(
                f"d must be inf at both ends where it has as many entries as n, got "
                f"{ends[ends != np.inf][0]}: those media are unbounded"
            )
        d = d[..., 1:-1]
    unfit = ~((d >= 0) & (d < np.inf))
    if unfit.any():
        raise ValueError(f"d must be finite and >= 0 between the ends, got {d[unfit][0]}")
    thickness = np.zeros((*d.shape[:-1], media))
    thickness[..., 1:-1] = d
    return thickness


def _angle(theta):
    theta = _arrays.real("theta", theta)
    steep = ~(np.abs(theta) <= theta.dtype.type(np.pi / 2))
    if steep.any():
        raise ValueError(
            f"theta must be in radians, |theta| <= pi/2, got {theta[steep][0]}: "
            f"np.deg2rad converts degrees"
        )
    return theta.astype(np.float64)
