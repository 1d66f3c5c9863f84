"""Electric fields in layered media."""

import math

import numpy as np

from . import _arrays, _backends, _blocks

_FAR = {"near": False, "far": True}
_FAR_HINT = (
    ". The backward wave's amplitude is its value at a reference plane, the interface before its "
    'layer ("near": tmm\'s vw_list) or the one after it ("far": never overflows in an absorbing '
    "layer). The two differ by exp(-i kz thickness), and the wrong one gives a wrong field"
)
_COLUMNS = 1024  # of a tile: 48 KB of each of its planes


def layered_field(
    z,
    interfaces,
    kz,
    amplitudes,
    vectors,
    *,
    backward_reference,
    x=None,
    kx=None,
    out=None,
    backend=None,
    workers=None,
):
    """Electric field of a plane wave in a stack of layers, on a grid or along a depth profile.

    .. math:: E(z, x) = e^{i k_x x} \\left[ v^+_n a^+_n e^{i k_{z,n} (z - z^+_n)}
              + v^-_n a^-_n e^{-i k_{z,n} (z - z^-_n)} \\right]

    for z in medium n, in the time factor exp(−iωt). Media are half-open,
    ``interfaces[n-1] <= z < interfaces[n]``; the first and the last are unbounded.

    Parameters
    ----------
    z : array_like, shape (Nz,)
        Depths, in any order.
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
    x : array_like, shape (Nx,), optional
        Positions along the layers, with `kx`. Without the two: the profile at x = 0.
    kx : array_like, shape (...), optional
        Wave vector along x, the same in all media.
    out : ndarray, shape (..., Nz, Nx, 3) or (..., Nz, 3), optional
        Where to put the result. Reusing one array avoids the page faults of a new one.
    backend : {"cython", "numba", "numpy"}, optional
        See `set_backend`.
    workers : int, optional
        See `set_workers`.

    Returns
    -------
    ndarray, shape (..., Nz, Nx, 3), or (..., Nz, 3) without x
        Leading axes (wavelength, angle, polarisation …) broadcast. complex64 if `amplitudes` and
        `vectors` are single precision, else complex128.

    Raises
    ------
    TypeError
        For z, interfaces or x that are not real, or others that are not numbers.
    ValueError
        For shapes that do not meet, interfaces that are not finite or not ascending, x without kx
        or kx without x, an unknown backward_reference, an unfit `out`.

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

    Accuracy: all is computed in double precision, and a complex64 result rounded once. The relative
    error of a wave is a few ulps, and 1.1e-16 for each radian of its phase. Where z is not finite
    the field is NaN; other NaN travel.

    Cost: O(Nz log N + Nx) for the searches and exponentials of each field, each exponential inside
    its layer only, and the writing of the result. Memory: the result, and 40 bytes a field.

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
    """
    far = _FAR[_arrays.choice("backward_reference", backward_reference, _FAR, _FAR_HINT)]
    if (x is None) != (kx is None):
        given, missing = ("kx", "x") if x is None else ("x", "kx")
        raise ValueError(f"x and kx must come together, got {given} without {missing}")
    z = _arrays.real("z", z, 1)
    stack = {
        "interfaces": _arrays.real("interfaces", interfaces),
        "kz": _arrays.complex_("kz", kz),
        "amplitudes": _arrays.complex_("amplitudes", amplitudes),
        "vectors": _arrays.complex_("vectors", vectors),
    }
    dtype = _arrays.common_dtype(stack["amplitudes"], stack["vectors"])
    grid = (len(z),)
    if x is not None:
        x = _arrays.real("x", x, 1)
        stack["kx"] = _arrays.complex_("kx", kx)
        grid = len(z), len(x)
    batch, rows = _batch(stack)
    _check_ascending(stack["interfaces"])
    kernel = _backends.kernel("field", backend)
    workers = _blocks.workers(workers)
    result = _arrays.output(out, (*batch, *grid, 3), dtype, z=z, x=x, **stack)
    if not result.size:
        return result
    flat = np.asarray(result).reshape(len(rows), *grid, 3)
    args = rows, _arrays.ready(z, np.float64), *_tables(**stack), far
    if x is None:
        block = kernel.profile
    else:
        block = kernel.fill
        args += _arrays.ready(x, np.float64), _arrays.ready(stack["kx"], np.complex128).reshape(-1)
    _blocks.fill(block, _tiles(len(rows), *grid), (*args, flat), workers=workers)
    return result


def _batch(stack):
    """The shape of the leading axes, and for each field in it the row of each operand."""
    if not stack["interfaces"].ndim:
        raise ValueError("interfaces must have at least 1 dimension, got a scalar")
    n = stack["interfaces"].shape[-1] + 1
    tails = (n - 1,), (n,), (n, 2), (n, 2, 3), ()
    leads = []
    for (name, array), tail in zip(stack.items(), tails, strict=False):
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
        got = ", ".join(f"{name} {lead}" for name, lead in zip(stack, leads, strict=True))
        raise ValueError(f"leading axes must broadcast, got {got}") from None
    rows = np.empty((*batch, len(leads)), np.intp)
    for k, lead in enumerate(leads):
        rows[..., k] = np.arange(math.prod(lead)).reshape(lead)
    return batch, rows.reshape(-1, len(leads))


def _check_ascending(interfaces):
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


def _tables(interfaces, kz, amplitudes, vectors, kx=None):
    """The operands of the profile in double precision, with one leading axis."""
    n = kz.shape[-1]
    if n == 1:  # one medium is two alike that meet at z = 0
        n = 2
        interfaces = np.zeros((*interfaces.shape[:-1], 1))
        kz, amplitudes, vectors = kz.repeat(2, -1), amplitudes.repeat(2, -2), vectors.repeat(2, -3)
    return (
        _arrays.ready(interfaces, np.float64).reshape(-1, n - 1),
        _arrays.ready(kz, np.complex128).reshape(-1, n),
        _arrays.ready(amplitudes, np.complex128).reshape(-1, n, 2),
        _arrays.ready(vectors, np.complex128).reshape(-1, n, 2, 3),
    )


def _tiles(fields, planes, columns=None):
    """Tiles of the grid: of many planes, and of many fields where those are small."""
    # costs above the compiled ones: the reference's temporaries grow with a block, within 8 MiB
    if columns is None:
        shape, width, cost = (fields, planes), (), 200
    else:
        shape, width = (fields, planes, columns), (min(columns, _COLUMNS),)
        cost = 200 + 16 * width[0]
    count = _blocks.split(fields * planes, cost)
    return _blocks.grid(shape, (max(1, count // planes), min(planes, count), *width))
