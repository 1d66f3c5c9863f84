"""Values that NumPy takes for something else than arrays of numbers: which of them are, and what to
pass in place of the others.

The rule is scikit-learn's: the columns of a frame, and objects that `float` takes, become numbers,
and what is missing NaN; strings, dates and sparse matrices are left to the caller to convert.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

import numpy as np

from ._typing import Array

_NUMBERS = "biufc"
_STRINGS = (
    "encode categories (pandas.get_dummies, say), or parse numbers: numpy.asarray({name}, float)"
)
_OTHERS = {
    "U": f"strings: {_STRINGS}",
    "S": f"strings: {_STRINGS}",
    "T": f"strings: {_STRINGS}",
    "M": "dates: pass numbers, (numpy.asarray({name}) - origin) / numpy.timedelta64(1, 'D') say",
    "m": "time differences: pass numbers, numpy.asarray({name}) / numpy.timedelta64(1, 'D') say",
    "V": "records: pass numpy.lib.recfunctions.structured_to_unstructured({name})",
}


def converted(name: str, value: Any, array: Array, expected: str) -> Array:
    """An array of numbers, of the `value` that NumPy made this other `array` of."""
    if hasattr(value, "columns"):
        columns = [
            _column(f"{name}[{label!r}]", column, expected) for label, column in _columns(value)
        ]
        return np.column_stack(columns) if columns else array.astype(np.float64)
    if array.dtype.kind in _OTHERS:
        got = _OTHERS[array.dtype.kind].format(name=name)
    elif array.ndim:
        return _from_objects(name, array, expected)
    elif (item := array[()]) is None:
        got = "None"
    elif remedy := remedy_of(name, item):
        got = f"{type(item).__name__}: {remedy}"
    else:
        return _from_objects(name, array, expected)
    raise TypeError(f"{name} must be {expected}, got {got}")


def remedy_of(name: str, value: Any) -> str:
    """The advice what to pass in place of a `value` that may hold numbers and is no array; "" for
    others."""
    for method in ("toarray", "todense"):
        if hasattr(value, method):
            return f"it is sparse, pass {name}.{method}()"
    if isinstance(value, Mapping | Set):
        return "pass an array of its values, in the order that is meant"
    if isinstance(value, Iterable) and not (
        isinstance(value, Sequence) or hasattr(value, "__array__")
    ):
        return f"pass list({name})"
    return ""


def _columns(frame: Any) -> Iterable[tuple[Any, Any]]:
    """Labels and columns of a frame of pandas or of Polars."""
    if hasattr(frame, "items"):
        items: Iterable[tuple[Any, Any]] = frame.items()
        return items
    return zip(frame.columns, frame.iter_columns(), strict=True)


def _column(name: str, column: Any, expected: str) -> Array:
    """The numbers in a column of a frame."""
    array = np.asarray(column)
    return array if array.dtype.kind in _NUMBERS else converted(name, column, array, expected)


def _from_objects(name: str, array: Array, expected: str) -> Array:
    """Numbers of the narrowest kind that holds all of an array of objects."""
    items = array.ravel().tolist()
    if any(issubclass(kind, np.ma.MaskedArray) for kind in set(map(type, items))):
        raise TypeError(f"{name} must not hold masked arrays: fill or drop their masked entries")
    missing = getattr(sys.modules.get("pandas"), "NA", None)
    items = [np.nan if item is None or item is missing else item for item in items]
    try:
        numbers = np.array(items)
        if numbers.dtype.kind not in _NUMBERS:  # fractions, integers beyond 64 bits, strings
            numbers = np.array([float(item) for item in items])
        if numbers.shape == (len(items),):
            return numbers.reshape(array.shape)
    except (TypeError, ValueError, OverflowError):
        pass
    raise TypeError(f"{name} must be {expected}, got {_offender(name, array.shape, items)}")


def _offender(name: str, shape: tuple[int, ...], items: Sequence[Any]) -> str:
    """A phrase: the first of the items that is not a number, where it stands, and the reason."""
    for index, item in zip(np.ndindex(shape), items, strict=True):
        place = f"{name}{list(index)}" if index else name
        try:
            if np.ndim(item) == 0:
                float(item)
                continue
            reason = f"numpy.stack({name}) is an array if they are all of one shape"
        except (TypeError, ValueError, OverflowError) as error:
            reason = str(error)
        if not isinstance(item, Mapping):
            reason = remedy_of(place, item) or reason
        if isinstance(item, str | bytes):
            return f"{item!r:.40} at {place}: {_STRINGS.format(name=name)}"
        return f"{type(item).__name__} at {place}: {reason}"
    return "items of several shapes"
