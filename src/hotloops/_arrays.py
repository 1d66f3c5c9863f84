"""The vocabulary of argument checks: the argument's name, what came, what was expected."""

import contextlib
import itertools
import math
import operator
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from . import _foreign
from ._typing import Array, Complexes, Floats, Numbers, Rng

_FLOATS = {np.dtype(t) for t in (np.float32, np.float64)}
_COMPLEX = {np.dtype(t) for t in (np.complex64, np.complex128)}
_NUMBERS = {np.dtype(c) for c in "?bBhHiIlLqQ"} | _FLOATS | _COMPLEX
_FLOAT64 = np.dtype(np.float64)
_COMPLEX128 = np.dtype(np.complex128)
# what has no mask, nor holds anything that may have one
_PLAIN: set[type] = {np.ndarray, bool, int, float, complex, str, bytes, bytearray, memoryview}
_PLAIN |= {range, *np.sctypeDict.values()}
_LISTS = {list, tuple}
_SUMMED = {int, float}
_DEEPEST = 64  # dimensions of an array
_MANY = 64  # items whose sum is known sooner than their types


def any_array(name: str, value: Any, place: str = "") -> Array:
    """`value` as an array of whatever it holds; `place` is where in the argument it stands."""
    if type(value) is np.ndarray:
        return value
    if type(value) not in _PLAIN and not (type(value) in _LISTS and _plain(value)):
        value = _bare(name, value, place)
    try:
        array: Array = np.asanyarray(value)
    except (ValueError, TypeError, RuntimeError) as error:
        kind = ValueError if isinstance(error, ValueError) else TypeError
        reason = _foreign.remedy_of(name + place, value) or error
        raise kind(
            f"{name}{place} must be an array, got {type(value).__name__}: {reason}"
        ) from error
    if type(array) is not np.ndarray:
        _refuse_mask(name, array, place)
        array = np.asarray(array)
    return array


def _plain(items: Sequence[Any]) -> bool:
    """Whether lists of lists, all of one depth, hold nothing that has a mask."""
    for _ in range(_DEEPEST):
        if len(items) > _MANY and type(items[0]) in _SUMMED and _plain_sum(items):
            return True
        kinds = set(map(type, items))
        if kinds <= _PLAIN:
            return True
        if not kinds <= _LISTS:
            break
        items = list(itertools.chain.from_iterable(items))
    return False


def _plain_sum(items: Sequence[Any]) -> bool:
    """Whether the items' sum is a number of Python's: a mask of one of them would be in the sum."""
    try:
        with np.errstate(all="ignore"):
            return type(sum(items)) in _SUMMED
    except Exception:  # whatever the items raise: their types are looked at
        return False


def _bare(name: str, value: Any, place: str) -> Any:
    """`value`, and what lies in its nested lists, without wrappers whose masks NumPy loses."""
    _refuse_mask(name, value, place)
    if hasattr(value, "__dask_graph__"):
        inner: Any = getattr(value, "data", None)  # xarray's
        lazy = inner if hasattr(inner, "__dask_graph__") else value
        value = lazy.compute()
        _refuse_mask(name, value, place)
    elif isinstance(value, Sequence) and not hasattr(value, "__array__"):
        return [
            item if type(item) in _PLAIN else _bare_item(name, item, f"{place}[{k}]")
            for k, item in enumerate(value)
        ]
    return value


def _bare_item(name: str, item: Any, place: str) -> Any:
    """An item of a nested list without wrappers whose masks NumPy loses."""
    if hasattr(item, "__array__"):
        return any_array(name, item, place)
    return _bare(name, item, place)


def _refuse_mask(name: str, value: Any, place: str) -> None:
    # NumPy's masked arrays have a mask, and Astropy's
    if isinstance(value, np.ndarray) and hasattr(value, "mask"):
        where = f", as {name}{place} is" if place else ""
        raise TypeError(
            f"{name} must not be a masked array{where}: fill or drop its masked entries"
        )


def _wrong_ndim(name: str, array: Array, ndim: int) -> ValueError:
    return ValueError(f"{name} must have {ndim} dimension(s), got shape {array.shape}")


def _native(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return dtype if dtype.isnative else dtype.newbyteorder("=")


def _numeric(name: str, value: Any, array: Array, expected: str) -> tuple[Array, np.dtype[Any]]:
    """The array that `value` gave, and its dtype in native byte order, a number's."""
    if array.dtype.kind not in "biufc":
        array = _foreign.converted(name, value, array, expected)
    return array, _native(array.dtype)


def _unfit(name: str, dtype: np.dtype[Any], expected: str) -> TypeError:
    cure = f": pass numpy.asarray({name}, numpy.float64)" if dtype.kind == "f" else ""
    return TypeError(f"{name} must be {expected}, got dtype {dtype}{cure}")


def real(name: str, value: Any, ndim: int | None = None) -> Floats:
    """`value` as an array of float32 or float64; integers and booleans become float64."""
    array = value if type(value) is np.ndarray else any_array(name, value)
    if array.dtype not in _FLOATS:
        expected = "real (float32, float64 or integer)"
        array, dtype = _numeric(name, value, array, expected)
        if dtype.kind in "iub":
            dtype = _FLOAT64
        elif dtype not in _FLOATS:
            raise _unfit(name, dtype, expected)
        array = array.astype(dtype)
    if ndim is not None and array.ndim != ndim:
        raise _wrong_ndim(name, array, ndim)
    return array


def coordinates(name: str, value: Any) -> Floats:
    """`value` as one real number or a line of them."""
    array = real(name, value)
    if array.ndim > 1:
        raise ValueError(f"{name} must have 1 dimension or be a number, got shape {array.shape}")
    return array


def complex_(name: str, value: Any, ndim: int | None = None) -> Complexes:
    """`value` as an array of complex64 or complex128, each from its real kin."""
    array = value if type(value) is np.ndarray else any_array(name, value)
    if array.dtype not in _COMPLEX:
        expected = "complex or real, in single or double precision"
        array, dtype = _numeric(name, value, array, expected)
        if dtype.kind in "iub" or dtype == _FLOAT64:
            dtype = _COMPLEX128
        elif dtype == np.float32:
            dtype = np.dtype(np.complex64)
        elif dtype not in _COMPLEX:
            raise _unfit(name, dtype, expected)
        array = array.astype(dtype)
    if ndim is not None and array.ndim != ndim:
        raise _wrong_ndim(name, array, ndim)
    return array


def number(name: str, value: Any, ndim: int | None = None) -> Array:
    """`value` as an array of booleans, integers, or real or complex numbers in single or double
    precision: its own dtype."""
    array = value if type(value) is np.ndarray else any_array(name, value)
    if array.dtype not in _NUMBERS:
        expected = "boolean, integer, or real or complex in single or double precision"
        array, dtype = _numeric(name, value, array, expected)
        if dtype not in _NUMBERS:
            raise _unfit(name, dtype, expected)
        array = array.astype(dtype)
    if ndim is not None and array.ndim != ndim:
        raise _wrong_ndim(name, array, ndim)
    return array


def floating(name: str, value: Any, ndim: int | None = None) -> Numbers:
    """`value` as an array of real or complex numbers in single or double precision; integers and
    booleans become float64."""
    array = number(name, value, ndim)
    return array if array.dtype.kind in "fc" else array.astype(_FLOAT64)


def ready(array: Array, dtype: DTypeLike | None = None) -> Array:
    """The array as kernels take it: C-contiguous, aligned, native byte order, of this dtype."""
    own = array.dtype
    if dtype is None:
        dtype = own
    if (own is dtype or own == dtype) and own.isnative:
        flags = array.flags
        if flags.c_contiguous and flags.aligned:
            return array
    return np.require(array, _native(np.dtype(dtype)), ["C", "A"])


def read_only(array: Array) -> Array:
    """A view that is read-only: to Numba, an array that may be written is of another type."""
    array = array.view()
    array.flags.writeable = False
    return array


def in_range(name: str, value: Any, dtype: np.dtype[Any]) -> None:
    """Nothing finite in `value`, a float or an array of floats, may be infinite in `dtype`."""
    if dtype == _FLOAT64:
        return
    largest, size = np.finfo(dtype).max, np.abs(value)
    if ((size > largest) & np.isfinite(size)).any():
        raise ValueError(f"{name} must be within ±{largest:.3g} in {dtype}, got {value}")


def common_dtype(*arrays: Array) -> np.dtype[Any]:
    """The result_type of the arrays."""
    dtype: np.dtype[Any] = arrays[0].dtype
    for array in arrays:
        if array.dtype is not dtype:
            return np.result_type(*[array.dtype for array in arrays])
    return dtype


def scalar(
    name: str,
    value: Any,
    *,
    minimum: float = -math.inf,
    maximum: float = math.inf,
    strict: bool = False,
) -> float:
    """`value` as a float, finite and in [minimum, maximum] (`strict`: above the minimum)."""
    if type(value) is float and (
        minimum < value < maximum or (value == minimum == 0 and not strict)
    ):
        return value  # at a glance, as most
    try:
        if type(value) is not float and (isinstance(value, (str, bytes)) or np.iscomplexobj(value)):
            raise TypeError
        number = float(value)
    except OverflowError:  # whose digits would fill a page
        raise ValueError(f"{name} must be in the range of float64, got a number beyond") from None
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


def integer(name: str, value: Any, *, minimum: int = 0, maximum: int = 2**63 - 1) -> int:
    """`value` as an int in [minimum, maximum]."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, got {value!r}") from None
    if not minimum <= number <= maximum:
        bound = f">= {minimum}" if number < minimum else f"<= {maximum}"
        if minimum == maximum:
            bound = str(minimum)
        raise ValueError(f"{name} must be {bound}, got {number}")
    return number


def axes(name: str, value: Any, ndim: int) -> tuple[int, ...]:
    """The axes, ascending, of `ndim` that `value` names: an int, a tuple of ints, or None for all.
    A number without axes is taken for one along one axis, as by NumPy."""
    if value is None:
        return tuple(range(ndim))
    ndim = ndim or 1
    if not isinstance(value, tuple):
        return (integer(name, value, minimum=-ndim, maximum=ndim - 1) % ndim,)
    found = [integer(name, axis, minimum=-ndim, maximum=ndim - 1) % ndim for axis in value]
    if len(set(found)) < len(found):
        raise ValueError(f"{name} must name each axis once, got {value}")
    return tuple(sorted(found))


def most(dtype: DTypeLike, shape: Sequence[int]) -> int:
    """How many arrays of this dtype and shape one array can hold."""
    numbers = math.prod(shape) or math.prod(length or 1 for length in shape)
    return sys.maxsize // (np.dtype(dtype).itemsize * numbers)


def generator(name: str, value: Rng) -> np.random.Generator:
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


def choice(name: str, value: Any, options: Any, hint: str = "") -> Any:
    """`value`, which is one of the strings in `options`."""
    if not isinstance(value, str) or value not in options:
        expected = ", ".join(map(repr, options))
        raise ValueError(f"{name} must be one of {expected}, got {value!r}{hint}")
    return value


def output(out: Array | None, shape: tuple[int, ...], dtype: DTypeLike, **inputs: Any) -> Array:
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


def _expected_output(shape: tuple[int, ...], dtype: DTypeLike) -> str:
    return f"out must be a C-contiguous, writable array of shape {shape} and dtype {dtype}"


def _share_memory(a: Any, b: Any) -> bool:
    try:
        # NumPy takes any number of steps; its annotation says two
        return np.shares_memory(a, b, max_work=10_000)  # type: ignore[arg-type]
    except np.exceptions.TooHardError:
        return True
