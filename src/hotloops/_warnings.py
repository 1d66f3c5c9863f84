"""Warnings that name a line of the caller's, however deep in the package they arise."""

import sys
import warnings

_PACKAGE = __name__.partition(".")[0]


def warn(message, category):
    """A warning that names the line from which the package was entered."""
    level, frame = 2, sys._getframe(1)
    while frame and frame.f_globals.get("__name__", "").partition(".")[0] == _PACKAGE:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)
