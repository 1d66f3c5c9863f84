"""Electric fields in layered media."""

import functools
import math
import operator
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias, overload

import numpy as np
from numpy.typing import ArrayLike

from . import _arrays
from ._run import Call, HostStep, Output, Step, run, tiles
from ._typing import Array, Complexes, Floats, Numbers
from .kernels.field import COLUMNS, OPERANDS, WAVES

__all__ = ["layered_field"]

Reference: TypeAlias = Literal["near", "far"]
What: TypeAlias = Literal["field", "intensity"]

_FLOAT64, _COMPLEX128 = np.dtype(np.float64), np.dtype(np.complex128)
_FAR = {"near": False, "far": True}
_FAR_HINT = (
    ". The backward wave's amplitude is its value at a reference plane, the interface before its "
    'layer ("near": tmm\'s vw_list) or the one after it ("far": never overflows in an absorbing '
    "layer). The two differ by exp(-i kz thickness), and the wrong one gives a wrong field"
)
# of what is not given: kx, and the weights
_ZERO, _ONE, _REAL_ONE = np.zeros((), _COMPLEX128), np.ones((), _COMPLEX128), np.ones(())
_WHAT = ("field", "intensity")
_BEAM = 96, 512  # planes and columns of a tile that sums waves: 6 MB with its tables
_LONG_SUM = 4096  # waves, of which so large a tile would take long
_FEW = 2048  # points that are too few to share out
_SHARES = 64  # of a sum, at most


def __dir__() -> list[str]:
    return __all__


@overload
def layered_field(
    z: ArrayLike,
    interfaces: ArrayLike,
    kz: ArrayLike,
    amplitudes: ArrayLike,
    vectors: ArrayLike,
    *,
    backward_reference: Reference,
    x: ArrayLike | None = None,
    kx: ArrayLike | None = None,
    grid: bool = True,
    what: Literal["field"] = "field",
    coherent_weights: ArrayLike | None = None,
    incoherent_weights: ArrayLike | None = None,
    out: Complexes | None = None,
    backend: str | None = None,
    workers: int | None = None,
) -> Complexes: ...


@overload
def layered_field(
    z: ArrayLike,
    interfaces: ArrayLike,
    kz: ArrayLike,
    amplitudes: ArrayLike,
    vectors: ArrayLike,
    *,
    backward_reference: Reference,
    x: ArrayLike | None = None,
    kx: ArrayLike | None = None,
    grid: bool = True,
    what: Literal["intensity"],
    coherent_weights: ArrayLike | None = None,
    incoherent_weights: ArrayLike | None = None,
    out: Floats | None = None,
    backend: str | None = None,
    workers: int | None = None,
) -> Floats: ...


@overload
def layered_field(
    z: ArrayLike,
    interfaces: ArrayLike,
    kz: ArrayLike,
    amplitudes: ArrayLike,
    vectors: ArrayLike,
    *,
    backward_reference: Reference,
    x: ArrayLike | None = None,
    kx: ArrayLike | None = None,
    grid: bool = True,
    what: What,
    coherent_weights: ArrayLike | None = None,
    incoherent_weights: ArrayLike | None = None,
    out: Numbers | None = None,
    backend: str | None = None,
    workers: int | None = None,
) -> Numbers: ...


def layered_field(
    z: ArrayLike,
    interfaces: ArrayLike,
    kz: ArrayLike,
    amplitudes: ArrayLike,
    vectors: ArrayLike,
    *,
    backward_reference: Reference,
    x: ArrayLike | None = None,
    kx: ArrayLike | None = None,
    grid: bool = True,
    what: What = "field",
    coherent_weights: ArrayLike | None = None,
    incoherent_weights: ArrayLike | None = None,
    out: Numbers | None = None,
    backend: str | None = None,
    workers: int | None = None,
) -> Numbers:
    """Electric field of plane waves in a stack of layers, or its intensity: on a grid, at points or
    along a depth profile, for each wave or summed over them.

    .. math:: E(z, x) = e^{i k_x x} \\left[ v^+_n a^+_n e^{i k_{z,n} (z - z^+_n)}
              + v^-_n a^-_n e^{-i k_{z,n} (z - z^-_n)} \\right], \\quad
              I = \\sum_m w_m \\Big| \\sum_k c_{mk} E_{mk} \\Big|^2

    for z in medium n, in the time factor exp(−iωt). Media are half-open,
    ``interfaces[n-1] <= z < interfaces[n]``; the first and the last are unbounded.

    Parameters
    ----------
    z : array_like, shape (Nz,) or (), or any shape with ``grid=False``
        Depths, in any order. One number makes no axis.
    interfaces : array_like, shape (..., N − 1)
        Where medium n ends and n + 1 begins, finite and ascending; equal ones make a layer of no
        thickness. With one medium there is none, and the reference planes are z = 0.
    kz : array_like, shape (..., N)
        Wave vector along z, in radians per unit of z; in absorbing media its imaginary part is
        positive.
    amplitudes : array_like, shape (..., N, 2)
        a⁺, a⁻: the forward and the backward wave at their reference planes. A wave whose amplitude
        is 0 is absent: nothing of it is evaluated, whatever its exponential would be.
    vectors : array_like, shape (..., N, 2, 3)
        v⁺, v⁻: the directions (x, y, z) of the two waves' electric fields.
    backward_reference : {"near", "far"}
        z⁻: the interface before the medium, as in the `vw_list` of tmm, or the one after it. In
        the first medium both are interfaces[0], in the last interfaces[-1]. z⁺ is always the
        interface before, in the first medium interfaces[0].
    x : array_like, shape (Nx,) or (), or the shape of z with ``grid=False``, optional
        Positions along the layers, with `kx`. Without the two: the profile at x = 0.
    kx : array_like, shape (...), optional
        Wave vector along x, the same in all media.
    grid : bool
        Every z with every x; False: z and x are the coordinates of points.
    what : {"field", "intensity"}
        E, or the squared modulus of its three components together, without ever holding E.
    coherent_weights : array_like, shape (..., K), optional
        c: the K waves of the last leading axis are one field, their sum with these complex
        amplitudes; the plane waves of a beam, say.
    incoherent_weights : array_like, shape (..., M), optional
        w: the intensities of the last leading axis are summed with these real weights; a spectrum,
        say. Beside `coherent_weights` it is the axis before: what is the last one when the coherent
        sum is done. Of intensities only.
    out : ndarray, of the result's shape and dtype, optional
        Where to put the result. Reusing one array avoids the page faults of a new one.
    backend : {"cython", "numba", "numpy"}, optional
        See `set_backend`.
    workers : int, optional
        See `set_workers`.

    Returns
    -------
    ndarray, shape (..., Nz, Nx, 3), or (..., Nz, 3) without x, or (..., *z.shape, 3) at points
        Leading axes (wavelength, angle, polarisation …) broadcast, those of the weights too; the
        ones summed over are gone. complex64 if `amplitudes` and `vectors` are single precision,
        else complex128. An intensity has no last axis and is real, float32 or float64.

    Raises
    ------
    TypeError
        For z, interfaces or x that are not real, or others that are not numbers.
    ValueError
        For shapes that do not meet, interfaces that are not finite or not ascending, x without kx
        or kx without x, points without x, incoherent_weights of a field, an unknown
        backward_reference or what, an unfit `out`.

    Notes
    -----
    `backward_reference` follows from how the amplitudes were computed; the wrong one gives a wrong
    field and no error. They pass from one to the other by a(far) = a(near) · exp(−i kz thickness).
    In a thick absorbing layer the near amplitude underflows and its exponential overflows: "far",
    with which both waves only decay, has no such limit.

    From `coh_tmm` of tmm: interfaces ``np.cumsum([0, *d_list[1:-1]])``, kz ``kz_list``, and as near
    amplitudes ``vw_list`` with its first row, which is zeros, set to (1, r).

    A loop over media with masks ``(z >= d_cum[n-1]) & (z < d_cum[n])``, on edges d_cum (N,), is
    ``layered_field(z, d_cum[:-1], …, backward_reference="near")`` for d_cum[0] <= z < d_cum[-1].
    Below, the loop's ``d_cum[n-1]`` at n = 0 wraps round to the last edge and drops medium 0;
    above, it drops the last medium.

    Accuracy: all is computed in double precision, and a result in single rounded once. The relative
    error of a wave is a few ulps, and 1.1e-16 for each radian of its phase; that of a sum is
    relative to the sum of its terms' sizes. Where z is not finite the field is NaN; other NaN
    travel.

    Cost: O(Nz log N + Nx) for the searches and exponentials of each wave, each exponential inside
    its layer only, and the writing of the result. A coherent sum on a grid is a matrix product of
    6 Nz Nx K operations for each component that some wave has; an incoherent one costs little more
    than its profiles where Im kx is the same in all waves. Memory: the result, 56 bytes a wave and
    at most 12 MB a worker, however many waves are summed.

    Source: Born & Wolf, *Principles of Optics*, 7th ed., 1999, section 1.6.

    Examples
    --------
    From vacuum into glass, at normal incidence: r = −0.2, t = 0.8, and a standing wave before it.

    >>> import numpy as np
    >>> import hotloops as hl
    >>> kz = 2 * np.pi * np.array([1.0, 1.5])
    >>> amplitudes = [[1.0, -0.2], [0.8, 0.0]]
    >>> vectors = np.broadcast_to([0.0, 1.0, 0.0], (2, 2, 3))
    >>> z = [-0.5, -0.25, 0.0, 0.5]
    >>> field = hl.layered_field(z, [0.0], kz, amplitudes, vectors, backward_reference="far")
    >>> np.abs(field[:, 1])
    array([0.8, 1.2, 0.8, 0.8])

    Its intensity, and that of three wavelengths together, weighted as in their spectrum:

    >>> stack = {"interfaces": [0.0], "amplitudes": amplitudes, "vectors": vectors}
    >>> far = {"backward_reference": "far"}
    >>> hl.layered_field(z, kz=kz, **stack, **far, what="intensity")
    array([0.64, 1.44, 0.64, 0.64])
    >>> several = kz / np.array([[0.9], [1.0], [1.1]])
    >>> spectrum = [0.25, 0.5, 0.25]
    >>> hl.layered_field(
    ...     z, kz=several, **stack, **far, what="intensity", incoherent_weights=spectrum
    ... ).round(3)
    array([0.679, 1.43 , 0.64 , 0.64 ])

    Two plane waves that cross make fringes along x: on a grid (z, x), and at two points.

    >>> beam = {"kx": [3.0, -3.0], "coherent_weights": [0.5, 0.5]}
    >>> x = np.pi / 6 * np.arange(3)
    >>> fringes = hl.layered_field([0.5], kz=[kz, kz], **stack, **far, x=x, **beam)
    >>> np.abs(fringes[0, :, 1]).round(12)
    array([0.8, 0. , 0.8])
    >>> points = hl.layered_field(
    ...     [0.5, 0.7], kz=[kz, kz], **stack, **far, x=x[:2], **beam, grid=False
    ... )
    >>> np.abs(points[:, 1]).round(12)
    array([0.8, 0. ])
    """
    far = _FAR[_arrays.choice("backward_reference", backward_reference, _FAR, _FAR_HINT)]
    intensity = _arrays.choice("what", what, _WHAT) == "intensity"
    if (x is None) != (kx is None):
        given, missing = ("kx", "x") if x is None else ("x", "kx")
        raise ValueError(f"x and kx must come together, got {given} without {missing}")
    z, x, places = _places(z, x, grid)
    stack: dict[str, Array] = {
        "interfaces": _arrays.real("interfaces", interfaces),
        "kz": _arrays.complex_("kz", kz),
        "amplitudes": _arrays.complex_("amplitudes", amplitudes),
        "vectors": _arrays.complex_("vectors", vectors),
        "kx": _ZERO if kx is None else _arrays.complex_("kx", kx),
        "coherent_weights": _ONE,
        "incoherent_weights": _REAL_ONE,
    }
    dtype = _arrays.common_dtype(stack["amplitudes"], stack["vectors"])
    if coherent_weights is not None:
        weights = _arrays.complex_("coherent_weights", coherent_weights)
        stack["coherent_weights"] = _with_an_axis("coherent_weights", weights)
    if incoherent_weights is not None:
        if not intensity:
            raise ValueError('incoherent_weights needs what="intensity": fields add up coherently')
        powers = _arrays.real("incoherent_weights", incoherent_weights)
        powers = _with_an_axis("incoherent_weights", powers)
        # the last axis that is left when the coherent sum is done
        stack["incoherent_weights"] = powers if coherent_weights is None else powers[..., None]
    batch, rows = _batch(stack)
    waves, beams = 1, 1
    if coherent_weights is not None:
        batch, waves = batch[:-1], batch[-1]
    if incoherent_weights is not None:
        batch, beams = batch[:-1], batch[-1]
    _check_ascending(stack["interfaces"])
    fields, shape = math.prod(batch), (*batch, *places)
    arrays = _tables(z, x, **stack)
    arrays |= {"rows": rows.reshape(fields, beams, waves, rows.shape[-1]), "far": far}
    numbers = dtype.type(0).real.dtype
    if intensity:
        parts, dtype = 1, numbers
    else:
        parts, shape = 3, (*shape, 3)
    if grid and kx is not None:
        seen = fields, z.size, x.size, parts
        call = _grid_call(arrays, Output(shape, dtype, seen, numbers), seen, numbers)
    else:
        seen = 1, fields, z.size, parts
        call = _points_call(arrays, Output(shape, dtype, seen, numbers), seen, numbers)
    result: Numbers = run(call, backend, workers, out=out, z=z, x=x, **stack)
    return result if out is not None or result.ndim else result[()]


def _places(
    z: ArrayLike, x: ArrayLike | None, grid: bool
) -> tuple[Floats, Floats, tuple[int, ...]]:
    """z and x as arrays, x empty where there is none, and the shape of their places."""
    if x is None:
        if not grid:
            raise ValueError("grid=False takes points: x in the shape of z, and kx; got no x")
        z = _arrays.coordinates("z", z)
        return z, np.empty(0), z.shape
    if grid:
        z, x = _arrays.coordinates("z", z), _arrays.coordinates("x", x)
        return z, x, z.shape + x.shape
    z, x = _arrays.real("z", z), _arrays.real("x", x)
    if z.shape != x.shape:
        raise ValueError(
            f"with grid=False z and x must have one shape, got {z.shape} and {x.shape}"
        )
    return z, x, z.shape


def _with_an_axis(name: str, weights: Array) -> Array:
    """The weights; an error where they are one number."""
    if not weights.ndim:
        raise ValueError(f"{name} must have at least 1 dimension, got a scalar")
    return weights


def _batch(stack: Mapping[str, Array]) -> tuple[tuple[int, ...], Array]:
    """The shape of the leading axes, and for each field in it the row of each operand."""
    if not stack["interfaces"].ndim:
        raise ValueError("interfaces must have at least 1 dimension, got a scalar")
    n = stack["interfaces"].shape[-1] + 1
    tails = (n - 1,), (n,), (n, 2), (n, 2, 3), (), (), ()
    leads = []
    for name, tail in zip(OPERANDS, tails, strict=True):
        array = stack[name]
        lead = array.shape[: array.ndim - len(tail)]
        if lead + tail != array.shape:
            expected = ", ".join(map(str, ("...", *tail)))
            raise ValueError(
                f"{name} must have shape ({expected}) for {n} media, one more than interfaces, "
                f"got shape {array.shape}"
            )
        leads.append(lead)
    if not any(leads):
        return (), np.zeros((1, len(leads)), np.intp)
    try:
        batch = np.broadcast_shapes(*leads)
    except ValueError:
        got = ", ".join(
            f"{name} {lead}" for name, lead in zip(OPERANDS, leads, strict=True) if lead
        )
        raise ValueError(f"leading axes must broadcast, got {got}") from None
    rows = np.empty((*batch, len(leads)), np.intp)
    for k, lead in enumerate(leads):
        rows[..., k] = np.arange(math.prod(lead)).reshape(lead)
    return batch, rows.reshape(-1, len(leads))


def _check_ascending(interfaces: Array) -> None:
    """Refuse interfaces that are not finite and in order."""
    if not np.isfinite(interfaces).all():
        raise ValueError(
            f"interfaces must be finite, got {interfaces[~np.isfinite(interfaces)][0]}: the first "
            f"and the last medium are unbounded anyway"
        )
    before, after = interfaces[..., :-1], interfaces[..., 1:]
    descends = before > after
    if descends.any():
        raise ValueError(
            f"interfaces must ascend along the last axis, got {before[descends][0]} and then "
            f"{after[descends][0]}"
        )


def _tables(
    z: Array,
    x: Array,
    interfaces: Array,
    kz: Array,
    amplitudes: Array,
    vectors: Array,
    kx: Array,
    coherent_weights: Array,
    incoherent_weights: Array,
) -> dict[str, Any]:
    """The operands in double precision, with one leading axis, by the names that blocks have."""
    n = kz.shape[-1]
    if n == 1:  # one medium is two alike that meet at z = 0
        n = 2
        interfaces = np.zeros((*interfaces.shape[:-1], 1))
        kz, amplitudes, vectors = kz.repeat(2, -1), amplitudes.repeat(2, -2), vectors.repeat(2, -3)
    return {
        "z": _arrays.ready(z, _FLOAT64).reshape(-1),
        "interfaces": _arrays.ready(interfaces, _FLOAT64).reshape(-1, n - 1),
        "kz": _arrays.ready(kz, _COMPLEX128).reshape(-1, n),
        "amplitudes": _arrays.ready(amplitudes, _COMPLEX128).reshape(-1, n, 2),
        "vectors": _arrays.ready(vectors, _COMPLEX128).reshape(-1, n, 2, 3),
        "x": _arrays.ready(x, _FLOAT64).reshape(-1),
        "kx": _arrays.ready(kx, _COMPLEX128).reshape(-1),
        "coherent": _arrays.ready(coherent_weights, _COMPLEX128).reshape(-1),
        "incoherent": _arrays.ready(incoherent_weights, _FLOAT64).reshape(-1),
    }


def _grid_call(
    arrays: dict[str, Any], out: Output, seen: tuple[int, ...], numbers: np.dtype[Any]
) -> Call:
    """The call that computes fields on a grid, in tiles of many planes, and of many fields where
    these are small."""
    _, beams, waves, _ = arrays["rows"].shape
    fields, planes, columns, parts = (length or 1 for length in seen)  # 0 never runs
    # costs above the compiled ones: the reference's temporaries grow with a block, within 8 MiB
    if waves > 1:
        count = tiles.split(fields * planes, 200 + 3 * beams * waves * columns)
        height = _BEAM[0] // 4 if beams * waves > _LONG_SUM else _BEAM[0]
        height, width = min(planes, height), min(columns, _BEAM[1])
        # the components are one product
        multiplications = 3 * height * width * min(waves, WAVES)
    else:
        width = min(columns, COLUMNS)
        count = tiles.split(fields * planes, 200 * beams + (16 if parts > 1 else 48) * width)
        height = min(planes, count)
        multiplications = height * width * min(beams, WAVES) if parts == 1 else 0
    tile = max(1, count // planes), height, width
    bounds = tiles.grid((fields, planes, columns), tile)
    step = Step("grid", bounds, multiplications=multiplications)
    return Call("field", numbers, {**arrays, "out": out}, [step])


def _points_call(
    arrays: dict[str, Any], out: Output, seen: tuple[int, ...], numbers: np.dtype[Any]
) -> Call:
    """The call that computes fields at points, in tiles of them, or where they are few in shares of
    a long sum."""
    _, beams, waves, _ = arrays["rows"].shape
    _, fields, points, parts = seen
    terms = beams if parts == 1 else waves
    cost = 200 + 20 * (beams * waves - 1)
    if tiles.is_short(fields * points * cost):
        bounds = [(0, 1, 0, fields, 0, points, 0, terms)]
    elif terms > 1 and fields * points <= _FEW:
        return _shared_call(arrays, out, seen, terms, fields * points * cost / terms)
    else:
        count = tiles.split(fields * points, cost)
        tile = max(1, count // points), min(points, count)
        bounds = [(0, 1, *tile, 0, terms) for tile in tiles.grid((fields, points), tile)]
    return Call("field", numbers, {**arrays, "out": out}, [Step("points", bounds)])


def _shared_call(
    arrays: dict[str, Any], out: Output, seen: tuple[int, ...], terms: int, cost: float
) -> Call:
    """The call that computes a sum of terms, which take about `cost` ns each, by shares in double
    precision."""
    _, fields, points, parts = seen
    length = max(tiles.split(terms, cost), -(-terms // _SHARES))
    shares = tiles.grid((terms,), (length,))
    bounds = [(k, k + 1, 0, fields, 0, points, *share) for k, share in enumerate(shares)]
    arrays["shares"] = Output((len(shares), fields, points, 1 if parts == 1 else 6), _FLOAT64)
    points_step = Step("points", bounds, out="shares")
    add_up = HostStep(_add_up, ["shares"], ["out"])
    return Call("field", _FLOAT64, {**arrays, "out": out}, [points_step, add_up])


def _add_up(shares: Array, out: Array) -> None:
    out[...] = functools.reduce(operator.add, shares)
