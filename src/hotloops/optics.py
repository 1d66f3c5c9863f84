"""Light in layered media: what a stack of layers reflects, transmits and absorbs, and where."""

import functools
import math

import numpy as np

from . import _arrays, _optics_checks, _run
from ._run import Call, Output, Step, tiles
from .field import layered_field
from .kernels.optics import ABSORPTION, INTENSITY, POYNTING

__all__ = ["StackSolution", "from_tmm", "solve_stack"]

_POLARISATIONS = {"s": (0, 1), "p": (1, 1), "both": (0, 2)}  # the first, and how many
_LAYER, _PLANE = 40, 60  # ns in one stack and polarisation, above the compiled ones
_STRIP = 1024  # planes at least for which a stack is solved
_SINE, _PRODUCT = 40, 10  # ns for one
_PER_TURN = np.float64(0.15915494309189535), np.float64(-9.839338337591243e-18)  # 1 / 2π, two parts
_COMPLEX = np.dtype(complex)
_POL_HINT = ': "s" is TE and "p" is TM; unpolarised light is the mean of the two that "both" gives'


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
    first, count = _POLARISATIONS[_arrays.choice("pol", pol, _POLARISATIONS, _POL_HINT)]
    n, d = _arrays.complex_("n", n), _arrays.real("d", d)
    thickness = _optics_checks.thickness(n, d)
    _optics_checks.media(n)
    wavelength = _arrays.real("wavelength", wavelength).astype(np.float64)
    _optics_checks.wavelength(wavelength, thickness)
    kept = _run.kept("optics", backend, workers)
    k0 = 2 * np.pi / wavelength
    if kx is None:
        theta = _optics_checks.angle(theta)
        batch = _optics_checks.batch(n, d, wavelength, theta=theta)
        a, low = _products(kept, n[..., 0], *_sines(kept, theta))
        _optics_checks.incidence(n[..., 0], a)
        kx = k0 * a
    else:
        if np.ndim(theta) or theta != 0:
            raise ValueError("kx must come without theta, got both")
        kx = _arrays.complex_("kx", kx).astype(np.complex128)
        _optics_checks.along(kx, wavelength)
        batch = _optics_checks.batch(n, d, wavelength, kx=kx)
        per_k0 = _products(kept, wavelength, *_PER_TURN)
        a, low = _products(kept, kx, *(part.real for part in per_k0))
    media = n.shape[-1]
    stacks = {
        "rows": _rows(batch, n.shape[:-1], thickness.shape[:-1]),
        "n": np.array(n, np.complex128, order="C").reshape(-1, media),  # whatever happens to n
        "thickness": thickness.reshape(-1, media),
        "k0": _flat(k0, batch),
        "a": _flat(a, batch),
        "low": _flat(low, batch),
        "first": first,
    }
    seen = count, math.prod(batch)
    shape = (2, *batch) if count == 2 else batch
    amplitude, power = (Output(shape, dtype, seen) for dtype in (complex, float))
    found = {"r": amplitude, "t": amplitude, "R": power, "T": power, "entering": power}
    solve = Step("solve", tiles.rows(seen[1], _LAYER * media * count))
    found = _run.run(Call("optics", _COMPLEX, {**stacks, **found}, [solve], tuple(found)), *kept)
    kx = _flat(kx, batch).reshape(batch)[()]
    return StackSolution(stacks, kept, count, thickness, kx, *(array[()] for array in found))


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
        |r|². Where the first medium absorbs it is no share of a power, and may exceed 1.
    T : ndarray, shape (...)
        Flux along z into the last medium over the incident wave's; NaN where that carries none. For
        complex kx it may be negative.
    power_entering : ndarray, shape (...)
        Flux along z into the stack over the incident wave's: 1 − R unless the first medium absorbs,
        where the two waves mix.
    A : ndarray, shape (...)
        power_entering − T, what the layers absorb, as a difference: to 1e-16, and not to the digits
        of weak absorbers, for which there is `layer_absorption`. For complex kx the fluxes along x
        are part of it: it may be negative and is not the sum of `layer_absorption`.
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
        What each layer absorbs over the incident flux along z: the integral of k0 Im(n²) |E|² over
        that, which is 0 in a transparent layer, keeps its digits in a weak absorber, and is
        absorbed power for any kx. For complex kx it is that at x = 0. NaN where the incident wave
        carries no power.

    Notes
    -----
    The methods take depths z (Nz,), any order, 0 at the first interface and negative before it, in
    the unit of d; and positions x (Nx,) along the layers, without which it is x = 0. One number z
    or x makes no axis. A method takes the amplitude of every incident wave to be 1.

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
    >>> film
    StackSolution: 3 media, pol="s", stacks of shape ()
        R = 0.157605
        T = 0.507155
        A = 0.335239
    >>> film.layer_absorption.round(4)
    array([0.3352])
    >>> film.intensity(np.array([0, 100, 200])).round(3)
    array([0.378, 0.371, 0.338])
    """

    def __init__(self, stacks, kept, count, thickness, kx, r, t, R, T, power_entering):
        self._stacks, self._kept, self._count = stacks, kept, count
        self.r, self.t, self.R, self.T, self.power_entering = r, t, R, T, power_entering
        self.A = power_entering - T
        self.kx = kx
        self._thickness = thickness

    def __repr__(self):
        pol = "both" if self._count == 2 else "sp"[self._stacks["first"]]
        media = self._thickness.shape[-1]
        lines = [f'StackSolution: {media} media, pol="{pol}", stacks of shape {self._shape}']
        for name in ("R", "T", "A"):
            lines.append(f"{name} = {_short(getattr(self, name))}")
        return "\n    ".join(lines)

    @property
    def _shape(self):
        return self.r.shape

    @functools.cached_property
    def interfaces(self):
        return self._thickness[..., :-1].cumsum(axis=-1)

    @functools.cached_property
    def _waves(self):
        stacks, media = self.kx.size, self._thickness.shape[-1]
        kz = Output((*self.kx.shape, media), complex, (stacks, media))
        seen = self._count, stacks, media, 2
        amplitudes = Output((*self._shape, media, 2), complex, seen)
        waves = Step("waves", tiles.rows(stacks, _LAYER * media * self._count))
        return self._carry_out(waves, self._stacks, kz=kz, amplitudes=amplitudes)

    def _carry_out(self, step, arrays, **outputs):
        call = Call("optics", _COMPLEX, {**arrays, **outputs}, [step], tuple(outputs))
        return _run.run(call, *self._kept)

    @property
    def kz(self):
        return self._waves[0]

    @property
    def amplitudes(self):
        return self._waves[1]

    @functools.cached_property
    def _media(self):
        """n, and the sine and cosine of the angle in each medium."""
        rows, n = self._stacks["rows"], self._stacks["n"]
        n = n[rows[:, 0]].reshape(self.kz.shape)
        k = self._stacks["k0"].reshape(self.kx.shape)[..., None] * n
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
        first = self._stacks["first"]
        found = [vectors(pol) for pol in range(first, first + self._count)]
        return np.stack(np.broadcast_arrays(*found)) if self._count == 2 else found[0]

    @functools.cached_property
    def layer_absorption(self):
        stacks, layers = self.kx.size, self._thickness.shape[-1] - 2
        absorbed = Output((*self._shape, layers), float, (self._count, stacks, layers))
        absorb = Step("absorb", tiles.rows(stacks, 2 * _LAYER * layers * self._count))
        return self._carry_out(absorb, self._stacks, absorbed=absorbed)

    def field(self, z, x=None, *, coherent_weights=None):
        """Electric field.

        Parameters
        ----------
        z, x : array_like, shape (Nz,) or () and (Nx,) or ()
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
        z, x : array_like, shape (Nz,) or () and (Nx,) or ()
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
        z, x : array_like, shape (Nz,) or () and (Nx,) or ()
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
            x = _arrays.coordinates("x", x)
            return np.repeat(profile[..., None], len(x), axis=-1) if x.ndim else profile
        weights = {
            "coherent_weights": coherent_weights,
            "incoherent_weights": incoherent_weights,
        }
        return self._map(z, x, self.vectors, what="intensity", **weights)

    def poynting(self, z, *, incoherent_weights=None):
        """Flux of power along z over that of the incident wave.

        Parameters
        ----------
        z : array_like, shape (Nz,) or ()
            See the notes on the class.
        incoherent_weights : array_like, shape (..., K), optional
            Likewise.

        Returns
        -------
        ndarray, shape (..., Nz)
            At z = 0 `power_entering`, at the last interface T; NaN where the incident wave carries
            none.
        """
        return self._depth(POYNTING, z, incoherent_weights)

    def absorption(self, z, *, incoherent_weights=None):
        """Power absorbed for each unit of depth, over the incident flux: k0 Im(n²) |E|².

        Parameters
        ----------
        z : array_like, shape (Nz,) or ()
            See the notes on the class.
        incoherent_weights : array_like, shape (..., K), optional
            Likewise.

        Returns
        -------
        ndarray, shape (..., Nz)
            At x = 0. For real kx it is minus the derivative of `poynting`. NaN where the incident
            wave carries no power.
        """
        return self._depth(ABSORPTION, z, incoherent_weights)

    def _map(self, z, x, vectors, **keywords):
        backend, workers = self._kept
        kx = None if x is None else self.kx
        return layered_field(
            z, self.interfaces, self.kz, self.amplitudes, vectors, backward_reference="far",
            x=x, kx=kx, backend=backend, workers=workers,
            **{name: value for name, value in keywords.items() if value is not None},
        )  # fmt: skip

    def _depth(self, what, z, incoherent_weights):
        z = _arrays.coordinates("z", z)
        if not z.ndim:
            return self._depth(what, z[None], incoherent_weights)[..., 0][()]
        z = _arrays.ready(z, np.float64)
        shape = self._shape
        if incoherent_weights is None:
            return self._sums(what, z, np.ones(shape), shape, self._count, self.kx.size, 1)
        weights = _arrays.real("incoherent_weights", incoherent_weights)
        more = weights.shape[: -len(shape)] if shape else ()
        if more:  # several sums of all stacks
            sums = np.empty((math.prod(more), *shape[:-1], len(z)))
            sets = weights.reshape(len(sums), *weights.shape[len(more) :])
            for one, total in zip(sets, sums, strict=True):
                total[...] = self._depth(what, z, one)
            return sums.reshape(*more, *sums.shape[1:])
        weights = _weights("incoherent_weights", weights, shape)
        if not self.kx.ndim:  # the sum of both polarisations
            return self._sums(what, z, weights, (), 1, 1, 1)
        *groups, K = self.kx.shape
        return self._sums(what, z, weights, shape[:-1], self._count, math.prod(groups), K)

    def _sums(self, what, z, weights, lead, sums, groups, K):
        """The weighted sums of K stacks each, shape (*lead, Nz), for blocks (sums, groups, Nz)."""
        stacks, planes = groups * K, len(z)
        arrays = {**self._stacks, "z": z, "what": what}
        cost = _PLANE * self._count * K
        if tiles.is_short(cost * groups * planes):
            bounds = [(0, groups, 0, planes)]
        else:
            count = tiles.split(groups * planes, cost)
            tile = max(1, count // planes), min(planes, max(count, _STRIP))
            bounds = tiles.grid((groups, planes), tile)
            if K > 1 and len(bounds) < 8:  # each of a few sums in parts
                arrays["weights"] = weights.reshape(self._count, stacks)
                step = Step("add_depth", tiles.rows(stacks, _PLANE * self._count * planes))
                out = Output((*lead, planes), float, (sums * groups, planes))
                return self._carry_out(step, arrays, out=out)
        arrays["weights"] = weights.reshape(self._count, groups, K)
        arrays["rows"] = arrays["rows"].reshape(groups, K, 2)
        for name in ("k0", "a", "low"):
            arrays[name] = arrays[name].reshape(groups, K)
        out = Output((*lead, planes), float, (sums, groups, planes))
        return self._carry_out(Step("depth", bounds), arrays, out=out)


def _short(numbers):
    """One or two numbers as they are, of more the range."""
    if np.size(numbers) < 3:
        return np.array2string(np.asarray(numbers), precision=6, separator=", ")
    known = numbers[~np.isnan(numbers)]
    return f"{known.min():.6g} … {known.max():.6g}" if known.size else "nan"


def _vectors(x, y, z):
    """Directions of the two waves' fields: the backward one's x is minus the forward one's."""
    vectors = np.empty((*np.broadcast_shapes(*map(np.shape, (x, y, z))), 2, 3), complex)
    vectors[..., 0, 0], vectors[..., 1, 0] = x, np.negative(x)
    vectors[..., 1], vectors[..., 2] = np.expand_dims(y, -1), np.expand_dims(z, -1)
    return vectors


def _weights(name, weights, shape):
    """Weights of all stacks."""
    if not shape:
        raise ValueError(f"{name} needs an axis of stacks to sum over, and the solution has none")
    try:
        if not weights.ndim:
            raise ValueError
        return _arrays.ready(np.broadcast_to(weights, shape), np.float64)
    except ValueError:
        raise ValueError(
            f"{name} must have shape (..., {shape[-1]}) and broadcast to {shape}, the axes of the "
            f"stacks, got shape {weights.shape}"
        ) from None


def _sines(kept, theta):
    """The sines of theta, and what these numbers lack."""
    return _each("sines", _SINE, kept, theta.shape, float, ("sine", "low"), theta=theta)


def _products(kept, x, y, rest):
    """x (y + rest), of complex x and real y, and what these numbers lack."""
    shape, x = np.broadcast(x, y).shape, x.astype(np.complex128)
    names = "product", "low"
    return _each("products", _PRODUCT, kept, shape, complex, names, x=x, y=y, rest=rest)


def _each(block, cost, kept, shape, dtype, names, **inputs):
    """The results `names` of a block for each element of the inputs, which broadcast to `shape`."""
    size = math.prod(shape)
    arrays = {name: _flat(array, shape) for name, array in inputs.items()}
    arrays |= dict.fromkeys(names, Output(shape, dtype, (size,)))
    return _run.run(
        Call("optics", _COMPLEX, arrays, [Step(block, tiles.rows(size, cost))], names), *kept
    )


def _rows(batch, *leads):
    """For each stack the row of each operand, of these leading axes."""
    rows = np.zeros((*batch, len(leads)), np.intp)
    for k, lead in enumerate(leads):
        if lead:
            rows[..., k] = np.arange(math.prod(lead)).reshape(lead)
    return rows.reshape(-1, len(leads))


def _flat(array, batch):
    if array.shape != batch:
        array = np.broadcast_to(array, batch)
    return _arrays.ready(array).reshape(-1)
