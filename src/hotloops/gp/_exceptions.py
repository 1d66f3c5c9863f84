"""The classes of what Gaussian processes raise and warn of: scikit-learn's, if it is installed."""

from typing import Any


class NotFittedError(ValueError, AttributeError):
    """An estimator is used before its fit."""

    __module__ = "hotloops.gp"


class ConvergenceWarning(UserWarning):
    """An optimizer or a solver gave up, or a likelihood has no maximum within the bounds."""

    __module__ = "hotloops.gp"


OWN = {own.__name__: own for own in (NotFittedError, ConvergenceWarning)}


def exception(name: str) -> type[Any]:
    """scikit-learn's class of this name; without scikit-learn the one here."""
    try:
        from sklearn import exceptions
    except ImportError:
        return OWN[name]
    found: type[Any] = getattr(exceptions, name)
    return found
