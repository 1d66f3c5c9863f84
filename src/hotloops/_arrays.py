"""The vocabulary of argument checks: the argument's name, what came, what was expected."""

import contextlib
import math
import operator

import numpy as np

_FLOATS = {np.dtype(t) for t in (np.float32, np.float64)}
_COMPLEX = {np.dtype(t) for t in (np.complex64, np.complex128)}
_NUMBERS = {np.dtype(c) for c in "?bBhHiIlLqQ"} | _FLOATS | _COMPLEX
_FLOAT64 = np.dtype(np.float64)
_COMPLEX128 = np.dtype(np.complex128)


def _any_array(name, value):
    if type(value) is np.ndarray:
        return value
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{name} must not be a masked array: fill or drop its masked entries")
    try:
        return np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} must be an array, got {type(value).__name__}: {error}") from None


def _check_ndim(name, array, ndim):
    if ndim is not None and array.ndim != ndim:
        raise ValueError(f"{name} must have {ndim} dimension(s), got shape {array.shape}")


def _native(dtype):
    return dtype if dtype.isnative else dtype.newbyteorder("=")


def real(name, value, ndim=None):
    """`value` as an array of float32 or float64; integers and booleans become float64."""
    array = _any_array(name, value)
    if array.dtype not in _FLOATS:
        dtype = _native(array.dtype)
        if dtype.kind in "iub":
            dtype = _FLOAT64
        elif dtype not in _FLOATS:
            raise TypeError(f"{name} must be real (float32, float64 or integer), got dtype {dtype}")
        array = array.astype(dtype)
    _check_ndim(name, array, ndim)
    return array


def coordinates(name, value):
    """`value` as one real number or a line of them."""
    array = real(name, value)
    if array.ndim > 1:
        raise ValueError(f"{name} must have 1 dimension or be a number, got shape {array.shape}")
    return array


def complex_(name, value, ndim=None):
    """`value` as an array of complex64 or complex128, each from its real kin."""
    array = _any_array(name, value)
    if array.dtype not in _COMPLEX:
        dtype = _native(array.dtype)
        if dtype.kind in "iub" or dtype == _FLOAT64:
            dtype = _COMPLEX128
        elif dtype == np.float32:
            dtype = np.dtype(np.complex64)
        elif dtype not in _COMPLEX:
            raise TypeError(
                f"{name} must be complex or real, in single or double precision, got dtype {dtype}"
            )
        array = array.astype(dtype)
    _check_ndim(name, array, ndim)
    return array


def number(name, value, ndim=None):
    """`value` as an array of booleans, integers, or real or complex numbers in single or double
    precision: its own dtype."""
    array = _any_array(name, value)
    if array.dtype not in _NUMBERS:
        dtype = _native(array.dtype)
        if dtype not in _NUMBERS:
            raise TypeError(
                f"{name} must be boolean, integer, or real or complex in single or double "
                f"precision, got dtype {dtype}"
            )
        array = array.astype(dtype)
    _check_ndim(name, array, ndim)
    return array


def floating(name, value, ndim=None):
    """`value` as an array of real or complex numbers in single or double precision; integers and
    booleans become float64."""
    array = number(name, value, ndim)
    return array if array.dtype.kind in "fc" else array.astype(_FLOAT64)


def ready(array, dtype=None):
    """The array as kernels take it: C-contiguous, aligned, native byte order, of this dtype."""
    dtype = array.dtype if dtype is None else dtype
    flags = array.flags
    if array.dtype == dtype and flags.c_contiguous and flags.aligned and array.dtype.isnative:
        return array
    return np.require(array, _native(np.dtype(dtype)), ["C", "A"])


def read_only(array):
    """A view that is: Numba compiles once for arrays of a user that may be written or not."""
    array = array.view()
    array.flags.writeable = False
    return array


def in_range(name, value, dtype):
    """Nothing finite in `value`, a float or an array of floats, may be infinite in `dtype`."""
    if dtype == _FLOAT64:
        return
    largest, size = np.finfo(dtype).max, np.abs(value)
    if ((size > largest) & np.isfinite(size)).any():
        raise ValueError(f"{name} must be within ±{largest:.3g} in {dtype}, got {value}")


def common_dtype(*arrays):
    """The result_type of the arrays."""
    dtype = arrays[0].dtype
    for array in arrays:
        if array.dtype is not dtype:
            return np.result_type(*(array.dtype for array in arrays))
    return dtype


def scalar(name, value, *, minimum=-math.inf, maximum=math.inf, strict=False):
    """`value` as a float, finite and in [minimum, maximum] (`strict`: above the minimum)."""
    try:
        if isinstance(value, str) or np.iscomplexobj(value):
            raise TypeError
        number = float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a real number, got {value!r}") from None
    if (
        not math.isfinite(number)
        or number < minimum
        or number > maximum
        or (strict and number == minimum)
    ):
        expected = "finite"
        if maximum < math.inf:
            expected = f"in [{minimum:g}, {maximum:g}]"
        elif minimum > -math.inf:
            expected = f"finite and {'>' if strict else '>='} {minimum:g}"
        raise ValueError(f"{name} must be {expected}, got {value!r}")
    return number


def integer(name, value, *, minimum=0, maximum=2**63 - 1):
    """`value` as an int in [minimum, maximum]."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, got {value!r}") from None
    if not minimum <= number <= maximum:
        bound = f">= {minimum}" if number < minimum else f"<= {maximum}"
        raise ValueError(f"{name} must be {bound}, got {number}")
    return number


def most(dtype, shape):
    """How many arrays of this dtype and shape one array can hold."""
    itemsize = np.dtype(dtype).itemsize
    return np.iinfo(np.intp).max // (itemsize * math.prod(length or 1 for length in shape))


def generator(name, value):
    """`value` as a numpy.random.Generator: itself, or one made from a seed."""
    if isinstance(value, np.random.Generator):
        return value
    # default_rng would take a RandomState, and draw from its stream
    if not isinstance(value, np.random.RandomState):
        with contextlib.suppress(TypeError, ValueError):
            return np.random.default_rng(value)
    raise TypeError(
        f"{name} must be None, a seed or a numpy.random.Generator, got {type(value).__name__}: "
        f"{value!r:.40}"
    )


def choice(name, value, options, hint=""):
    """`value`, one of the strings in `options`."""
    if not isinstance(value, str) or value not in options:
        expected = ", ".join(map(repr, options))
        raise ValueError(f"{name} must be one of {expected}, got {value!r}{hint}")
    return value


def output(out, shape, dtype, **inputs):
    """`out` after its checks, or a new array."""
    if out is None:
        return np.empty(shape, dtype)
    if not isinstance(out, np.ndarray) or isinstance(out, np.ma.MaskedArray):
        raise TypeError(f"{_expected_output(shape, dtype)}, got {type(out).__name__}")
    if out.shape != shape or out.dtype != dtype or not out.dtype.isnative:
        raise ValueError(
            f"{_expected_output(shape, dtype)}, got shape {out.shape} and dtype {out.dtype}"
        )
    flags = out.flags
    if not (flags.c_contiguous and flags.aligned and flags.writeable):
        raise ValueError(
            f"{_expected_output(shape, dtype)}, got strides {out.strides}, "
            f"aligned={flags.aligned}, writeable={flags.writeable}"
        )
    for name, array in inputs.items():
        if array is not None and _share_memory(out, array):
            raise ValueError(f"out must not share memory with {name}")
    return out


def _expected_output(shape, dtype):
    return f"out must be a C-contiguous, writable array of shape {shape} and dtype {dtype}"


def _share_memory(a, b):
    try:
        return np.shares_memory(a, b, max_work=10_000)
    except np.exceptions.TooHardError:
        return True
