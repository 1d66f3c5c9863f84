"""The waves in a solved stack of layers, and what follows from them."""

import functools
import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _arrays, _run
from .._run import Call, Output, Step, tiles
from .._typing import Array
from ..field import layered_field
from ..kernels.optics import ABSORPTION, INCIDENCE, INTENSITY, P_POLARISED, POYNTING, S_POLARISED

Reals: TypeAlias = NDArray[np.float64]
Complexes: TypeAlias = NDArray[np.complex128]

LAYER = 40  # ns in one stack and polarisation, above the compiled ones
_PLANE = 60  # likewise
_NAMES = {S_POLARISED: "s", P_POLARISED: "p"}
_STRIP = 1024  # planes at least for which a stack is solved
_FLOAT64, _COMPLEX128 = np.dtype(np.float64), np.dtype(np.complex128)


class StackSolution:
    """The waves in a stack of layers, as `solve_stack` finds them.

    Shapes: (...) are the axes of the stacks, first of them, for pol="both", one of two; N media.
    All is in double precision. For one stack, where the shape (...) is (), the numbers r, t, R, T,
    power_entering, A and kx are NumPy's scalars, float64 or complex128, and so is what a method
    gives at one depth z. R, T and power_entering are there from the start; the other attributes are
    computed when they are first asked for, and kept.

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

    def __init__(
        self,
        stacks: dict[str, Any],
        incident: dict[str, Any],
        kept: tuple[str, int],
        batch: tuple[int, ...],
        thickness: Reals,
        outside: Reals,
    ) -> None:
        self._stacks, self._incident, self._kept = stacks, incident, kept
        self._batch, self._thickness, self._outside = batch, thickness, outside
        self.R: Reals
        self.T: Reals
        self.power_entering: Reals
        *_, self.R, self.T, self.power_entering = outside

    def __repr__(self) -> str:
        pol = "both" if self._count == 2 else _NAMES[self._stacks["first"]]
        media = self._thickness.shape[-1]
        lines = [f'StackSolution: {media} media, pol="{pol}", stacks of shape {self._shape}']
        for name in ("R", "T", "A"):
            lines.append(f"{name} = {_short(getattr(self, name))}")
        return "\n    ".join(lines)

    @functools.cached_property
    def r(self) -> Complexes:
        return _complex(*self._outside[:2])

    @functools.cached_property
    def t(self) -> Complexes:
        return _complex(*self._outside[2:4])

    @functools.cached_property
    def A(self) -> Reals:
        return self.power_entering - self.T

    @property
    def _shape(self) -> tuple[int, ...]:
        return self._outside.shape[1:]

    @property
    def _count(self) -> int:
        """How many polarisations there are."""
        return 2 if len(self._shape) > len(self._batch) else 1

    def _sizes(self) -> tuple[int, int, int]:
        """How many polarisations, stacks and media there are."""
        return self._count, math.prod(self._batch), self._thickness.shape[-1]

    def _run(self, step: Step, arrays: dict[str, Any], **outputs: Output) -> Any:
        """The results of a step on the stacks, with more arrays."""
        every = {**self._stacks, **arrays, **outputs}
        call = Call("optics", _COMPLEX128, every, [step], tuple(outputs))
        return _run.run(call, *self._kept)

    @functools.cached_property
    def _incidence(self) -> Reals:
        """What comes to each stack: INCIDENCE numbers."""
        stacks = math.prod(self._batch)
        found = Output((stacks, INCIDENCE), _FLOAT64)
        step = Step("incidence", tiles.rows(stacks, LAYER))
        incidence: Reals = self._run(step, self._incident, found=found)
        return incidence

    @functools.cached_property
    def kx(self) -> Complexes:
        a = self._incidence[:, 1:3].view(_COMPLEX128)[:, 0]
        kx: Complexes = (self._incidence[:, 0] * a).reshape(self._batch)
        return kx[()]

    @functools.cached_property
    def interfaces(self) -> Reals:
        return self._thickness[..., :-1].cumsum(axis=-1)

    @functools.cached_property
    def _waves(self) -> tuple[Complexes, Complexes]:
        count, stacks, media = self._sizes()
        kz = Output((*self._batch, media), _COMPLEX128, (stacks, media))
        seen = count, stacks, media, 2
        amplitudes = Output((*self._shape, media, 2), _COMPLEX128, seen)
        step = Step("waves", tiles.rows(stacks, LAYER * media * count))
        waves: tuple[Complexes, Complexes] = self._run(
            step, {"incidence": self._incidence}, kz=kz, amplitudes=amplitudes
        )
        return waves

    @property
    def kz(self) -> Complexes:
        return self._waves[0]

    @property
    def amplitudes(self) -> Complexes:
        return self._waves[1]

    @functools.cached_property
    def _media(self) -> tuple[Array, Array, Array]:
        """n, and the sine and cosine of the angle in each medium."""
        rows, n, k0 = self._stacks["rows"], self._stacks["n"], self._incidence[:, 0]
        n = n[rows[:, 0]].reshape(self.kz.shape)
        k = k0.reshape(self._batch)[..., None] * n
        return n, self.kx[..., None] / k, self.kz / k

    @functools.cached_property
    def vectors(self) -> Complexes:
        return self._of_each(self._electric)

    @functools.cached_property
    def _magnetic_vectors(self) -> Complexes:
        return self._of_each(self._magnetic)

    def _electric(self, pol: int) -> Complexes:
        if pol == S_POLARISED:
            return _vectors(0, np.ones(self._thickness.shape[-1]), 0)
        _, sine, cosine = self._media
        return _vectors(cosine, 0, -sine)

    def _magnetic(self, pol: int) -> Complexes:
        n, sine, cosine = self._media
        if pol == S_POLARISED:
            return _vectors(-n * cosine, 0, n * sine)
        return _vectors(0, n, 0)

    def _of_each(self, vectors: Callable[[int], Complexes]) -> Complexes:
        """What `vectors(pol)` gives for the polarisations asked for."""
        first = self._stacks["first"]
        found = [vectors(pol) for pol in range(first, first + self._count)]
        return np.stack(np.broadcast_arrays(*found)) if self._count == 2 else found[0]

    @functools.cached_property
    def layer_absorption(self) -> Reals:
        count, stacks, media = self._sizes()
        out = Output((*self._shape, media - 2), _FLOAT64, (count, stacks, media - 2))
        step = Step("absorb", tiles.rows(stacks, 2 * LAYER * (media - 2) * count))
        absorbed: Reals = self._run(step, {"incidence": self._incidence}, absorbed=out)
        return absorbed

    def field(
        self,
        z: ArrayLike,
        x: ArrayLike | None = None,
        *,
        coherent_weights: ArrayLike | None = None,
    ) -> Complexes:
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

    def magnetic_field(self, z: ArrayLike, x: ArrayLike | None = None) -> Complexes:
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

    def intensity(
        self,
        z: ArrayLike,
        x: ArrayLike | None = None,
        *,
        coherent_weights: ArrayLike | None = None,
        incoherent_weights: ArrayLike | None = None,
    ) -> Reals:
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

    def poynting(self, z: ArrayLike, *, incoherent_weights: ArrayLike | None = None) -> Reals:
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

    def absorption(self, z: ArrayLike, *, incoherent_weights: ArrayLike | None = None) -> Reals:
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

    def _map(self, z: ArrayLike, x: ArrayLike | None, vectors: Complexes, **keywords: Any) -> Array:
        backend, workers = self._kept
        kx = None if x is None else self.kx
        result: Array = layered_field(
            z, self.interfaces, self.kz, self.amplitudes, vectors, backward_reference="far",
            x=x, kx=kx, backend=backend, workers=workers,
            **{name: value for name, value in keywords.items() if value is not None},
        )  # fmt: skip
        return result

    def _depth(self, what: int, depths: ArrayLike, incoherent_weights: ArrayLike | None) -> Array:
        """A quantity (INTENSITY, POYNTING or ABSORPTION) at these depths: of each stack, or summed
        over the stacks with weights."""
        z: Array = _arrays.coordinates("z", depths)
        if not z.ndim:
            return self._depth(what, z[None], incoherent_weights)[..., 0][()]
        z = _arrays.ready(z, _FLOAT64)
        shape = self._shape
        if incoherent_weights is None:
            stacks = math.prod(self._batch)
            return self._sums(what, z, np.ones(shape), shape, self._count, stacks, 1)
        weights = _arrays.real("incoherent_weights", incoherent_weights)
        more = weights.shape[: -len(shape)] if shape else ()
        if more:  # several sums of all stacks
            sums = np.empty((math.prod(more), *shape[:-1], len(z)))
            sets = weights.reshape(len(sums), *weights.shape[len(more) :])
            for one, total in zip(sets, sums, strict=True):
                total[...] = self._depth(what, z, one)
            return sums.reshape(*more, *sums.shape[1:])
        weights = _weights("incoherent_weights", weights, shape)
        if not self._batch:  # the sum of both polarisations
            return self._sums(what, z, weights, (), 1, 1, 1)
        *groups, K = self._batch
        return self._sums(what, z, weights, shape[:-1], self._count, math.prod(groups), K)

    def _sums(
        self,
        what: int,
        z: Array,
        weights: Array,
        lead: tuple[int, ...],
        sums: int,
        groups: int,
        K: int,
    ) -> Array:
        """A quantity at depths z, summed with weights over the K stacks of each group: an array of
        shape (*lead, Nz), which the blocks fill as one of shape (sums, groups, Nz)."""
        stacks, planes, count = groups * K, len(z), self._count
        bounds: list[tuple[int, ...]]
        result: Array
        cost = _PLANE * count * K
        if tiles.is_short(cost * groups * planes):
            bounds = [(0, groups, 0, planes)]
        else:
            length = tiles.split(groups * planes, cost)
            tile = max(1, length // planes), min(planes, max(length, _STRIP))
            bounds = tiles.grid((groups, planes), tile)
            if K > 1 and len(bounds) < 8:  # each of a few sums in parts
                arrays = {
                    "incidence": self._incidence, "z": z, "what": what,
                    "weights": weights.reshape(count, stacks),
                }  # fmt: skip
                step = Step("add_depth", tiles.rows(stacks, _PLANE * count * planes))
                out = Output((*lead, planes), _FLOAT64, (sums * groups, planes))
                result = self._run(step, arrays, out=out)
                return result
        arrays = {
            "rows": self._stacks["rows"].reshape(groups, K, 2),
            "incidence": self._incidence.reshape(groups, K, INCIDENCE),
            "z": z,
            "what": what,
            "weights": weights.reshape(count, groups, K),
        }
        out = Output((*lead, planes), _FLOAT64, (sums, groups, planes))
        result = self._run(Step("depth", bounds), arrays, out=out)
        return result


def _complex(re: Reals, im: Reals) -> Complexes:
    """The complex numbers with these parts."""
    numbers = np.empty(np.shape(re), _COMPLEX128)
    numbers.real, numbers.imag = re, im
    return numbers[()]


def _short(numbers: Reals) -> str:
    """One or two numbers as they are, of more the range."""
    if np.size(numbers) < 3:
        return np.array2string(np.asarray(numbers), precision=6, separator=", ")
    known = numbers[~np.isnan(numbers)]
    return f"{known.min():.6g} … {known.max():.6g}" if known.size else "nan"


def _vectors(x: Any, y: Any, z: Any) -> Complexes:
    """Directions of the two waves' fields: the backward one's x is minus the forward one's."""
    vectors = np.empty((*np.broadcast_shapes(*map(np.shape, (x, y, z))), 2, 3), complex)
    vectors[..., 0, 0], vectors[..., 1, 0] = x, np.negative(x)
    vectors[..., 1], vectors[..., 2] = np.expand_dims(y, -1), np.expand_dims(z, -1)
    return vectors


def _weights(name: str, weights: Array, shape: tuple[int, ...]) -> Array:
    """The weights, one for each stack and polarisation."""
    if not shape:
        raise ValueError(f"{name} needs an axis of stacks to sum over, and the solution has none")
    try:
        if not weights.ndim:
            raise ValueError
        return _arrays.ready(np.broadcast_to(weights, shape), _FLOAT64)
    except ValueError:
        raise ValueError(
            f"{name} must have shape (..., {shape[-1]}) and broadcast to {shape}, the axes of the "
            f"stacks, got shape {weights.shape}"
        ) from None
