"""The names of columns: kept where something is fitted, and compared where it is used, as
scikit-learn does."""

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np

from ._typing import Array
from ._warnings import warn

_SHOWN = 5

_Fitted = TypeVar("_Fitted")


def of(X: Any) -> Array | None:
    """The names of X's columns, an array of objects; None where there are none that are strings."""
    if type(X) is np.ndarray:
        return None
    columns = getattr(X, "columns", None)
    if columns is None and hasattr(X, "__dataframe__"):
        columns = X.__dataframe__().column_names()
    columns = [] if columns is None else list(columns)
    strings = [isinstance(column, str) for column in columns]
    if any(strings) and not all(strings):
        kinds = sorted({type(column).__name__ for column in columns})
        raise TypeError(
            f"the names of X's columns must be all strings, or none of them, got {kinds}: "
            f"X.columns.astype(str) makes strings of all. Feature names are only supported if all "
            f"input features have string names"
        )
    return np.array(columns, object) if any(strings) else None


def keep(fitted: _Fitted, names: Array | None) -> _Fitted:
    """Let `fitted` have these names of the columns that it was fitted to, or none."""
    vars(fitted).pop("feature_names_in_", None)
    if names is not None:
        vars(fitted)["feature_names_in_"] = names
    return fitted


def check(fitted: object, X: Any) -> None:
    """X's columns must be those that `fitted` was fitted to, in their order."""
    known = vars(fitted).get("feature_names_in_")
    if known is None and type(X) is np.ndarray:
        return
    names, kind = of(X), type(fitted).__name__
    if names is None and known is None:
        return
    if known is None:
        warn(f"X has feature names, but {kind} was fitted without feature names", UserWarning)
    elif names is None:
        warn(
            f"X does not have valid feature names, but {kind} was fitted with feature names",
            UserWarning,
        )
    elif names.tolist() != known.tolist():
        raise ValueError(_difference(names.tolist(), known.tolist()))


def _difference(names: list[str], known: list[str]) -> str:
    """The message on names that are not those known from the fit."""
    message = "The feature names should match those that were passed during fit.\n"
    new, missing = sorted({*names} - {*known}), sorted({*known} - {*names})
    if new:
        message += "Feature names unseen at fit time:\n" + _listed(new)
    if missing:
        message += "Feature names seen at fit time, yet now missing:\n" + _listed(missing)
    if not new and not missing:
        message += (
            "Feature names must be in the same order as they were in fit.\n"
            "X[fitted.feature_names_in_] has them in that order.\n"
        )
    return message


def _listed(names: Sequence[str]) -> str:
    """The names, a line for each, of many the first ones."""
    more = "- ...\n" if len(names) > _SHOWN else ""
    return "".join(f"- {name}\n" for name in names[:_SHOWN]) + more
