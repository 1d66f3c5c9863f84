"""Orthogonal factors, in panels and by inner products."""

from typing import Any

import numpy as np

from .. import _arrays
from .._factors import qr
from .case import Arguments, Case, numbers


def _make(rng: Any, dtype: Any, m: int, n: int, p: int, width: int = 0) -> Arguments:
    return {"a": numbers(rng, dtype, m, n), "b": numbers(rng, dtype, m, p), "width": width}


def _solved(a: Any, b: Any, width: int, **kept: Any) -> Any:
    a = np.require(_arrays.floating("a", a), requirements="C")
    found = qr.by_panels(a, width=width, **kept) if width else qr.by_inner_products(a, **kept)
    if found is None:
        raise ValueError("the columns of a are nearly dependent")
    q, r = found
    return np.linalg.solve(r, q.conj().T @ _arrays.floating("b", b))


def _question(a: Any, b: Any, width: int) -> Any:
    return np.linalg.inv(a.conj().T @ a) @ a.conj().T @ b


def _numpy(a: Any, b: Any, width: int) -> Any:
    return np.linalg.lstsq(a, b, rcond=None)[0]


_TOLERANCE = {np.complex128: 1e-12, np.float64: 1e-12}

CASES = (
    Case(
        "qr", "by reflections in panels", _solved, _make, {"m": 61, "n": 43, "p": 3, "width": 8},
        _TOLERANCE, _question, _numpy,
    ),
    Case(
        "qr", "by inner products", _solved, _make, {"m": 400, "n": 6, "p": 3}, _TOLERANCE,
        _question, _numpy,
    ),
)  # fmt: skip
